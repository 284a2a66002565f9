"""jaxact: recognising human actions from several views of the same moment."""

from jaxact.batch import example_batch
from jaxact.config import Experiment, load_experiment
from jaxact.ledger import Ledger, ledger

__version__ = "0.1.0"

__all__ = ["Experiment", "Ledger", "example_batch", "ledger", "load_experiment"]
