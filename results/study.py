"""What the results tables have in common: rows x seeds, trained once each, and printed.

A file of ``studies/`` says what its rows are and calls `main`. A trained network stays
in ``runs/`` with its report, a finished row is a line of ``data/NAME.jsonl``; neither
is made again, so a study can be stopped and called again, and two processes share it
with ``--part 0/2`` and ``--part 1/2``. The figures are those of the last step, not of
the best. `results.tables` writes them into the pages.
"""

import argparse
import dataclasses
import json
import pathlib
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from jaxact.config import Experiment, load_experiment
from jaxact.devices.host_memory import keep_freed_memory
from jaxact.report import predictions as score_fusion
from jaxact.report import write_report
from results import paired

DATA = pathlib.Path(__file__).parent / "data"

Run = dict[str, Any]
# One network: the config's argument and what is overridden.
Network = tuple[str, Mapping[str, Any]]

# For questions that have nothing to do with what makes the set difficult: the staged
# world without it, which `make results` prepares beside the set. Evaluated at the end.
WITHOUT_DIFFICULTIES = {
    "data.dir": "data/pretraining",
    "train.epochs": 6.0,
    "train.eval_every": 0.0,
}


@dataclasses.dataclass(frozen=True)
class Study:
    """One table.

    Attributes:
      name: of the study's file, of its data and of its table.
      config: the experiment all networks are variations of.
      rows: by name, the network; of several the scores are averaged.
      recipe: what is overridden in every network.
      pretraining: the network whose weights the recipe starts from, and its folder;
        None: there is none.
      classes: by name, classes whose accuracy has a column of its own.
      difficulties: likewise, clips with this difficulty.
      columns: heads of more columns, by what else evaluation found, where it did.
      against: the row that all are compared with, clip by clip; "": none.
      more: lines below the table, from all runs.
    """

    name: str
    config: str
    rows: Mapping[str, Network | tuple[Network, ...]]
    recipe: Mapping[str, Any]
    pretraining: tuple[Network, str] | None = None
    classes: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    difficulties: Sequence[str] = ()
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    against: str = ""
    more: Callable[[list[Run]], list[str]] = lambda runs: []

    @property
    def data(self) -> pathlib.Path:
        """Where the finished rows are kept."""
        return DATA / f"{self.name}.jsonl"

    def networks(self, row: str) -> tuple[Network, ...]:
        """Returns the networks whose scores a row averages."""
        given: Any = self.rows[row]
        return (given,) if isinstance(given[0], str) else given

    def experiment(self, network: Network, seed: int) -> Experiment:
        """Returns a network's experiment; its seeds share what is compiled."""
        arg, changes = network
        cache = {"train.compilation_cache": f"{self._folder()}/compiled"}
        return self._load(arg, {**self.recipe, **cache, **changes, "train.seed": seed})

    def folder(self, network: Network, seed: int) -> pathlib.Path:
        """Returns where a network is trained."""
        arg, changes = network
        words = re.findall(r"\w+", f"{arg} {' '.join(map(str, changes.items()))}")
        name = "_".join([*words, "seed", str(seed)]).replace("model_", "")
        return self._folder() / name

    def _folder(self) -> pathlib.Path:
        return pathlib.Path("runs") / self.name

    def pretrain(self, rows: Sequence[str]) -> None:
        """Trains what the networks of rows start from, unless it is there."""
        if self.pretraining is None:
            return
        (arg, changes), folder = self.pretraining
        networks = (network for row in rows for network in self.networks(row))
        starts = {self.experiment(each, 0).train.init_from for each in networks}
        if any(folder in start for start in starts):
            reported(self._load(arg, changes), pathlib.Path(folder))

    def _load(self, arg: str, changes: Mapping[str, Any]) -> Experiment:
        return load_experiment(
            f"{self.config}:{arg}" if arg else self.config, dict(changes)
        )


def evaluated(study: Study, network: Network, seed: int) -> pathlib.Path:
    """Returns the folder of a network's report; trains it first if it is not there."""
    return reported(study.experiment(network, seed), study.folder(network, seed))


