"""The folds of a cross-validation as one evaluation: every clip tested once."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxact import config as config_lib
from jaxact import metrics
from jaxact.errors import UserError
from jaxact.report import numbers
from jaxact.report.evaluation import Evaluation
from jaxact.report.predictions import Predictions


def pool(
    experiment: config_lib.Experiment,
    parts: Sequence[Predictions],
    chosen: str,
    by: str,
) -> Evaluation:
    """Returns all folds as one evaluation, each clip by the network of its fold.

    Args:
      experiment: what was trained on every fold.
      parts: the predictions of each fold.
      chosen: which checkpoint each is of.
      by: what keeps the folds apart.

    Raises:
      UserError: a clip is in two of them.
    """
    first = parts[0]
    ids = np.concatenate([part.ids for part in parts])
    if twice := len(ids) - len(np.unique(ids)):
        raise UserError(
            f"{twice} clips are in two folds: the reports are of two data sets. Remove "
            "the folders of the folds and start again."
        )
    protocol = first.facts["protocol"].partition(", fold ")[0]
    return Evaluation(
        experiment=experiment.name,
        chosen=f"{chosen}; no network was tested on a {by} that it was trained on",
        dataset=first.facts["dataset"],
        protocol=f"{protocol}, {len(parts)} folds by {by}",
        split="test",
        classes=[str(name) for name in first.classes],
        ids=ids,
        names=[str(name) for part in parts for name in part.names],
        labels=np.concatenate([part.labels for part in parts]),
        scores=np.concatenate([part.scores for part in parts]),
        folds=np.repeat(np.arange(len(parts)) + 1, [len(part.ids) for part in parts]),
        config=config_lib.config_text(experiment),
    )


def table(evaluation: Evaluation) -> str:
    """Returns the figures of each fold, their mean and spread, and those of all."""
    found: Any = numbers.of_folds(evaluation)
    keys = ("top1", "mean_class_accuracy")
    lines = [f"{'fold':<12}  {'clips':>6}  {'classes':>7}  {'top-1':>7}  class mean"]
    for row in found["rows"]:
        shares = "  ".join(f"{row[key]:>7.2%}" for key in keys)
        head = f"{row['fold']:<12}  {row['clips']:>6}  {row['tested']:>7}"
        lines.append(f"{head}  {shares}")
    for name, key in (("mean", "mean"), ("deviation", "deviation")):
        shares = "  ".join(f"{found[k][key] or 0:>7.2%}" for k in keys)
        lines.append(f"{name:<12}  {'':>6}  {'':>7}  {shares}")
    labels = np.asarray(evaluation.labels)
    values = metrics.classification(np.asarray(evaluation.scores), labels)
    shares = "  ".join(f"{values[key]:>7.2%}" for key in keys)
    classes = len(np.unique(labels))
    lines.append(f"{'all together':<12}  {len(labels):>6}  {classes:>7}  {shares}")
    return "\n".join(lines)
