"""What the results tables have in common: rows x seeds, trained once each, and printed.

A study's file says what its rows are and calls `main`. A finished run is a line of the
``.jsonl`` beside that file and is not trained again, so a study can be stopped and
called again; ``--part 0/2`` and ``--part 1/2`` share the runs between two processes.
The figures are those of the last step, not of the best.
"""

import argparse
import dataclasses
import json
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from jaxact.config import Experiment, load_experiment
from jaxact.host_memory import keep_freed_memory

Run = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Study:
    """One table.

    Attributes:
      path: of the study's file.
      config: the experiment all rows are variations of.
      rows: by name, the config's argument and what is overridden.
      recipe: what is overridden in every row.
      pretraining: argument, overrides and folder of the run whose weights the recipe
        starts from; None: there is none.
      classes: by name, classes whose accuracy has a column of its own.
      difficulties: likewise, clips with this difficulty.
      more: lines below the table, from all runs.
    """

    path: str
    config: str
    rows: Mapping[str, tuple[str, Mapping[str, Any]]]
    recipe: Mapping[str, Any]
    pretraining: tuple[str, Mapping[str, Any], str] | None = None
    classes: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    difficulties: Sequence[str] = ()
    more: Callable[[list[Run]], list[str]] = lambda runs: []

    def experiment(self, row: str, seed: int) -> Experiment:
        """Returns one row's experiment."""
        arg, changes = self.rows[row]
        overrides = {**self.recipe, **changes, "train.seed": seed}
        return load_experiment(_with(self.config, arg), overrides)


def _with(config: str, arg: str) -> str:
    return f"{config}:{arg}" if arg else config


def pretrain(study: Study) -> None:
    """Trains the weights that every row starts from, unless they are there."""
    if study.pretraining is None:
        return
    import train  # imports TensorFlow: not needed to print the table

    arg, overrides, folder = study.pretraining
    train.train(
        load_experiment(_with(study.config, arg), dict(overrides)), pathlib.Path(folder)
    )


def run(study: Study, row: str, seed: int) -> Run:
    """Trains one row with one seed; returns its line of the output file."""
    import evaluate
    import train
    from jaxact.checkpoint import find

    start, spec = time.time(), study.experiment(row, seed)
    with tempfile.TemporaryDirectory() as folder:
        metrics = train.train(spec, pathlib.Path(folder))
        if study.classes or study.difficulties:
            found = evaluate.evaluate(spec, *find(folder))
            metrics = metrics | groups(study, found)
    seconds = round(time.time() - start)
    return {"row": row, "seed": seed, "seconds": seconds, **metrics}


def groups(study: Study, found: Mapping[str, Any]) -> dict[str, float]:
    """Returns the accuracy on the study's groups of classes and of clips."""
    right = found["scores"].argmax(axis=1) == found["labels"]
    names = np.array(found["classes"])[found["labels"]]
    of = {key: np.isin(names, list(each)) for key, each in study.classes.items()}
    for name in study.difficulties:
        bit = found["difficulty_names"].index(name)
        of[name] = (np.asarray(found["difficulty"]) >> bit & 1).astype(bool)
    return {f"top1/{key}": float(right[rows].mean()) for key, rows in of.items()}


def read(path: pathlib.Path) -> list[Run]:
    """Returns the finished runs, each once."""
    if not path.exists():
        return []
    runs = [json.loads(line) for line in path.read_text().splitlines()]
    return list({(entry["row"], entry["seed"]): entry for entry in runs}.values())


def spread(values: Sequence[float]) -> str:
    """Returns mean and standard deviation of fractions, in percent."""
    mean = 100 * statistics.mean(values)
    if len(values) < 2:
        return f"{mean:.1f}"
    return f"{mean:.1f} ± {100 * statistics.stdev(values):.1f}"


def table(study: Study, runs: list[Run]) -> str:
    """Returns the results as a Markdown table: mean and standard deviation of seeds."""
    columns = {"top1": "Top-1 %", "top5": "Top-5 %"}
    for name in (*study.classes, *study.difficulties):
        columns[f"top1/{name}"] = f"{name} %"
    lines = [
        f"| | {' | '.join(columns.values())} | seeds |",
        "|" + "---|" * (len(columns) + 2),
    ]
    for name in study.rows:
        mine = [entry for entry in runs if entry["row"] == name]
        if mine:
            cells = [spread([entry[key] for entry in mine]) for key in columns]
            lines.append(f"| {name} | {' | '.join(cells)} | {len(mine)} |")
    return "\n".join(lines + study.more(runs))


def main(study: Study) -> None:
    """The command line of a study's file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--part", default="0/1", help="this process's share, i/n")
    parser.add_argument("--table", action="store_true", help="only print the table")
    args = parser.parse_args()
    out = pathlib.Path(study.path).with_suffix(".jsonl")
    if not args.table:
        logging.set_verbosity(logging.ERROR)  # Orbax tells of every folder it opens
        keep_freed_memory()
        pretrain(study)
        index, parts = map(int, args.part.split("/"))
        todo = [(row, seed) for seed in range(args.seeds) for row in study.rows]
        # Its own share first, then what the other processes have not finished.
        own = todo[index::parts]
        for row, seed in own + [each for each in todo if each not in own]:
            if any((e["row"], e["seed"]) == (row, seed) for e in read(out)):
                continue
            entry = run(study, row, seed)
            with out.open("a") as file:
                file.write(json.dumps(entry) + "\n")
    print(table(study, read(out)))
