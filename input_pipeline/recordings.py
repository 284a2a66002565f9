"""Parts of recordings: which frames of each stream lie in a span of one clock.

A stream's own clock is what its file says: the time stamps of a video file, those in
the names of a folder's pictures, else a frame's number over a rate that is given. The
recording's clock is the stream's plus its offset: with an ``ir`` offset of 2.7 what the
infrared camera took at its second 10 happened at second 12.7 of the recording, since it
was started 2.7 s later. A frame that begins at t is in a part when start <= t < end.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from input_pipeline import clock, readers, records
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.streams import STREAMS

_US = 1e6  # all times are whole microseconds, as records keep them


@dataclasses.dataclass(frozen=True)
class Clock:
    """How a stream's clock runs: ``offset`` in seconds, ``rate`` 0 as its file says."""

    offset: float = 0.0
    rate: float = 0.0


@dataclasses.dataclass(frozen=True)
class Part:
    """The part of a recording that is a clip, and how its streams' clocks run.

    ``start`` and ``end``: seconds of the recording's clock, None where it begins or
    ends; or frames, from 0, of the stream and file that ``counted`` names.
    """

    start: float | None = None
    end: float | None = None
    clocks: Mapping[str, Clock] = dataclasses.field(default_factory=dict)
    counted: tuple[str, Path] | None = None

    def clock(self, stream: str) -> Clock:
        """Return how a stream's clock runs."""
        return self.clocks.get(stream, Clock())


def times(
    path: Path, stream: str, clock: Clock, size: tuple[int, int] | None = None
) -> np.ndarray:
    """Return when each frame begins and the last one ends, int64 [t + 1].

    In microseconds of the recording's clock. ``size``: width and height of frames, of
    files that do not say them. Raises UnusableFile if the file cannot be read, or
    nobody says when its frames were taken.
    """
    count, own = getattr(readers, f"{STREAMS[stream].reader}_times")(path, size)
    if clock.rate:
        own = np.round(np.arange(count + 1) * (_US / clock.rate)).astype(np.int64)
    elif own is None:
        raise UnusableFile(
            "undecodable",
            f"it does not say when its {count} frames were taken; give their number "
            f"per second in the column {stream}_rate",
        )
    return own + round(clock.offset * _US)


def bounds(
    part: Part,
    of_streams: Mapping[str, np.ndarray],
    sizes: Mapping[str, tuple[int, int]] | None = None,
) -> tuple[int, int]:
    """Return from when to when a part lasts, us of the recording's clock.

    An end that is not given is that of the time that all streams share. ``sizes``: of
    frames, by stream, see `times`. Raises UnusableFile if there is none, or frames are
    named that are not there.
    """
    first = max(int(of_frames[0]) for of_frames in of_streams.values())
    last = min(int(of_frames[-1]) for of_frames in of_streams.values())
    start = first if part.start is None else _moment(part, part.start, sizes or {})
    end = last if part.end is None else _moment(part, part.end, sizes or {})
    if end <= start:
        each = ", ".join(
            f"{stream} {of_frames[0] / _US:.3f} to {of_frames[-1] / _US:.3f} s"
            for stream, of_frames in of_streams.items()
        )
        raise UnusableFile(
            "outside",
            f"the part would last from {start / _US:.3f} to {end / _US:.3f} s of the "
            f"recording's clock, by which the streams last: {each}; see to its start "
            "and end, and to the offsets",
        )
    return start, end


def _moment(part: Part, end: float, sizes: Mapping[str, tuple[int, int]]) -> int:
    """One end of a part, in us of the recording's clock."""
    if part.counted is None:
        return round(end * _US)
    stream, path = part.counted
    of_frames = times(path, stream, part.clock(stream), sizes.get(stream))
    beyond = int(end) - len(of_frames) + 1
    if beyond > 0:
        raise UnusableFile(
            "outside",
            f"the part reaches to frame {end:.0f}, which is {beyond} more than "
            f"{path.name} has ({len(of_frames) - 1})",
        )
    return int(of_frames[int(end)])


def inside(of_frames: np.ndarray, stream: str, start: int, end: int) -> tuple[int, int]:
    """Return the first frame of a part, and the first one after it.

    Raises UnusableFile if the part begins before the stream does or ends after it, by
    more than a frame, or if no frame is in it.
    """
    slack = int(np.median(np.diff(of_frames)))
    begins, ends = int(of_frames[0]), int(of_frames[-1])
    part = f"the part from {start / _US:.3f} to {end / _US:.3f} s"
    for beyond, where, which in (
        (end - ends, f"ends {(end - ends) / _US:.3f} s after {stream}", ends),
        (
            begins - start,
            f"begins {(begins - start) / _US:.3f} s before {stream}",
            begins,
        ),
    ):
        if beyond > slack:
            verb = where.split()[0].removesuffix("s")
            raise UnusableFile(
                "outside",
                f"{part} {where} does, which {verb}s at {which / _US:.3f} s of the "
                "recording's clock; shorten it, or leave this stream's cell empty",
            )
    first, after = np.searchsorted(of_frames[:-1], (start, end)).tolist()
    if first == after:
        raise UnusableFile("too short", f"{part} holds no frame of {stream}")
    return first, after


def give_times(
    record: records.Record, of_streams: Mapping[str, np.ndarray], start: int, end: int
) -> None:
    """Give the streams of a part the times of their frames in it.

    One stream alone of an even rate needs none: its frames are sampled by numbers.
    """
    several = len(record.streams) > 1
    for name, stream in record.streams.items():
        first, after = inside(of_streams[name], name, start, end)
        own = np.append(of_streams[name][first:after] - start, end - start)
        stream.times = own if several or clock.uneven(own) else None
