"""Moments to segments: from when to when a class was seen, and how surely."""

import dataclasses
from collections.abc import Collection, Sequence
from typing import NamedTuple

from jaxact import errors
from jaxact.report.timeline import SECOND
from jaxact.report.timeline.merging import Moment


class Segment(NamedTuple):
    """A class from ``start`` to ``end``, microseconds; the mean of its scores."""

    start: int
    end: int
    label: int
    score: float


class Segments:
    """Moments in their order -> segments, as soon as each is over.

    A moment is of its best class if that scores ``threshold`` or more and is no
    background, else of none. Neighbouring moments of one class are a segment; so are
    two that moments of no class part, if these last no longer than ``bridge``. What
    lasts less than ``shortest`` is left out.

    Args:
      threshold: the least score, from 0 to 1.
      background: classes that make no segments.
      bridge, shortest: microseconds.
    """

    def __init__(
        self,
        threshold: float,
        background: Collection[int] = (),
        bridge: int = 0,
        shortest: int = 0,
    ):
        self._threshold, self._background = threshold, frozenset(background)
        self._bridge, self._shortest = bridge, shortest
        self._open: list[tuple[Moment, float]] = []
        self._label = -1

    def label(self, moment: Moment) -> int | None:
        """Returns the class of a moment; None: background."""
        if moment.scores is None:
            return None
        best = int(moment.scores.argmax())
        sure = moment.scores[best] >= self._threshold
        return best if sure and best not in self._background else None

    def add(self, moment: Moment) -> list[Segment]:
        """Returns the segments, none or one, that are over now."""
        label = self.label(moment)
        done: list[Segment] = []
        if self._open and label != self._label:
            late = moment.end - self._open[-1][0].end > self._bridge
            if label is not None or late:
                done = self.finish()
        elif self._open and moment.start - self._open[-1][0].end > self._bridge:
            done = self.finish()
        if label is not None:
            assert moment.scores is not None
            self._label = label
            self._open.append((moment, float(moment.scores[label])))
        return done

    def finish(self) -> list[Segment]:
        """Returns the segment, none or one, that the end of the recording ends."""
        if not self._open:
            return []
        first, last = self._open[0][0], self._open[-1][0]
        length = sum(moment.end - moment.start for moment, _ in self._open)
        total = sum((m.end - m.start) * score for m, score in self._open)
        found = Segment(first.start, last.end, self._label, total / length)
        self._open = []
        return [found] if found.end - found.start >= self._shortest else []


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a person says of segments: least score, classes that are none, seconds.

    ``shortest`` is a stride where nothing is said.
    """

    threshold: float = 0.5
    background: Sequence[str] = ()
    shortest: float | None = None

    def segments(self, classes: Sequence[str], stride: int) -> Segments:
        """Returns the rule at work; gaps of one ``stride``, us, are bridged.

        Raises:
          UserError: the background is no class, or the threshold no probability.
        """
        unknown = [name for name in self.background if name not in classes]
        if unknown:
            raise errors.UserError(
                f"--background names {', '.join(unknown)}; the classes are "
                f"{', '.join(map(str, classes))}."
            )
        if not 0 <= self.threshold <= 1:
            raise errors.UserError(
                f"--threshold is {self.threshold:g}; expected a probability, 0 to 1."
            )
        shortest = stride
        if self.shortest is not None:
            shortest = round(self.shortest * SECOND)
        numbers = [list(classes).index(name) for name in self.background]
        return Segments(self.threshold, numbers, stride, shortest)


def agreement(
    found: Sequence[Segment], true: Sequence[Segment]
) -> dict[str, float | None]:
    """Returns how well segments agree with the truth, second by second.

    precision = (time at which the class found is the true one) / (time of all found)
    recall = the same time / (time of all that is true)

    None where the denominator is 0. Segments of either list do not overlap each other.
    """
    right = sum(
        max(0, min(a.end, b.end) - max(a.start, b.start))
        for a in found
        for b in true
        if a.label == b.label
    )
    lengths = [sum(s.end - s.start for s in segments) for segments in (found, true)]
    return {
        name: right / length if length else None
        for name, length in zip(("precision", "recall"), lengths, strict=True)
    }
