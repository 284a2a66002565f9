"""A timeline that grows: windows' scores in, files and printed segments out."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxact.report.timeline import SECOND
from jaxact.report.timeline.files import TimelineFiles
from jaxact.report.timeline.merging import Merger
from jaxact.report.timeline.page import short
from jaxact.report.timeline.segments import Rule, Segment, Segments


@contextlib.contextmanager
def timeline(
    folder: Path,
    classes: Sequence[str],
    facts: Mapping[str, Any],
    stride: int,
    rule: Rule,
    video: str = "",
    offset: float = 0.0,
    say: Callable[[str], None] = print,
) -> Iterator["Running"]:
    """Yields a timeline whose files are whole at the end, and says where they are.

    Args:
      folder, classes, facts, video, offset: see `TimelineFiles`.
      stride: of the windows, us.
      rule: what is a segment.
      say: prints a line.
    """
    segments = rule.segments(classes, stride)
    about = dict(facts) | {"threshold": f"{rule.threshold:g}"}
    with TimelineFiles(folder, classes, about, video, offset) as files:
        line = Running(files, Merger(stride), segments, say)
        try:
            yield line
        finally:
            line.finish()
    told = f"; told after it began: {line.delay()}" if line.delay() else ""
    left = f" ({line.left_out} more could not be predicted)" if line.left_out else ""
    length = short(line.until - line.begun)
    say(f"{length}: {files.segments} segments of {line.asked} windows{left}{told}.")
    say(f"Timeline: {folder / 'timeline.html'}")


class Running:
    """Merges windows, joins moments to segments, writes and prints them.

    Args:
      files: open for writing.
      merger, segments: see there.
      say: prints a line.

    Attributes:
      asked, left_out: windows that were predicted, and that could not be.
      begun, until: where the first moment begins and the last one ends, us.
    """

    def __init__(
        self,
        files: TimelineFiles,
        merger: Merger,
        segments: Segments,
        say: Callable[[str], None] = print,
    ):
        self._files, self._merger, self._segments = files, merger, segments
        self._say = say
        self.asked = self.left_out = self.begun = self.until = 0
        self._delays = [0, 0, 0]  # how many, their sum, the longest

    def add(
        self, start: int, end: int, scores: np.ndarray | None, now: int | None = None
    ) -> None:
        """Takes a window in, see `Merger.add`; ``now``: of a live one, us."""
        if not self.asked + self.left_out:
            self.begun = start
        self.asked += scores is not None
        self.left_out += scores is None
        self._take(self._merger.add(start, end, scores), now)

    def still(self, at: int, jpeg: bytes | None) -> None:
        """Takes a picture for the page, if one is due and there is one."""
        if jpeg is not None:
            self._files.stills.add(at, jpeg)

    def event(self, at: int, stream: str, text: str) -> None:
        """Writes and prints what happened."""
        self._files.event(at, stream, text)
        self._say(f"{short(at):>9}  {stream or 'all streams'} {text}")

    def finish(self) -> None:
        """Says what the last windows still tell."""
        self._take(self._merger.finish(), None)
        self._tell(self._segments.finish())

    def delay(self) -> str:
        """Returns how long after its beginning a live moment was told; "" of files."""
        count, total, longest = self._delays
        if not count:
            return ""
        mean = total / count / SECOND
        return f"mean {mean:.2f} s, longest {longest / SECOND:.2f} s"

    def _take(self, moments: list, now: int | None) -> None:
        for moment in moments:
            self._files.moment(moment)
            self._tell(self._segments.add(moment))
            self.until = moment.end
            if now is not None and moment.scores is not None:
                delay = now - moment.start
                count, total, longest = self._delays
                self._delays = [count + 1, total + delay, max(longest, delay)]

    def _tell(self, segments: list[Segment]) -> None:
        for segment in segments:
            self._files.segment(segment)
            name = self._files.classes[segment.label]
            times = f"{short(segment.start):>9} to {short(segment.end):>9}"
            self._say(f"{times}  {segment.score:4.0%}  {name}")
