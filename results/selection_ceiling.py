"""What choosing other frames would change: STAFusion tested with frames given to it.

    # after results.studies.synthetic_stafusion_longer:
    python -m results.selection_ceiling

The trained networks are tested as they are, and with scores that stand in for those of
the frame scorer: random ones, ones that prefer the frames that show the actor (as good
as selection can be), and ones that avoid them. Each test is a line of
``data/selection_ceiling.jsonl``.
"""

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax
from absl import logging

from jaxact.layers.selection import FrameScorer
from jaxact.models.streams import Branches
from results.studies.synthetic_stafusion import FULL
from results.studies.synthetic_stafusion_longer import STUDY
from results.study import DATA, read, spread

FILE = DATA / "selection_ceiling.jsonl"
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


def table() -> str:
    """Returns what was found, as Markdown: mean and standard deviation of seeds."""
    lines = [
        "| frames chosen | Top-1 % | of the chosen, show the actor % |",
        "|---|---|---|",
    ]
    for name in SCORES:
        mine = [entry for entry in read(FILE) if entry["row"] == name]
        keys = ("top1", "frame_precision")
        cells = [spread([entry[key] for entry in mine]) for key in keys]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    import evaluate  # imports TensorFlow: not needed for the table
    from jaxact.checkpoints.files import find

    logging.set_verbosity(logging.ERROR)
    (network,) = STUDY.networks(FULL)
    for name, rule in SCORES.items():
        for seed in range(SEEDS):
            spec = STUDY.experiment(network, seed)
            with scored_by(rule), contextlib.redirect_stdout(io.StringIO()):
                found = evaluate.evaluate(spec, *find(STUDY.folder(network, seed)))
            right = (found.scores.argmax(axis=1) == found.labels).mean()
            shown = found.selection["frame_precision"]
            entry = {"row": name, "seed": seed, "top1": float(right)}
            with FILE.open("a") as file:
                file.write(json.dumps(entry | {"frame_precision": shown}) + "\n")
    print(table())


if __name__ == "__main__":
    main()
