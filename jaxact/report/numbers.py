"""All numbers of a report, from the scores of every clip: what report.json holds."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxact import metrics
from jaxact.report.evaluation import Evaluation

FORMAT = "jaxact-report/1"
MISTAKES = 20


def summarise(evaluation: Evaluation) -> dict[str, Any]:
    """Returns every number of the report, ready for JSON, under stable keys."""
    classes = [str(name) for name in evaluation.classes]
    labels = np.asarray(evaluation.labels)
    scores = np.asarray(evaluation.scores)
    predicted = scores.argmax(axis=1)
    confusion = metrics.confusion_matrix(labels, predicted, len(classes))
    values = metrics.classification(scores, labels)
    loss = evaluation.loss
    right = int(np.trace(confusion))
    return {
        "format": FORMAT,
        "experiment": str(evaluation.experiment),
        **{
            key: getattr(evaluation, key)
            for key in ("checkpoint", "chosen", "dataset", "protocol", "split")
        },
        "values": dict(evaluation.values),
        "views": int(evaluation.views),
        "clips": len(labels),
        "top1": values["top1"],
        "top1_interval": interval(right, len(labels)),
        "top5": values["top5"],
        "mean_class_accuracy": values["mean_class_accuracy"],
        "loss": float(values["loss"] if loss is None else loss),
        "classes": _classes(confusion, classes),
        "confusion": confusion.tolist(),
        "branches": _branches(evaluation, labels),
        "difficulties": _difficulties(evaluation, labels == predicted),
        "folds": of_folds(evaluation),
        "selection": _floats(evaluation.selection),
        "frames": evaluation.frames,
        "mistakes": _mistakes(evaluation, labels, scores, predicted),
        "history": [dict(row) for row in evaluation.history],
        "config": evaluation.config,
    }


def interval(right: int, total: int) -> tuple[float, float]:
    """Returns the 95 % interval of a share (Wilson, 1927)."""
    z = 1.959964
    share = right / total
    centre = share + z * z / (2 * total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max((centre - half) / scale, 0.0), min((centre + half) / scale, 1.0)


def has_difficulty(difficulty: Any, index: int) -> np.ndarray:
    """Returns whether bit ``index`` is set, for bit masks of any shape."""
    return (np.asarray(difficulty, np.int64) >> index) & 1 == 1


def difficulties_in(mask: Any, names: Sequence[str] | None) -> list[str]:
    """Returns the names of a clip's difficulties, none where they are not known."""
    if mask is None:
        return []
    return [str(n) for i, n in enumerate(names or ()) if has_difficulty(mask, i)]


def _classes(confusion: np.ndarray, classes: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    wrong = confusion - np.diag(np.diag(confusion))
    for index, row in enumerate(metrics.per_class(confusion)):
        other = int(wrong[index].argmax())
        clips = int(wrong[index, other])
        rows.append(
            {
                "index": index,
                "name": classes[index],
                "clips": row["examples"],
                "correct": int(confusion[index, index]),
                "accuracy": row["recall"],
                "precision": row["precision"],
                "f1": row["f1"],
                "most_confused_with": (
                    {"index": other, "name": classes[other], "clips": clips}
                    if clips
                    else None
                ),
            }
        )
    return rows


def _branches(evaluation: Evaluation, labels: np.ndarray) -> list[dict[str, Any]]:
    """Returns the numbers of the model's other predictions, a row each."""
    rows = []
    for name, scores in evaluation.branches.items():
        scores = np.asarray(scores)
        values = metrics.classification(scores, labels)
        right = int((scores.argmax(axis=1) == labels).sum())
        row = {"name": str(name), "top1_interval": interval(right, len(labels))}
        rows.append(row | values)
    return rows


def of_folds(evaluation: Evaluation) -> dict[str, Any] | None:
    """Returns a row a fold, and mean and standard deviation over folds.

    Mean class accuracy is over the classes that a fold tests; all clips together have
    that of the pooled confusion matrix.
    """
    if evaluation.folds is None:
        return None
    labels, scores = np.asarray(evaluation.labels), np.asarray(evaluation.scores)
    rows: list[dict[str, Any]] = []
    for fold in np.unique(evaluation.folds).tolist():
        mine = evaluation.folds == fold
        values = metrics.classification(scores[mine], labels[mine])
        classes = len(np.unique(labels[mine]))
        rows.append({"fold": fold, "clips": int(mine.sum()), "tested": classes})
        rows[-1] |= {key: values[key] for key in ("top1", "mean_class_accuracy")}
    spread: dict[str, Any] = {}
    for key in ("top1", "mean_class_accuracy"):
        each = [row[key] for row in rows]
        deviation = float(np.std(each, ddof=1)) if len(each) > 1 else None
        spread[key] = {"mean": float(np.mean(each)), "deviation": deviation}
    return {"rows": rows, **spread}


def _difficulties(
    evaluation: Evaluation, right: np.ndarray
) -> list[dict[str, Any]] | None:
    """Returns top-1 of the clips with each difficulty, and of those with none."""
    difficulty = evaluation.difficulty
    names = list(evaluation.difficulty_names)
    if difficulty is None or not names:
        return None
    groups = {str(n): has_difficulty(difficulty, i) for i, n in enumerate(names)}
    groups["none"] = np.asarray(difficulty) == 0
    return [
        {
            "name": name,
            "clips": int(chosen.sum()),
            "correct": int(right[chosen].sum()),
            "top1": metrics.ratio((right[chosen].sum(), chosen.sum())),
        }
        for name, chosen in groups.items()
    ]


def _mistakes(
    evaluation: Evaluation,
    labels: np.ndarray,
    scores: np.ndarray,
    predicted: np.ndarray,
) -> list[dict[str, Any]]:
    """Returns the wrong predictions of highest probability, most confident first."""
    rows = np.arange(len(labels))
    confidence = scores[rows, predicted]
    order = np.argsort(-confidence, kind="stable")
    wrong = [int(i) for i in order if predicted[i] != labels[i]][:MISTAKES]
    classes = evaluation.classes
    masks = evaluation.difficulty
    return [
        {
            "id": int(evaluation.ids[i]),
            "name": str(evaluation.names[i]),
            "true": str(classes[labels[i]]),
            "predicted": str(classes[predicted[i]]),
            "probability": float(confidence[i]),
            "probability_of_true": float(scores[i, labels[i]]),
            "difficulties": difficulties_in(
                None if masks is None else masks[i], evaluation.difficulty_names
            ),
        }
        for i in wrong
    ]


def _floats(table: Mapping[str, Any] | None) -> dict[str, float] | None:
    return {str(k): float(v) for k, v in table.items()} if table else None


def plain(value: Any) -> Any:
    """Returns a value JSON can hold: numpy as Python, not-a-number as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
