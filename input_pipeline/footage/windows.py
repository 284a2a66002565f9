"""Windows of all streams, aligned by time: what a model is asked about, as records."""

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from input_pipeline import records, sampling
from input_pipeline.config import DataConfig
from input_pipeline.footage import SECOND, FootageError, Frame
from input_pipeline.footage.files import File
from input_pipeline.footage.live import Live
from input_pipeline.footage.tracks import Track
from input_pipeline.streams import STREAMS

# How often live streams are asked whether a window is there, seconds.
_PAUSE = 0.01


@dataclasses.dataclass(frozen=True)
class Window:
    """From when to when, us; the clip; which streams show nothing in it.

    ``record`` is None if the model cannot be asked about it.
    """

    start: int
    end: int
    record: records.Record | None
    missing: tuple[str, ...]

    @property
    def middle(self) -> bytes | None:
        """The JPEG picture in the middle of its first stream, if there is one."""
        videos = self.record.streams.values() if self.record is not None else ()
        for video in videos:
            if isinstance(video, records.Video):
                return bytes(video.frames[len(video.frames) // 2])
        return None


@dataclasses.dataclass(frozen=True)
class Look:
    """How footage is looked at.

    Attributes:
      length, stride: of the windows, us.
      moments: stored stream -> when a window is looked at, us from its start, sorted.
      whole: streams of which neighbours of a frame are looked at as well.
      some: whether the model can do without some of the streams.
    """

    length: int
    stride: int
    moments: Mapping[str, np.ndarray]
    whole: tuple[str, ...] = ()
    some: bool = False

    @classmethod
    def of(
        cls, data: DataConfig, inputs: Mapping[str, Any], length: float, stride: float
    ) -> "Look":
        """Returns how a model looks at windows of ``length`` seconds.

        Args:
          data: how clips are sampled in evaluation.
          inputs: the model's streams.
          length, stride: seconds.

        Raises:
          FootageError: the windows do not cover all of the time, or the model reads
            streams that have no footage.
        """
        if not 1e-3 <= stride <= length <= 1e6:
            raise FootageError(
                f"The stride is {stride:g} s and a window lasts {length:g} s; the "
                "stride must be more than 0 and no longer than a window, or some "
                "moments would be looked at by none. Change --stride or --window."
            )
        whole, step = round(length * SECOND), round(stride * SECOND)
        moments: dict[str, list[int]] = {}
        neighbours = set()
        for name, spec in inputs.items():
            about = STREAMS[name]
            if about.reader != "images" and not about.made_from:
                raise FootageError(
                    f"The model reads {name!r} ({about.about}), which is read from "
                    "whole files alone: it is asked about clips, not about long files "
                    "or cameras."
                )
            segments = spec.shape[0]
            ticks = sampling.view_ticks(segments, data.eval_views_time)
            found = ticks * whole // (segments * sampling.TICKS)
            moments.setdefault(about.stored, []).extend(found.ravel().tolist())
            if about.made_from:
                neighbours.add(about.stored)
        every = {stream: np.unique(values) for stream, values in moments.items()}
        return cls(whole, step, every, tuple(neighbours), data.allow_missing)

    def wanted(self, stream: str, origin: int) -> Callable[[int, int], bool]:
        """Returns whether a frame shown from then to then is looked at; see `Track`."""
        if stream in self.whole:
            return lambda begin, end: True
        stride = self.stride
        phases = np.unique(self.moments[stream] % stride)
        phases = np.concatenate([phases, phases + stride])

        def looked_at(begin: int, end: int) -> bool:
            first = (begin - origin) % stride
            inside = (phases >= first) & (phases < first + end - begin)
            return end - begin >= stride or bool(inside.any())

        return looked_at

    def window(
        self,
        tracks: Mapping[str, Track],
        start: int,
        end: int | None = None,
        stale: int | None = None,
    ) -> Window:
        """Returns the window that starts there; one that ends earlier is shorter."""
        length = self.length if end is None else end - start
        record, missing = records.Record("window", 0), []
        for stream, track in tracks.items():
            inside = self.moments[stream] * length // self.length
            moments = (start + inside).tolist()
            video = track.cut(start, start + length, moments, stale)
            if video is None:
                missing.append(stream)
            else:
                record.streams[stream] = video
        missing += [stream for stream in self.moments if stream not in tracks]
        fits = record.streams and (self.some or not missing)
        found = record if fits else None
        return Window(start, start + length, found, tuple(missing))


def sampled_whole(data: DataConfig) -> DataConfig:
    """Returns how windows are sampled: each is a clip, of which all is seen.

    What the config says of a part of a clip, ``data.window``, is said by the window.
    """
    if not data.window:
        return data
    return dataclasses.replace(data, window=0, eval_views_time=1, eval_views_at_once=0)


def of_files(
    files: Mapping[str, File],
    look: Look,
    until: float | None = None,
    span: tuple[float | None, float | None] = (None, None),
) -> Iterator[Window]:
    """Yields the windows of files, in memory that does not depend on their length.

    The first starts where all streams have begun (any, where some will do), the last
    one ends with the first (last) stream; it may be shorter than the others, and is
    left out if it is shorter than half a window.

    Args:
      files: by stored stream.
      look: how they are looked at.
      until: seconds of footage that are enough; None: all of it.
      span: from when to when windows are wanted, seconds of the recording's clock.

    Raises:
      FootageError: a file is damaged, or the streams share no time.
    """
    readers = {stream: _Reader(file, Track()) for stream, file in files.items()}
    firsts = [reader.first.start for reader in readers.values()]
    origin = min(firsts) if look.some else max(firsts)
    origin = max(origin, round((span[0] or 0) * SECOND))
    tracks = {stream: reader.track for stream, reader in readers.items()}
    for stream, reader in readers.items():
        # Where a file may end, the last window may be shorter: it looks elsewhere.
        promised = reader.first.start + round(files[stream].seconds * SECOND)
        reader.begin(look.wanted(stream, origin), promised - look.length - look.stride)
    ends = [] if until is None else [origin + round(until * SECOND)]
    ends += [] if span[1] is None else [round(span[1] * SECOND)]
    latest = min(ends, default=None)
    start = origin
    while True:
        end = start + look.length
        for reader in readers.values():
            reader.read_to(start, end)
        ends = [file.end for file in files.values() if file.end is not None]
        over = len(ends) == len(files) if look.some else bool(ends)
        stop = (max if look.some else min)(ends) if over else end
        stop = stop if latest is None else min(stop, latest)
        if start == origin and stop <= start:
            raise _apart(files, readers)
        if stop < end:
            # Half a frame is no window: clips are seldom whole numbers of strides.
            if start == origin or 2 * (stop - start) >= look.length:
                yield look.window(tracks, start, stop)
            return
        yield look.window(tracks, start)
        start += look.stride


class _Reader:
    """A file that is read as far as a window needs it."""

    def __init__(self, file: File, track: Track):
        self.file, self.track = file, track
        self._frames = file.frames()
        self.first = next(self._frames)
        track.add(self.first)

    def begin(self, wanted: Callable[[int, int], bool], whole_from: int) -> None:
        self.track.wanted = lambda begin, end: end > whole_from or wanted(begin, end)

    def read_to(self, start: int, end: int) -> None:
        while self.file.end is None and (self.track.reached or 0) < end:
            frame: Frame | None = next(self._frames, None)
            if frame is not None:
                self.track.add(frame)
                self.track.forget(start)
        self.track.end = self.file.end


def _apart(files: Mapping[str, File], readers: Mapping[str, _Reader]) -> FootageError:
    parts = []
    for stream, reader in readers.items():
        end = files[stream].end
        last = f"{end / SECOND:.2f} s" if end else "later"
        parts.append(f"{stream} from {reader.first.start / SECOND:.2f} s to {last}")
    return FootageError(
        f"The streams share no time: {'; '.join(parts)}. If they show the same "
        "moments, their clocks differ: say by how many seconds with --part "
        "STREAM_offset=SECONDS, which are added to a stream's own times."
    )


def of_live(
    lives: Mapping[str, Live],
    look: Look,
    origin: int,
    stop: Callable[[], Any],
    tell: Callable[[int, str, str], None],
    most: int = 1,
    until: float | None = None,
) -> Iterator[list[Window]]:
    """Yields the windows of live streams as they end, several where they wait.

    A stream that is silent is not waited for: windows show the others.

    Args:
      lives: by stored stream, started, each with frames.
      look: how they are looked at.
      origin: when the first window starts, us of the streams' time; the windows' and
        what is told count from there.
      stop: asked again and again whether to end.
      tell: called with time, stream ("" of all) and text, of what happens.
      most: how many windows are yielded at once.
      until: seconds after which to end; None: not before ``stop``.
    """
    tracks = {stream: live.track for stream, live in lives.items()}
    now = next(iter(lives.values())).now
    start = origin
    behind = 2 * look.length + (most + 2) * look.stride
    for stream, track in tracks.items():
        track.wanted = look.wanted(stream, origin)
        track.longest = behind + look.length
    while not stop():
        if until is not None and now() - origin >= until * SECOND:
            return
        ready: list[Window] = []
        for stream, live in lives.items():
            for text in live.news():
                tell(now() - origin, stream, text + _what_follows(lives, look, live))
        while len(ready) < most and _ready(lives, start + look.length):
            stale = max(live.timeout for live in lives.values())
            found = look.window(tracks, start, stale=stale)
            begin, end = start - origin, found.end - origin
            ready.append(dataclasses.replace(found, start=begin, end=end))
            start += look.stride
        for track in tracks.values():
            track.forget(start)
        if ready:
            yield ready
        elif all(live.over for live in lives.values()):
            return
        else:
            time.sleep(_PAUSE)
        late = now() - (start + look.length)
        if late > behind:
            lost = late // look.stride
            start += lost * look.stride
            text = (
                f"{lost} windows were left out: the computer takes longer over a "
                "window than the stride. Make --stride longer"
            )
            tell(start - origin, "", text)


def _ready(lives: Mapping[str, Live], end: int) -> bool:
    """Whether a window that ends then can be looked at."""
    return all(
        live.now() >= end and (live.silent or (live.track.reached or 0) >= end)
        for live in lives.values()
    )


def _what_follows(lives: Mapping[str, Live], look: Look, live: Live) -> str:
    if not live.silent:
        return ""
    if not look.some:
        return (
            "; nothing is predicted meanwhile, for the model reads all of its streams. "
            "With --config.data.allow_missing one that knows missing streams goes on"
        )
    others = [stream for stream, other in lives.items() if not other.silent]
    return f"; {' and '.join(others) or 'nothing'} is looked at meanwhile"
