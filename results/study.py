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
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from input_pipeline.dataset import DatasetError
from input_pipeline.synthetic.actions import ACTIONS, REVERSALS
from jaxact.config import Experiment, load_experiment
from jaxact.devices.host_memory import keep_freed_memory
from jaxact.errors import UserError
from jaxact.report import predictions as score_fusion
from jaxact.report import write_report
from results import paired

DATA = pathlib.Path(__file__).parent / "data"
ROW = re.compile(r"<(.+?)>")

Run = dict[str, Any]
# One network: the config's argument, or another config ("configs/..."), and what is
# overridden. In its ``train.init_from`` "<ROW>" is the run of another row of the study
# with the same seed.
Network = tuple[str, Mapping[str, Any]]

# Classes of which one is the other backwards in time: single frames cannot tell them.
_ORDERED = [name for pair in REVERSALS for name in pair]
BY_ORDER = {
    "told by their order": _ORDERED,
    "others": [name for name in ACTIONS if name not in _ORDERED],
}

# For questions that have nothing to do with what makes the set difficult: the staged
# world without it, which `make results` prepares beside the set. Evaluated at the end.
WITHOUT_DIFFICULTIES = {
    "data.dir": "data/pretraining",
    "train.epochs": 6.0,
    "train.eval_every": 0.0,
}


def going_on(*rows: str, part: str = "all") -> dict[str, Any]:
    """Returns what has a network start from the runs of rows of its study and seed.

    Args:
      rows: whose runs, each giving its streams' part.
      part: the weights that are taken, as in ``train.init_part``.
    """
    given = ",".join(f"<{row}>" for row in rows)
    return {"train.init_from": given, "train.init_part": part}


@dataclasses.dataclass(frozen=True)
class Study:
    """One table.

    Attributes:
      name: of the study's file, of its data and of its table.
      config: the experiment all networks are variations of.
      rows: by name, the network; of several the scores are averaged.
      recipe: what is overridden in every network.
      pretraining: by folder, the network that is trained there, from whose weights the
        recipe or a row starts.
      classes: by name, classes whose accuracy has a column of its own.
      difficulties: likewise, clips with this difficulty.
      columns: heads of more columns, by what else evaluation found, where it did.
      taught: rows are of students; where one has a teacher, lines below say how good
        that is, and the mean of both answers.
      against: the row that all are compared with, clip by clip, or by row another one
        that it is compared with; "": none.
      beside: rows that are no networks, the same with every seed: their predictions.
      more: lines below the table, from all runs.
      measured: (experiment, report) -> further figures of a row of one network.
    """

    name: str
    config: str
    rows: Mapping[str, Network | tuple[Network, ...]]
    recipe: Mapping[str, Any]
    pretraining: Mapping[str, Network] = dataclasses.field(default_factory=dict)
    classes: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    difficulties: Sequence[str] = ()
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    taught: bool = False
    against: str | Mapping[str, str] = ""
    beside: Mapping[str, Callable[[], score_fusion.Predictions]] = dataclasses.field(
        default_factory=dict
    )
    more: Callable[[list[Run]], list[str]] = lambda runs: []
    measured: Callable[[Experiment, pathlib.Path], dict[str, float]] | None = None

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
        changes = {**self.recipe, **cache, **changes, "train.seed": seed}
        changes["train.init_from"] = ROW.sub(
            lambda found: str(self.folder(*self.networks(found[1]), seed)),
            changes.get("train.init_from", ""),
        )
        return self._load(arg, changes)

    def starts(self, network: Network) -> list[Network]:
        """Returns the networks of the rows from whose runs a network starts."""
        rows = ROW.findall(network[1].get("train.init_from", ""))
        return [each for row in rows for each in self.networks(row)]

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
        networks = [network for row in rows for network in self.networks(row)]
        for network in networks:
            networks += self.starts(network)  # these are looked at, too
        starts = {self.experiment(each, 0).train.init_from for each in networks}
        for folder, (arg, changes) in self.pretraining.items():
            if any(folder in start for start in starts):
                reported(self._load(arg, changes), pathlib.Path(folder))

    def _load(self, arg: str, changes: Mapping[str, Any]) -> Experiment:
        name = f"{self.config}:{arg}" if arg else self.config
        return load_experiment(arg if _is_config(arg) else name, dict(changes))


def _is_config(arg: str) -> bool:
    return arg.startswith("configs/")


def evaluated(study: Study, network: Network, seed: int) -> pathlib.Path:
    """Returns the folder of a network's report; trains it first if it is not there."""
    for start in study.starts(network):
        evaluated(study, start, seed)
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


def run(study: Study, row: str, seed: int) -> list[Run]:
    """Returns a row's lines of the output file: its own, its teacher's, both's."""
    if row in study.beside:
        reports, parts = [], [study.beside[row]()]
    else:
        reports = [evaluated(study, network, seed) for network in study.networks(row)]
        parts = [score_fusion.read(report) for report in reports]
    first, facts = parts[0], {}
    scores = {row: first.scores}
    if len(parts) > 1:
        scores[row] = score_fusion.fuse(parts, [1.0] * len(parts)).scores
    elif reports:  # what else evaluation found, of which `Study.more` may speak
        facts = json.loads((reports[0] / "report.json").read_text()).get("selection")
        if study.measured is not None:
            spec = study.experiment(study.networks(row)[0], seed)
            facts = {**(facts or {}), **study.measured(spec, reports[0])}
        if study.taught:
            scores |= _answers(row, np.load(reports[0] / score_fusion.FILE))
    groups = _groups(study, first, reports)
    lines = []
    for name, some in scores.items():
        right = some.argmax(axis=1) == first.labels
        better = (some > np.take_along_axis(some, first.labels[:, None], 1)).sum(1)
        figures = {"top1": right.mean(), "top5": (better < 5).mean()}
        for group, chosen in groups.items():
            figures[f"top1/{group}"] = right[chosen].mean()
        entry = {"row": name, "seed": seed}
        entry |= {key: float(value) for key, value in figures.items()}
        if name == row:
            entry |= facts or {}
        if study.against:
            bits = paired.packed(right, first.ids)
            entry |= {"clips": len(right), paired.RIGHT: bits}
        lines.append(entry)
    return lines


