"""Which clip stands at which position of the training: epochs, classes, repetitions.

Every number is a pure function of the seed and the position, on every machine.
"""

import functools

import numpy as np

# An occurrence of a clip in an epoch is told from the first by this much of the number
# that seeds its augmentation; epochs are fewer.
OCCURRENCE = 2**32


class Order:
    """The clips to train on, in their order.

    Position p is the place ``q = p // repeats``; the place is example ``q % N`` of the
    epoch ``q // N``, whose order is random. With ``balance`` b a class of n clips has a
    share in proportion to ``n ** (1 - b)``; its clips take turns.

    Args:
      rows: int64 [N], the clips.
      labels: theirs, int [N].
      seed: of the order.
      balance: 0: every clip once an epoch; 1: every class equally often.
      repeats: how often a clip comes in succession, each time augmented otherwise.
    """

    def __init__(
        self,
        rows: np.ndarray,
        labels: np.ndarray,
        seed: int,
        balance: float = 0.0,
        repeats: int = 1,
    ):
        self._rows, self._labels, self._seed = rows, labels, seed
        self._balance, self._repeats = balance, repeats
        self._epoch = functools.lru_cache(maxsize=2)(self._order_of)

    def at(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the clips at positions [n], and what seeds their augmentation [n]."""
        places, repeat = np.divmod(positions, self._repeats)
        epochs, places = np.divmod(places, len(self._rows))
        ids, turns = np.empty(len(positions), np.int64), np.zeros_like(epochs)
        for epoch in np.unique(epochs):
            mine = epochs == epoch
            rows, turn = self._epoch(int(epoch))
            ids[mine], turns[mine] = rows[places[mine]], turn[places[mine]]
        return ids, epochs + OCCURRENCE * (turns * self._repeats + repeat)

    def _order_of(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the clips of an epoch, and how often each came before in it."""
        size = len(self._rows)
        shuffled = permutation(size, self._seed, epoch)
        if not self._balance:
            return self._rows[shuffled], np.zeros(size, np.int64)
        counts = np.bincount(self._labels)
        shares = quotas(counts, size, self._balance, self._seed, epoch)
        rows, turns = [], []
        for label in np.flatnonzero(shares):
            mine, wanted = self._rows[self._labels == label], int(shares[label])
            for turn in range(-(-wanted // len(mine))):
                order = permutation(
                    len(mine), self._seed, epoch, (int(label) + 1, turn)
                )
                taken = mine[order][: wanted - turn * len(mine)]
                rows.append(taken)
                turns.append(np.full(len(taken), turn, np.int64))
        return np.concatenate(rows)[shuffled], np.concatenate(turns)[shuffled]


def quotas(
    counts: np.ndarray, total: int, balance: float, seed: int, epoch: int
) -> np.ndarray:
    """Returns how many clips of each class an epoch shows, int [y]; ``total`` in all.

    In proportion to ``n ** (1 - balance)``, rounded by largest remainders; of equal
    ones others come first in every epoch.
    """
    weights = np.where(counts > 0, np.maximum(counts, 1.0) ** (1 - balance), 0.0)
    exact = total * weights / weights.sum()
    whole = np.floor(exact + 1e-9).astype(int)
    rest = np.round(exact - whole, 9)
    tie = permutation(len(counts), seed, epoch, (0, 1))
    first = np.lexsort((tie, -rest))
    whole[first[: total - whole.sum()]] += 1
    return whole


def permutation(
    size: int, seed: int, epoch: int, stream: tuple[int, int] = (0, 0)
) -> np.ndarray:
    """Returns the order of an epoch: a random permutation of range(size).

    The ranks of raw Philox numbers, which numpy promises never to change; it makes no
    such promise for Generator.permutation. Streams are independent of one another.
    """
    key = np.array([seed % 2**64, epoch], np.uint64)
    numbers = np.random.Philox(key=key, counter=[0, 0, *stream]).random_raw(size)
    return np.argsort(numbers, kind="stable")
