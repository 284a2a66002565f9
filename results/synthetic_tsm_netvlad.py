"""Trains TSM-NetVLAD's parts on the synthetic set and prints what each is worth.

    python -m results.synthetic_tsm_netvlad            # trains what is not trained yet
    python -m results.synthetic_tsm_netvlad --table    # only prints

Rows: average pooling without a shift, with the shift, with RGB differences beside it,
with NetVLAD in place of the average, and all of it. As in the paper, colours and
differences are trained apart, and their scores are averaged. All runs are alike: the
same data, recipe, epochs and batches; the figures are those of the last step, not of
the best. Classes of which one is the other backwards in time stand in a column of
their own: from single frames they cannot be told apart.

A run that has ended is evaluated, not trained again, and one that was stopped goes on.
"""

import argparse
import json
import pathlib
from typing import Any

import numpy as np
from absl import logging

from input_pipeline.synthetic.actions import REVERSALS
from jaxact import score_fusion
from jaxact.config import load_experiment
from jaxact.host_memory import keep_freed_memory
from jaxact.report import write_report
from results.study import read, spread

OUT = pathlib.Path(__file__).with_suffix(".jsonl")
RUNS = pathlib.Path("runs/synthetic_tsm_netvlad")
CONFIG = "configs/demo_tsm_netvlad.py"
RECIPE = {"train.eval_every": 0.0}  # only at the end
# What is averaged for each row: the demo's rows and streams.
ROWS = {
    "average pooling": ("row=average,stream=rgb",),
    "+ shift": ("row=shift,stream=rgb",),
    "+ RGB difference": ("row=shift,stream=rgb", "row=shift,stream=rgb_diff"),
    "+ NetVLAD": ("row=netvlad,stream=rgb",),
    "all": ("row=netvlad,stream=rgb", "row=netvlad,stream=rgb_diff"),
}
FIGURES = {
    "top1": "Top-1 %",
    "ordered": "classes told by their order %",
    "others": "other classes %",
}


def predictions(argument: str, seed: int) -> score_fusion.Predictions:
    """Returns one network's predictions, trained first if it is not yet."""
    import evaluate  # import TensorFlow: not needed to print the table
    import train

    experiment = load_experiment(f"{CONFIG}:{argument}", RECIPE)
    experiment.train.seed = seed
    folder = RUNS / f"{experiment.name}_seed{seed}"
    if not (folder / "report" / score_fusion.FILE).exists():
        train.train(experiment, folder)
        step = max(int(path.name) for path in (folder / "checkpoints").glob("[0-9]*"))
        results = evaluate.evaluate(experiment, folder / "checkpoints", step)
        write_report(folder / "report", results)
    return score_fusion.read(folder)


def figures(scores: np.ndarray, labels: np.ndarray, classes: list[str]) -> dict:
    """Returns the accuracy over all clips, and over the two kinds of classes."""
    right = scores.argmax(axis=1) == labels
    names = {name for pair in REVERSALS for name in pair}
    ordered = np.isin(labels, [i for i, name in enumerate(classes) if name in names])
    parts = {"top1": right, "ordered": right[ordered], "others": right[~ordered]}
    return {name: float(part.mean()) for name, part in parts.items()}


def run(name: str, seed: int) -> dict[str, Any]:
    """Returns the figures of one row with one seed."""
    parts = [predictions(argument, seed) for argument in ROWS[name]]
    scores, classes = parts[0].scores, [str(c) for c in parts[0].classes]
    if len(parts) > 1:
        scores = score_fusion.fuse(parts, [1.0] * len(parts))["scores"]
    return {"row": name, "seed": seed, **figures(scores, parts[0].labels, classes)}


def table(rows: list[dict[str, Any]]) -> str:
    """Returns the results as a Markdown table: mean and standard deviation of seeds."""
    lines = [f"| | {' | '.join(FIGURES.values())} | seeds |"]
    lines += ["|" + "---|" * (len(FIGURES) + 2)]
    for name in ROWS:
        mine = [row for row in rows if row["row"] == name]
        cells = []
        for key in FIGURES if mine else ():
            cells.append(spread([row[key] for row in mine]))
        if mine:
            lines.append(f"| {name} | {' | '.join(cells)} | {len(mine)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--table", action="store_true", help="only print the table")
    args = parser.parse_args()
    if not args.table:
        logging.set_verbosity(logging.ERROR)  # Orbax tells of every folder it opens
        keep_freed_memory()
        done = {(row["row"], row["seed"]) for row in read(args.out)}
        for seed in range(args.seeds):
            for name in ROWS:
                if (name, seed) not in done:
                    line = json.dumps(run(name, seed))
                    with args.out.open("a") as file:
                        file.write(line + "\n")
    print(table(read(args.out)))


if __name__ == "__main__":
    main()
