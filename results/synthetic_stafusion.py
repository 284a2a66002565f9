"""Trains every row of the README's results table on the synthetic set, and prints it.

    python -m results.synthetic_stafusion            # trains what is not trained yet
    python -m results.synthetic_stafusion --table    # only prints

Rows: the single streams, average, concatenation and the baseline (the paper's Table 2),
the eight rows of Table 3, of which the last is STAFusion. Each is trained with every
seed, all alike: the recipe of configs/demo_stafusion.py and the same data, epochs and
batches; the figures are those of the last step, not of the best. A finished run is a
line of the output file and is not trained again, so the script can be stopped and
called again; ``--part 0/2`` and ``--part 1/2`` share the runs between two processes.
"""

import argparse
import dataclasses
import json
import pathlib
import statistics
import tempfile
import time
from typing import Any

from jaxact.config import Experiment, load_experiment
from jaxact.models.dual_stream import DualStreamConfig

OUT = pathlib.Path(__file__).with_suffix(".jsonl")
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
    """Returns the demo's experiment with one row's changes."""
    changes = dict(changes)
    result = load_experiment(config)
    if changes.pop("family", "") == "dual":
        known = {field.name for field in dataclasses.fields(DualStreamConfig)}
        fields = {
            name: value
            for name, value in vars(result.model).items()
            if name in known and name != "fusion"
        }
        result.model = DualStreamConfig(**fields)
    for name, value in changes.items():
        setattr(result.model, name, value)
    result.train.seed = seed
    result.train.eval_every = 0.0
    return result


def run(config: str, name: str, seed: int) -> dict[str, Any]:
    """Trains one row with one seed; returns its line of the output file."""
    import train  # imports TensorFlow: not needed to print the table

    start = time.time()
    spec = experiment(config, rows()[name], seed)
    with tempfile.TemporaryDirectory() as folder:
        metrics = train.train(spec, pathlib.Path(folder))
    seconds = round(time.time() - start)
    return {"row": name, "seed": seed, "seconds": seconds, **metrics}


def read(path: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the finished runs."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


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
        index, parts = map(int, args.part.split("/"))
        todo = [(name, seed) for seed in range(args.seeds) for name in rows()]
        args.out.parent.mkdir(parents=True, exist_ok=True)
        for name, seed in todo[index::parts]:
            if any((e["row"], e["seed"]) == (name, seed) for e in read(args.out)):
                continue
            entry = run(args.config, name, seed)
            with args.out.open("a") as file:
                file.write(json.dumps(entry) + "\n")
    print(table(read(args.out)))


if __name__ == "__main__":
    main()