def _lines(row: str) -> tuple[str, str, str]:
    """Returns the names of a row's lines: the student, the teacher, both."""
    return row, f"{row}: its teacher", f"{row}: with its teacher"


def _answers(row: str, stored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the scores of each of a row's lines, by predictions that are stored."""
    if "scores_teacher" not in stored:
        return {}
    teacher = stored["scores_teacher"]
    # Where both answer, the student's have a name of their own.
    student = stored["scores_student" if "scores_student" in stored else "scores"]
    both = (student + teacher) / 2
    return dict(zip(_lines(row), (student, teacher, both), strict=True))


def _groups(
    study: Study, predictions: score_fusion.Predictions, reports: list[pathlib.Path]
) -> dict[str, np.ndarray]:
    """Returns which clips belong to each of the study's groups, bool [N]."""
    names = predictions.classes[predictions.labels]
    groups = {key: np.isin(names, list(some)) for key, some in study.classes.items()}
    if study.difficulties and reports:
        stored = np.load(reports[0] / score_fusion.FILE)
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


def of_row(runs: Sequence[Run], row: str) -> list[Run]:
    """Returns the runs of one row."""
    return [entry for entry in runs if entry["row"] == row]


def best(study: Study, rows: Sequence[str]) -> str:
    """Returns the row of the best Top-1 by mean; of equals, as of none, the first."""
    runs = read(study.data)

    def mean(row: str) -> float:
        return statistics.mean([e["top1"] for e in of_row(runs, row)] or [0.0])

    return max(rows, key=mean)


def cells(runs: Sequence[Run], keys: Iterable[str]) -> list[str]:
    """Returns the cells of a row; empty where its runs have no such figure."""
    return [
        spread([entry[key] for entry in runs]) if key in runs[0] else "" for key in keys
    ]


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
        which = study.against if isinstance(study.against, str) else "another row"
        head.append(f"points above {which} (95 % interval)")
    lines = [f"| | {' | '.join(head)} |", "|" + "---|" * (len(head) + 1)]
    names = [line for row in (*study.beside, *study.rows) for line in _lines(row)]
    by_row = {name: of_row(runs, name) for name in names}
    for name, mine in by_row.items():
        if mine:
            found = [*cells(mine, columns), str(len(mine))]
            if study.against:
                found.append(_apart(study, name, by_row))
            lines.append(f"| {name} | {' | '.join(found)} |")
    return "\n".join(lines + study.more(runs))


def _apart(study: Study, row: str, by_row: Mapping[str, Sequence[Run]]) -> str:
    """Returns how far a row is above that which it is compared with, as a cell."""
    if isinstance(study.against, str):
        other = study.against if row != study.against else ""
        named = ""
    else:
        other = study.against.get(row, "")
        named = f", {other}"
    found = paired.cell(paired.difference(by_row[row], by_row.get(other, ())))
    return found and found + named


def main(study: Study) -> None:
    """The command line of a study's file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--part", default="0/1", help="this process's share, i/n")
    parser.add_argument(
        "--rows", default="", help="only rows in whose names this expression is found"
    )
    args = parser.parse_args()
    if args.seeds < 1:
        parser.error(f"--seeds is {args.seeds}; expected 1 or more.")
    if not re.fullmatch(r"\d+/\d+", args.part):
        parser.error(f"--part is {args.part!r}; expected two numbers, as 0/2.")
    index, parts = map(int, args.part.split("/"))
    if index >= parts:
        parser.error(
            f"--part is {args.part!r}; expected 0/{parts} to {parts - 1}/{parts}."
        )
    try:
        rows = [r for r in (*study.beside, *study.rows) if re.search(args.rows, r)]
    except re.error as error:
        parser.error(f"--rows is {args.rows!r}, no regular expression: {error}.")
    if not rows:
        parser.error(f"--rows is {args.rows!r}; the rows are {', '.join(study.rows)}.")
    logging.set_verbosity(logging.ERROR)  # Orbax tells of every folder it opens
    keep_freed_memory()
    try:
        _train(study, rows, args.seeds, index, parts)
    except (DatasetError, UserError) as error:
        sys.exit(f"{study.name}: {error}")
    print(table(study))


def _train(
    study: Study, rows: Sequence[str], seeds: int, index: int, parts: int
) -> None:
    """Makes the rows that are not finished, a share of them first."""
    study.pretrain([row for row in rows if row in study.rows])
    todo = [(row, seed) for seed in range(seeds) for row in rows]
    # Its own share first, then from the end what the others have not come to.
    own = todo[index::parts]
    for row, seed in own + [each for each in reversed(todo) if each not in own]:
        if any((e["row"], e["seed"]) == (row, seed) for e in read(study.data)):
            continue
        lines = run(study, row, seed)
        with study.data.open("a") as file:
            file.writelines(json.dumps(entry) + "\n" for entry in lines)
