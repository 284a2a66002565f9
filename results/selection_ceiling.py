"""What choosing other frames would change: STAFusion tested with frames given to it.

    python -m results.selection_ceiling    # after results.synthetic_stafusion_longer

The trained networks are tested as they are, and with scores that stand in for those of
the frame scorer: random ones, ones that prefer the frames that show the actor (as good
as selection can be), and ones that avoid them.
"""

import contextlib
import io
from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax
from absl import logging

import evaluate
from jaxact.checkpoints.files import find
from jaxact.layers.selection import FrameScorer
from jaxact.models.streams import Branches
from results.study import spread
from results.synthetic_stafusion import FULL
from results.synthetic_stafusion_longer import STUDY

SEEDS = 3
# From the scorer's own scores, noise in [0, 1] and 1 where a frame shows the actor.
SCORES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "as trained": lambda own, noise, shown: own,
    "at random": lambda own, noise, shown: noise,
    "those that show the actor": lambda own, noise, shown: shown + 0.1 * noise,
    "those that do not": lambda own, noise, shown: 0.1 * noise - shown,
}


@contextlib.contextmanager
def scored_by(rule: Callable[[Any, Any, Any], Any]) -> Iterator[None]:
    """Replaces what the frame scorer of every model called inside returns."""
    seen: dict[str, Any] = {}

    def intercept(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        if isinstance(context.module, Branches):
            seen.update(args[0])
        if not isinstance(context.module, FrameScorer) or "actor_visible" not in seen:
            return call(*args, **kwargs)
        own = call(*args, **kwargs)
        noise = jax.random.uniform(jax.random.key(0), own.shape)
        return rule(own, noise, seen["actor_visible"].astype(own.dtype))

    with nn.intercept_methods(intercept):
        yield


def main() -> None:
    logging.set_verbosity(logging.ERROR)
    (network,) = STUDY.networks(FULL)
    print(
        "| frames chosen | Top-1 % | of the chosen, show the actor % |\n|---|---|---|"
    )
    for name, rule in SCORES.items():
        found = []
        for seed in range(SEEDS):
            spec = STUDY.experiment(network, seed)
            with scored_by(rule), contextlib.redirect_stdout(io.StringIO()):
                found.append(
                    evaluate.evaluate(spec, *find(STUDY.folder(network, seed)))
                )
        right = [
            (each["scores"].argmax(axis=1) == each["labels"]).mean() for each in found
        ]
        shown = [each["selection"]["frame_precision"] for each in found]
        print(f"| {name} | {spread(right)} | {spread(shown)} |", flush=True)


if __name__ == "__main__":
    main()
