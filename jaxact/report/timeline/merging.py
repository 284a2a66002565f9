"""Overlapping windows to moments: the mean of the windows that cover each of them."""

from typing import NamedTuple

import numpy as np


class Moment(NamedTuple):
    """A part of the recording, and what the windows around its middle say of it.

    ``start``, ``end`` in microseconds; ``scores`` float [y], None where nothing could
    be said; ``windows``: of how many it is the mean.
    """

    start: int
    end: int
    scores: np.ndarray | None
    windows: int


class Merger:
    """Windows in the order of their starts -> moments.

    Moment j lasts from origin + j * stride to origin + (j + 1) * stride, and

        scores_j = mean of s_i over the windows i with start_i <= middle_j < end_i,

    of those that have scores. It is said as soon as no later window can cover its
    middle: with the window that starts where it starts.

    Args:
      stride: from the start of one window to the next, microseconds.
    """

    def __init__(self, stride: int):
        self._stride = stride
        self._next: int | None = None
        self._windows: list[tuple[int, int, np.ndarray | None]] = []

    def add(self, start: int, end: int, scores: np.ndarray | None) -> list[Moment]:
        """Takes a window's scores [y] in (None: it could not be predicted).

        Returns:
          The moments that are now known, in their order.
        """
        if self._next is None:
            self._next = start
        self._windows.append((start, end, scores))
        return self._until(start + self._stride)

    def finish(self) -> list[Moment]:
        """Returns the moments that the last windows cover beyond their first stride."""
        if not self._windows:
            return []
        return self._until(max(end for _, end, _ in self._windows))

    def _until(self, limit: int) -> list[Moment]:
        """The moments whose middle lies before ``limit``."""
        assert self._next is not None
        found = []
        while 2 * self._next + self._stride < 2 * limit:
            middle = 2 * self._next + self._stride  # twice, to stay whole
            covering = [
                scores
                for start, end, scores in self._windows
                if 2 * start <= middle < 2 * end and scores is not None
            ]
            mean = np.mean(covering, axis=0) if covering else None
            end = self._next + self._stride
            # The last window may be shorter than the others.
            seen = max((w[1] for w in self._windows), default=end) if covering else end
            moment = Moment(self._next, min(end, seen), mean, len(covering))
            found.append(moment)
            self._next = end
            self._windows = [w for w in self._windows if 2 * w[1] > middle]
        return found