def reported(spec: Experiment, folder: pathlib.Path) -> pathlib.Path:
    """Returns the report of what is trained in a folder; makes what is not there."""
    import evaluate  # imports TensorFlow: not needed to print the table
    import train
    from jaxact.checkpoints.files import find

    if not (folder / "report" / "report.html").exists():
        train.train(spec, folder)
        write_report(folder / "report", evaluate.evaluate(spec, *find(folder)))
    return folder / "report"


def run(study: Study, row: str, seed: int) -> Run:
    """Returns a row's line of the output file."""
    reports = [evaluated(study, network, seed) for network in study.networks(row)]
    parts = [score_fusion.read(report) for report in reports]
    scores, facts = parts[0].scores, {}
    if len(parts) > 1:
        scores = score_fusion.fuse(parts, [1.0] * len(parts)).scores
    else:  # what else evaluation found, of which `Study.more` may speak
        facts = json.loads((reports[0] / "report.json").read_text()).get("selection")
    right = scores.argmax(axis=1) == parts[0].labels
    better = (scores > np.take_along_axis(scores, parts[0].labels[:, None], 1)).sum(1)
    figures = {"top1": right.mean(), "top5": (better < 5).mean()}
    for name, chosen in _groups(study, parts[0], reports[0]).items():
        figures[f"top1/{name}"] = right[chosen].mean()
    numbers = {name: float(value) for name, value in figures.items()}
    entry = {"row": row, "seed": seed, **numbers, **(facts or {})}
    if study.against:
        bits = paired.packed(right, parts[0].ids)
        entry |= {"clips": len(right), paired.RIGHT: bits}
    return entry


def _groups(
    study: Study, predictions: score_fusion.Predictions, report: pathlib.Path
) -> dict[str, np.ndarray]:
    """Returns which clips belong to each of the study's groups, bool [N]."""
    names = predictions.classes[predictions.labels]
    groups = {key: np.isin(names, list(some)) for key, some in study.classes.items()}
    if study.difficulties:
        stored = np.load(report / score_fusion.FILE)
        known = [str(name) for name in stored["difficulty_names"]]
        for name in study.difficulties:
            groups[name] = (stored["difficulty"] >> known.index(name) & 1) > 0
    return groups


def read(path: pathlib.Path) -> list[Run]:
    """Returns the finished rows, each once."""
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


def table(study: Study) -> str:
    """Returns the results as a Markdown table: mean and standard deviation of seeds."""
    runs = read(study.data)
    columns = {"top1": "Top-1 %", "top5": "Top-5 %"}
    for name in (*study.classes, *study.difficulties):
        columns[f"top1/{name}"] = f"{name} %"
    columns |= study.columns
    head = [*columns.values(), "seeds"]
    if study.against:
        head.append(f"points above {study.against} (95 % interval)")
    lines = [f"| | {' | '.join(head)} |", "|" + "---|" * (len(head) + 1)]
    by_row = {
        name: [entry for entry in runs if entry["row"] == name] for name in study.rows
    }
    for name, mine in by_row.items():
        if mine:
            cells = [
                spread([entry[key] for entry in mine]) if key in mine[0] else ""
                for key in columns
            ]
            cells.append(str(len(mine)))
            if name == study.against:
                cells.append("")
            elif study.against:
                apart = paired.difference(mine, by_row[study.against])
                cells.append(paired.cell(apart))
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines + study.more(runs))


def main(study: Study) -> None:
    """The command line of a study's file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--part", default="0/1", help="this process's share, i/n")
    parser.add_argument(
        "--rows", default="", help="only rows in whose names this expression is found"
    )
    args = parser.parse_args()
    logging.set_verbosity(logging.ERROR)  # Orbax tells of every folder it opens
    keep_freed_memory()
    rows = [row for row in study.rows if re.search(args.rows, row)]
    study.pretrain(rows)
    index, parts = map(int, args.part.split("/"))
    todo = [(row, seed) for seed in range(args.seeds) for row in rows]
    # Its own share first, then from the end what the others have not come to.
    own = todo[index::parts]
    for row, seed in own + [each for each in reversed(todo) if each not in own]:
        if any((e["row"], e["seed"]) == (row, seed) for e in read(study.data)):
            continue
        entry = run(study, row, seed)
        with study.data.open("a") as file:
            file.write(json.dumps(entry) + "\n")
    print(table(study))
