"""jaxact: recognising human actions from several views of the same moment."""

from typing import TYPE_CHECKING, Any

from jaxact.batch import example_batch
from jaxact.config import Experiment, load_experiment
from jaxact.ledger import Ledger, ledger

if TYPE_CHECKING:
    from jaxact.run.predictor import Predictor, load_model

__version__ = "0.1.0"

__all__ = [
    "Experiment",
    "Ledger",
    "Predictor",
    "example_batch",
    "ledger",
    "load_experiment",
    "load_model",
]


def __getattr__(name: str) -> Any:
    """Imports what reads checkpoints only on demand: Orbax takes a while."""
    if name in ("Predictor", "load_model"):
        from jaxact.run import predictor

        return getattr(predictor, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
