"""Who belongs together, and parts of a data set that part nobody: folds, splits.

A person, a recording, a day is a group; a group is in one part alone, so that what is
tested was not trained on. Folds are made of the index when a data set is opened: the
records know nothing of them, and the same clips serve any number of folds.
"""

import functools
from collections.abc import Sequence

import numpy as np

from input_pipeline import records
from input_pipeline.config import DataConfig, DataConfigError
from input_pipeline.dataset import PreparedDataset
from input_pipeline.index import UNUSED, group_column, split_column

# The group of a clip of which nobody knows it: in a manifest, and as a number.
NOBODY = ("", str(records.UNKNOWN))


def groups(dataset: PreparedDataset, kind: str) -> np.ndarray | None:
    """Returns the group of every clip, str [N]; None where that is not known.

    ``kind``: person, recording, day, or clip, each a group of its own.
    """
    if kind == "clip":
        return dataset.names
    codes = dataset.index.get(group_column(kind))
    if codes is not None:
        return np.array(["", *dataset.groups[kind]])[codes + 1]
    subjects = dataset.index.get("subject")
    if kind != "person" or subjects is None or (subjects < 0).all():
        return None
    return subjects.astype(str)


def of(
    dataset: PreparedDataset, data: DataConfig
) -> tuple[np.ndarray, np.ndarray, int]:
    """Returns the clips to train on, those to test on, int64, and how many folds.

    Of the clips of all splits of the protocol; together they are all of them.

    Raises:
      DatasetError: there is no such protocol.
      DataConfigError: the folds that are asked for cannot be made.
    """
    protocol = data.protocol or dataset.default_protocol
    if protocol not in dataset.protocols:
        dataset.rows(protocol, "train")  # raises, with the protocols that there are
    used = np.flatnonzero(dataset.index[split_column(protocol)] != UNUSED)
    keys = groups(dataset, data.folds)
    known = [] if keys is None else sorted(set(keys[used].tolist()), key=_in_order)
    if keys is None or {*NOBODY} & {*known}:
        lacking = len(used) if keys is None else int(np.isin(keys[used], NOBODY).sum())
        raise DataConfigError(
            f"data.folds is {data.folds!r}, but of {lacking} of {len(used)} clips of "
            f"{dataset.name!r} the {data.folds} is not known. Give the manifest a "
            f"column {data.folds} and prepare it again, or choose other folds."
        )
    if len(known) < 2:
        raise DataConfigError(
            f"data.folds is {data.folds!r}, but all clips of {dataset.name!r} are of "
            f"one {data.folds} ({''.join(known)!r}); folds need two. Choose other "
            "folds, as recording, day, or clip."
        )
    number = data.num_folds or len(known)
    if not 2 <= number <= len(known):
        raise DataConfigError(
            f"data.num_folds is {data.num_folds}, but there are {len(known)} groups "
            f"by {data.folds}; expected 2 to {len(known)}, or 0 for a fold a group."
        )
    if not 1 <= data.fold <= number:
        raise DataConfigError(
            f"data.fold is {data.fold}; expected 1 to {number}, of {number} folds."
        )
    if number == len(known):
        place = {key: i for i, key in enumerate(known)}
        part = np.array([place[key] for key in keys[used].tolist()])
    else:
        labels = dataset.labels[used].tolist()
        part = _dealt(tuple(keys[used].tolist()), tuple(labels), number)
    tested = part == data.fold - 1
    return used[~tested], used[tested], number


@functools.lru_cache(maxsize=4)
def _dealt(keys: tuple[str, ...], labels: tuple[int, ...], number: int) -> np.ndarray:
    """Folds of equal shares; asked for with every split of them."""
    return deal(keys, np.array(labels), [1 / number] * number)


def _in_order(key: str) -> tuple[int, str]:
    """Numbers by their values."""
    return (int(key), "") if key.isdecimal() else (-1, key)


def deal(
    keys: Sequence[str], labels: np.ndarray, shares: Sequence[float]
) -> np.ndarray:
    """Deals groups to parts of these shares, every class as evenly as it goes, int [n].

    The groups that hold most of some class come first. Each goes where the sum over
    parts p and classes y of ``(n_py - share_p n_y)^2 / n_y`` then is smallest; of
    equals the first. No part stays empty while there are groups enough.

    Args:
      keys: the group of each clip [n].
      labels: of each clip, int [n].
      shares: of the parts; they add up to 1.
    """
    names, of_clip = np.unique(np.asarray(keys), return_inverse=True)
    counts = np.zeros((len(names), int(labels.max()) + 1))
    np.add.at(counts, (of_clip, labels), 1)
    total = np.maximum(counts.sum(axis=0), 1)
    wanted = np.asarray(shares)[:, None] * total
    order = np.argsort(-(counts / total).sum(axis=1), kind="stable")
    have, part = np.zeros_like(wanted), np.zeros(len(names), int)
    for done, group in enumerate(order):
        empty = [p for p in range(len(shares)) if not have[p].any() and shares[p] > 0]
        left = len(order) - done
        costs = []
        for p in range(len(shares)):
            after = have.copy()
            after[p] += counts[group]
            costs.append((((after - wanted) ** 2) / total).sum())
        # As many groups are left as parts without any: each gets one.
        allowed = empty if left <= len(empty) else range(len(shares))
        part[group] = min(allowed, key=lambda p: (round(costs[p], 9), p))
        have[part[group]] += counts[group]
    return part[of_clip]
