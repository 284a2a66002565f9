"""What will not hold of a split: rare classes, persons and clips on both sides, gaps.

Said when a data set is prepared and when a run starts; nothing is refused for it.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from input_pipeline import folds, splits
from input_pipeline.checks import lacks
from input_pipeline.config import DataConfig
from input_pipeline.dataset import DatasetError, PreparedDataset

# Fewer training clips than this teach a class hardly anything; with fewer test clips
# one of them is a fifth of the class's accuracy, or more.
FEW_TRAIN, FEW_TEST = 10, 5
LEARNT = "they are hardly learnt (data.balance and train.class_balance may help)"
TESTED = "one clip more or less is much of their accuracy"
SHOWN = 8


def class_counts(
    dataset: PreparedDataset, data: DataConfig, split: str
) -> tuple[int, ...]:
    """Returns the number of a split's clips by label; zeros where it has none."""
    labels = dataset.labels[_rows(dataset, data, split)]
    return tuple(np.bincount(labels, minlength=len(dataset.classes)).tolist())


def of(dataset: PreparedDataset, data: DataConfig) -> list[str]:
    """Returns a sentence for each thing that a person should know of the splits."""
    train, test = (_rows(dataset, data, name) for name in ("train", "test"))
    return [
        *_few(dataset, data, "train", FEW_TRAIN, "training", LEARNT),
        *_few(dataset, data, "test", FEW_TEST, "test", TESTED),
        *_persons(dataset, train, test),
        *_twins(dataset, train, test),
        *(_lacking(dataset, train, test) if data.allow_missing else []),
    ]


def _few(
    dataset: PreparedDataset,
    data: DataConfig,
    split: str,
    few: int,
    called: str,
    so: str,
) -> Sequence[str]:
    counts = class_counts(dataset, data, split)
    of_class = zip(dataset.classes, counts, strict=True)
    rare = [f"{ascii(name)} ({n})" for name, n in of_class if n < few]
    if not rare or not any(counts):
        return []
    return [
        f"{len(rare)} of {len(counts)} classes have fewer than {few} {called} clips, "
        f"{_listed(rare)}: {so}."
    ]


def _persons(
    dataset: PreparedDataset, train: np.ndarray, test: np.ndarray
) -> Sequence[str]:
    keys = folds.groups(dataset, "person")
    if keys is None:
        return []
    tested = {*keys[test].tolist()} - {*folds.NOBODY}
    both = sorted(tested & {*keys[train].tolist()})
    if not both:
        return []
    return [
        f"{len(both)} of the {len(tested)} persons that are tested were trained on "
        f"too ({_listed(both)}): the figures are of known people, not of new ones. "
        "Folds by person and `python -m input_pipeline.split` keep people apart."
    ]


def _twins(
    dataset: PreparedDataset, train: np.ndarray, test: np.ndarray
) -> Sequence[str]:
    content = dataset.index.get("content")
    if content is None:
        return []
    trained = {int(content[row]): row for row in train}
    pairs = [(row, trained.get(int(content[row]))) for row in test]
    twins = [(row, other) for row, other in pairs if other is not None]
    if not twins:
        return []
    names = (f"{dataset.names[a]} = {dataset.names[b]}" for a, b in twins)
    return [
        f"{len(twins)} test clips have the very content of a training clip "
        f"({_listed(names)}): what is tested was trained on."
    ]


def _lacking(
    dataset: PreparedDataset, train: np.ndarray, test: np.ndarray
) -> Sequence[str]:
    said = []
    for name, rows in (("training", train), ("test", test)):
        gaps = [
            f"{count} have no {stream}"
            for stream in dataset.streams
            if (count := int(lacks(dataset, rows, stream).sum()))
        ]
        if gaps:
            said.append(f"of {len(rows)} {name} clips {', '.join(gaps)}")
    if not said:
        return []
    return [f"{'; '.join(said)}: only data.allow_missing=True reads them."]


def _rows(dataset: PreparedDataset, data: DataConfig, split: str) -> np.ndarray:
    try:
        return splits.rows(dataset, data, split)
    except DatasetError:
        return np.zeros(0, np.int64)


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more
