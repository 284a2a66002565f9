"""Which clips are in which split: the protocol's own, or a validation split besides.

Most official protocols know training and test clips alone. Whoever then chooses a
checkpoint, or a learning rate, chooses it on the test clips. So a part of the training
clips can be held out, all of some subjects, as the split "val"; test stays what it is.
"""

import hashlib

import numpy as np

from input_pipeline import folds
from input_pipeline.config import DataConfig, DataConfigError
from input_pipeline.dataset import DatasetError, PreparedDataset
from input_pipeline.index import SPLITS


def rows(dataset: PreparedDataset, data: DataConfig, split: str) -> np.ndarray:
    """Returns the ids of a split's clips in ascending order, int64 [n].

    Raises:
      DatasetError: there is no such protocol, or no clip in this split.
      DataConfigError: the validation split that is asked for cannot be made.
    """
    if split == "test" or not _carves(dataset, data):
        found = _own_rows(dataset, data, split)
    else:
        training = _own_rows(dataset, data, "train")
        held = _held_out(dataset, data, training)
        if split not in ("train", "val"):
            dataset.rows(data.protocol, split)  # raises: there is no such split
        found = training[held if split == "val" else ~held]
    found = found.astype(np.int64)
    return found[: data.limit] if data.limit else found


def _own_rows(dataset: PreparedDataset, data: DataConfig, split: str) -> np.ndarray:
    """The clips of the protocol's split, or of one fold and of all others."""
    if not data.folds or split not in SPLITS:
        return dataset.rows(data.protocol, split)
    training, tested, _ = folds.of(dataset, data)
    if split == "val":
        raise DatasetError(
            f"Folds by {data.folds} have no validation clips of their own. Set "
            "data.val_share: this share of the training groups is then held out."
        )
    return training if split == "train" else tested


def counts(dataset: PreparedDataset, data: DataConfig) -> dict[str, int]:
    """Returns the number of clips in each of `SPLITS`, 0 where there is none."""
    found = {}
    for split in SPLITS:
        try:
            found[split] = len(rows(dataset, data, split))
        except DatasetError:
            found[split] = 0
    return found


def _carves(dataset: PreparedDataset, data: DataConfig) -> bool:
    """Whether clips are to be held out: asked for, and the protocol has none."""
    if data.val_subjects and data.val_share:
        raise DataConfigError(
            "data.val_subjects and data.val_share both say which clips are held out "
            f"for validation ({data.val_subjects}, {data.val_share}); set one of them."
        )
    if not 0 <= data.val_share < 1:
        raise DataConfigError(
            f"data.val_share is {data.val_share}; expected a fraction from 0 (no clips "
            "are held out) to less than 1."
        )
    if not data.val_subjects and not data.val_share:
        return False
    protocol = data.protocol or dataset.default_protocol
    return bool(data.folds) or not dataset.protocols.get(protocol, {}).get("val")


def _held_out(
    dataset: PreparedDataset, data: DataConfig, training: np.ndarray
) -> np.ndarray:
    """Which of the training rows are held out, bool [n]; some are, and some are not."""
    if data.val_subjects:
        unknown = np.full(len(dataset), -1)
        subjects = dataset.index.get("subject", unknown)[training]
        there = sorted(set(subjects.tolist()))
        wrong = sorted(set(data.val_subjects) - set(there))
        if wrong or len(set(data.val_subjects)) == len(there):
            raise DataConfigError(
                f"data.val_subjects is {data.val_subjects}, but the training clips are "
                f"of the subjects {there}: name some of these and not all."
            )
        return np.isin(subjects, data.val_subjects)
    kind = data.folds or "person"
    groups = folds.groups(dataset, kind)
    if groups is None or {*groups[training]} <= {*folds.NOBODY}:
        groups = dataset.names  # nobody knows who is in which clip: clip by clip
    keys = groups[training].tolist()
    distinct = sorted(set(keys), key=_rank)
    if len(distinct) < 2:
        raise DataConfigError(
            f"All training clips are of {kind} {distinct[0]}: none can be held out "
            "for validation. Set data.val_share to 0."
        )
    number = min(max(1, round(data.val_share * len(distinct))), len(distinct) - 1)
    return np.isin(np.array(keys), distinct[:number])


def _rank(key: str) -> bytes:
    """An order that is the same for every seed and on every machine."""
    return hashlib.sha256(key.encode()).digest()
