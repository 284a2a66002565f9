"""What the networks of a study do when one of their streams fails: figures, tables.

`measured` is a study's `measured`, `lines` its `more`: below its table there is one for
each figure of the failure report (`python -m jaxact robustness`), every failure a
column.
"""

import functools
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jaxact.batch import Batch, Data, Facts
from jaxact.config import Experiment
from jaxact.report import predictions
from jaxact.report.robustness import OF_ITSELF, name_of
from results.study import Run, cells, of_row

WHOLE = "nothing fails"
# What is done to each stream. A table shows the strongest; the data hold all.
FAILURES = ("missing", "black", "noisy")
FIGURES = {
    "top1": "Top-1 %",
    "confidence": "mean confidence %",
    "calibration_error": "calibration error %",
    "sure_and_wrong": "sure (0.9 or more) and wrong, % of clips",
    **{key: f"{title} %" for key, title in OF_ITSELF},
}


class Remembered:
    """A pipeline that reads the clips of an evaluation once, for all failures."""

    def __init__(self, data: Data):
        self.data = data
        self._key, self._kept = "", []

    def dataset_facts(self, data: Any, /) -> Facts:
        """As the pipeline's."""
        return self.data.dataset_facts(data)

    def train_batches(self, *args: Any, **kwargs: Any) -> Iterator[Batch]:
        """As the pipeline's."""
        return self.data.train_batches(*args, **kwargs)

    def eval_batches(self, *args: Any, **kwargs: Any) -> Iterator[Batch]:
        """As the pipeline's, of which nothing is read twice."""
        return iter(self._batches(args, kwargs))

    def _batches(self, args: Any, kwargs: Any) -> list[Batch]:
        key = repr((args, kwargs))
        if self._key != key:
            self._kept, self._key = list(self.data.eval_batches(*args, **kwargs)), key
        return self._kept


@functools.cache
def pipeline() -> Remembered:
    """Returns the pipeline of all networks of this process."""
    from input_pipeline import pipeline  # imports TensorFlow

    return Remembered(pipeline)


def measured(spec: Experiment, report: pathlib.Path) -> dict[str, float]:
    """Returns what the failure report says of a trained network.

    Args:
      spec: its experiment.
      report: of the run, in its folder.

    Returns:
      By "CASE/FIGURE", as "rgb black 1/top1" or "nothing fails/confidence": the figures
      of `jaxact.run.robustness.measure`. Of a case that a network cannot do there are
      none; of a network of one stream there is the first case alone.
    """
    from jaxact.checkpoints.files import find
    from jaxact.run import predictor, robustness, session

    if len(spec.model.inputs()) < 2:
        read = predictions.read(report)
        return _named(WHOLE, robustness.figures(read.scores, read.labels))
    opened = session.open_evaluation(spec, pipeline())
    variables = predictor.restore_weights(*find(report.parent), opened.network, spec)
    found: dict[str, float] = {}
    for row in robustness.measure(opened, variables, FAILURES):
        found |= _named(name_of(row), row)
    return found


def _named(case: str, row: Mapping[str, Any]) -> dict[str, float]:
    return {f"{case}/{key}": float(row[key]) for key in FIGURES if key in row}


def lines(runs: Sequence[Run]) -> list[str]:
    """Returns a table a figure: rows of the study x what fails."""
    cases = _cases(runs)
    rows = list(dict.fromkeys(entry["row"] for entry in runs))
    found = []
    for figure, title in FIGURES.items():
        keys = [f"{case}/{figure}" for case in cases]
        some = [row for row in rows if any(key in of_row(runs, row)[0] for key in keys)]
        if not some:
            continue
        found += [
            "",
            f"| {title} | {' | '.join(cases)} |",
            "|---|" + "---|" * len(cases),
        ]
        for row in some:
            shown = cells(of_row(runs, row), keys)
            found.append(f"| {row} | {' | '.join(shown)} |")
    return found


def _cases(runs: Sequence[Run]) -> list[str]:
    """Returns the cases that are shown, in the order of the data."""
    names = dict.fromkeys(
        key.rpartition("/")[0]
        for entry in runs
        for key in entry
        if key.endswith("/confidence")
    )
    # Of the failures with several strengths the last one, the strongest.
    last = {name.rpartition(" ")[0] or name: name for name in names}
    return [name for name in names if name in last.values()]
