"""Evaluation metrics in numpy, from scores and labels of real examples (no padding).

Whatever is added over batches is kept as (sum, count), so that the value does not
depend on how the examples were divided.
"""

from typing import Any

import numpy as np

Pair = tuple[float, float]  # (sum, count)
BINS = 15  # of the calibration error
SURE = 0.9  # the score from which on a model is sure


def ratio(pair: Pair) -> float:
    """Returns sum / count, NaN where nothing was counted."""
    total, count = pair
    return float(total) / float(count) if count else float("nan")


def add(a: dict[str, Pair], b: dict[str, Pair]) -> dict[str, Pair]:
    """Adds two tables of (sum, count) name by name."""
    table = dict(a)
    for name, (total, count) in b.items():
        old_total, old_count = table.get(name, (0.0, 0.0))
        table[name] = (old_total + total, old_count + count)
    return table


def in_top_k(scores: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Says for every example whether its label is among the k highest scores.

    Equal scores are ranked by class number, as `numpy.argmax` does: top-1 is then the
    diagonal of the confusion matrix.

    Args:
      scores: [N y].
      labels: [N] int.
      k: how many classes may be named; with k >= y everything is right.

    Returns:
      bool [N].
    """
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    tied_before = (scores == own) & (np.arange(scores.shape[1]) < labels[:, None])
    return ((scores > own) | tied_before).sum(axis=1) < k


def top_k(scores: np.ndarray, labels: np.ndarray, k: int) -> Pair:
    """Returns the (number of examples right, number of examples)."""
    right = in_top_k(scores, labels, k)
    return float(right.sum()), float(right.size)


def cross_entropy(scores: np.ndarray, labels: np.ndarray) -> Pair:
    """Returns (sum of -log score of the label, N) for softmax scores [N y]."""
    own = np.take_along_axis(scores.astype(np.float64), labels[:, None], axis=1)
    tiny = np.finfo(np.float32).tiny  # a score that underflowed costs 87, not inf
    return float(-np.log(np.maximum(own, tiny)).sum()), float(len(labels))


def confusion_matrix(
    labels: np.ndarray, predictions: np.ndarray, num_classes: int
) -> np.ndarray:
    """Counts examples: row = true class, column = predicted class, int64 [y y]."""
    flat = labels.astype(np.int64) * num_classes + predictions
    counts = np.bincount(flat, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def per_class(confusion: np.ndarray) -> list[dict[str, float]]:
    """Returns a row a class: examples, recall (its accuracy), precision and f1.

    Values without examples (recall) or predictions (precision) are NaN.
    """
    rows = []
    for index, right in enumerate(np.diag(confusion)):
        examples, predicted = confusion[index].sum(), confusion[:, index].sum()
        rows.append(
            {
                "examples": int(examples),
                "predicted": int(predicted),
                "recall": ratio((right, examples)),
                "precision": ratio((right, predicted)),
                "f1": ratio((2 * right, examples + predicted)),
            }
        )
    return rows


def mean_class_accuracy(confusion: np.ndarray) -> float:
    """Returns the mean of the classes' recalls, over classes that have examples."""
    examples = confusion.sum(axis=1)
    present = examples > 0
    if not present.any():
        return float("nan")
    return float((np.diag(confusion)[present] / examples[present]).mean())


def classification(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Returns top1, top5, mean_class_accuracy and loss of scores [N y]."""
    confusion = confusion_matrix(labels, scores.argmax(axis=1), scores.shape[1])
    return {
        "top1": ratio(top_k(scores, labels, 1)),
        "top5": ratio(top_k(scores, labels, 5)),
        "mean_class_accuracy": mean_class_accuracy(confusion),
        "loss": ratio(cross_entropy(scores, labels)),
    }


def calibration_error(scores: np.ndarray, labels: np.ndarray) -> float:
    """Returns the expected calibration error (Guo et al. 2017) of scores [N y].

    Examples are put into `BINS` equal ranges of the highest score, (0, 1/15], ...; the
    error is ``sum_bins n_bin / N |accuracy - mean highest score|``.
    """
    sure = scores.max(axis=1).astype(np.float64)
    right = in_top_k(scores, labels, 1)
    ranges = np.clip(np.ceil(sure * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = np.bincount(ranges, right - sure, BINS)
    return float(np.abs(gaps).sum() / len(labels))


def sure_and_wrong(scores: np.ndarray, labels: np.ndarray) -> Pair:
    """Returns (examples wrong with a score of `SURE` or more, number of examples)."""
    wrong = ~in_top_k(scores, labels, 1) & (scores.max(axis=1) >= SURE)
    return float(wrong.sum()), float(wrong.size)


def patches_in_box(box: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Says which patches have their centre in the box.

    Args:
      box: [... 4] as y0 x0 y1 x1, fractions of the image.
      grid: (rows, columns) of patches, n = rows * columns in row-major order.

    Returns:
      bool [... n].
    """
    rows, columns = grid
    y = (np.arange(rows) + 0.5) / rows
    x = (np.arange(columns) + 0.5) / columns
    y0, x0, y1, x1 = (box[..., i, None] for i in range(4))
    in_row = (y0 <= y) & (y < y1)
    in_column = (x0 <= x) & (x < x1)
    inside = in_row[..., :, None] & in_column[..., None, :]
    return inside.reshape(*box.shape[:-1], rows * columns)


def selection_recall(
    frame_marks: np.ndarray,
    keep: np.ndarray,
    actor_visible: np.ndarray,
    actor_box: np.ndarray,
    grid: tuple[int, int],
) -> dict[str, Pair]:
    """Scores what was selected against where the actor is, and against chance.

    Chance is what choosing uniformly at random would give on average: as many frames
    of the clip for the frame figures, as many patches of each frame for the region
    figures. Frames: ``precision`` is the share of marked frames that show the actor,
    ``recall`` the share of frames showing the actor that are marked. Regions: the
    share of the patches on the actor that are kept, over all frames that show the
    actor (``region``) and over those of them that are marked (``marked_region``).

    Args:
      frame_marks: [b f] int, >= 1 where a frame is kept.
      keep: [b f n] bool.
      actor_visible: [b f] bool.
      actor_box: [b f 4], see `patches_in_box`.
      grid: (rows, columns) of patches.

    Returns:
      (sum, count) under frame_precision, frame_precision_chance, frame_recall,
      frame_chance, region_recall, region_chance, marked_region_recall,
      marked_region_chance.
    """
    marked, visible = frame_marks >= 1, actor_visible.astype(bool)
    frames = marked.shape[1]
    hits = float((marked & visible).sum())
    num_marked, num_visible = marked.sum(axis=1), visible.sum(axis=1)
    expected = float((num_marked * num_visible / frames).sum())

    on_actor = patches_in_box(actor_box, grid) & visible[..., None]
    if keep.shape != on_actor.shape:
        raise ValueError(
            f"keep is {keep.shape}, but frames and grid {grid} give {on_actor.shape}."
        )
    size = on_actor.sum(axis=-1)  # [b f] patches on the actor
    region_hits = float((keep & on_actor).sum())
    share_kept = keep.mean(axis=-1)
    region_expected = float((size * share_kept).sum())
    marked_size = float((size * marked).sum())
    marked_hits = float((keep & on_actor & marked[..., None]).sum())
    marked_expected = float((size * share_kept * marked).sum())
    return {
        "frame_precision": (hits, float(num_marked.sum())),
        "frame_precision_chance": (expected, float(num_marked.sum())),
        "frame_recall": (hits, float(num_visible.sum())),
        "frame_chance": (expected, float(num_visible.sum())),
        "region_recall": (region_hits, float(size.sum())),
        "region_chance": (region_expected, float(size.sum())),
        "marked_region_recall": (marked_hits, marked_size),
        "marked_region_chance": (marked_expected, marked_size),
    }


def summary(pairs: dict[str, Pair]) -> dict[str, Any]:
    """Returns sum / count of every entry."""
    return {name: ratio(pair) for name, pair in pairs.items()}
