"""Trains every row of the README's results table on the synthetic set, and prints it.

    python -m results.synthetic_stafusion            # trains what is not trained yet
    python -m results.synthetic_stafusion --table    # only prints

Rows: the single streams, average, concatenation and the baseline (the paper's Table 2),
the eight rows of Table 3, of which the last is STAFusion. As in the paper, all start
from one pretrained backbone, heads and fusion fresh: here the baseline's, trained on a
staged world of other people without any of the difficulties. Then each row is trained
with every seed, all alike: the same data, recipe, epochs and batches; the figures are
those of the last step, not of the best. A finished run is a line of the output file and
is not trained again, so the script can be stopped and called again; ``--part 0/2`` and
``--part 1/2`` share the runs between two processes.
"""

import argparse
import json
import pathlib
import statistics
import tempfile
import time
from typing import Any

from absl import logging

from jaxact.config import Experiment, load_experiment
from jaxact.host_memory import keep_freed_memory

OUT = pathlib.Path(__file__).with_suffix(".jsonl")
# The data sets that `make results` prepares: the one to train on, the one before it.
DATA, PRETRAINING_DATA = "data", "data/pretraining"
PRETRAINED = "runs/synthetic_pretrained"
PRETRAINING = {"data.dir": PRETRAINING_DATA, "train.epochs": 9.0}
RECIPE = {
    "data.dir": DATA,
    "train.init_from": PRETRAINED,
    "train.init_part": "backbone",
    "train.epochs": 3.0,
    "train.eval_every": 0.0,  # only at the end
    "train.compilation_cache": f"{PRETRAINED}/compiled",
    "schedule.warmup_epochs": 0.5,
    "optim.lr": 1e-3,
}
SWITCHES = ("selection", "fusion", "distillation")
# What is said of STAFusion's selection: the words, the metric, the metric by chance.
SELECTION = (
    ("frames showing the actor that are kept", "frame_recall", "frame_chance"),
    (
        "kept frames that show the actor",
        "frame_precision",
        "frame_precision_chance",
    ),
    ("the actor's regions that are kept", "region_recall", "region_chance"),
    (
        "the same, in kept frames only",
        "marked_region_recall",
        "marked_region_chance",
    ),
)


def rows() -> dict[str, dict[str, Any]]:
    """Returns each row's name and what it changes in the demo's config."""
    table: dict[str, dict[str, Any]] = {
        "visible only": {"family": "dual", "streams": ("rgb",)},
        "infrared only": {"family": "dual", "streams": ("ir",)},
        "average": {"family": "dual", "fusion": "average"},
        "concatenation": {"family": "dual", "fusion": "concat"},
        "baseline (add)": {"family": "dual", "fusion": "add"},
    }
    for bits in range(1, 8):
        on = [name for i, name in enumerate(SWITCHES) if bits >> i & 1]
        name = "STAFusion (all three)" if bits == 7 else " + ".join(on)
        table[name] = {switch: switch in on for switch in SWITCHES}
    return table


def experiment(config: str, changes: dict[str, Any], seed: int) -> Experiment:
    """Returns the demo's experiment with the recipe and one row's changes."""
    changes = dict(changes)
    family = changes.pop("family", "stafusion")
    result = load_experiment(config + (":baseline" if family == "dual" else ""), RECIPE)
    for name, value in changes.items():
        setattr(result.model, name, value)
    result.train.seed = seed
    return result


def pretrain(config: str) -> None:
    """Trains the weights that every row starts from, unless they are there."""
    import train  # imports TensorFlow: not needed to print the table

    spec = load_experiment(f"{config}:baseline", PRETRAINING)
    train.train(spec, pathlib.Path(PRETRAINED))


def run(config: str, name: str, seed: int) -> dict[str, Any]:
    """Trains one row with one seed; returns its line of the output file."""
    import train

    start = time.time()
    spec = experiment(config, rows()[name], seed)
    with tempfile.TemporaryDirectory() as folder:
        metrics = train.train(spec, pathlib.Path(folder))
    seconds = round(time.time() - start)
    return {"row": name, "seed": seed, "seconds": seconds, **metrics}


def read(path: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the finished runs, each once."""
    if not path.exists():
        return []
    runs = [json.loads(line) for line in path.read_text().splitlines()]
    return list({(entry["row"], entry["seed"]): entry for entry in runs}.values())


def _spread(values: list[float], scale: float = 100.0) -> str:
    mean = scale * statistics.mean(values)
    if len(values) < 2:
        return f"{mean:.1f}"
    return f"{mean:.1f} ± {scale * statistics.stdev(values):.1f}"


def table(runs: list[dict[str, Any]]) -> str:
    """Returns the results as a Markdown table: mean and standard deviation of seeds."""
    lines = [
        "| | Top-1 % | Top-5 % | mean class % | seeds |",
        "|---|---|---|---|---|",
    ]
    for name in rows():
        mine = [entry for entry in runs if entry["row"] == name]
        if not mine:
            continue
        cells = [
            _spread([entry[key] for entry in mine])
            for key in ("top1", "top5", "mean_class_accuracy")
        ]
        lines.append(f"| {name} | {' | '.join(cells)} | {len(mine)} |")
    full = [e for e in runs if e["row"].startswith("STAFusion") and "frame_recall" in e]
    if full:
        lines += ["", "| STAFusion's selection | model % | chance % |", "|---|---|---|"]
        for what, key, chance in SELECTION:
            values = [_spread([entry[k] for entry in full]) for k in (key, chance)]
            lines.append(f"| {what} | {' | '.join(values)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="configs/demo_stafusion.py")
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--part", default="0/1", help="this process's share, i/n")
    parser.add_argument("--table", action="store_true", help="only print the table")
    args = parser.parse_args()
    if not args.table:
        logging.set_verbosity(logging.ERROR)  # Orbax tells of every folder it opens
        keep_freed_memory()
        index, parts = map(int, args.part.split("/"))
        todo = [(name, seed) for seed in range(args.seeds) for name in rows()]
        args.out.parent.mkdir(parents=True, exist_ok=True)
        pretrain(args.config)
        # Its own share first, then what the other processes have not finished.
        own = todo[index::parts]
        for name, seed in own + [each for each in todo if each not in own]:
            if any((e["row"], e["seed"]) == (name, seed) for e in read(args.out)):
                continue
            entry = run(args.config, name, seed)
            with args.out.open("a") as file:
                file.write(json.dumps(entry) + "\n")
    print(table(read(args.out)))


if __name__ == "__main__":
    main()
