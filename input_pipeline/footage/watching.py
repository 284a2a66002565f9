"""Footage as a person gives it: opened, cut into windows, sampled as clips are."""

import dataclasses
import os
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from input_pipeline import readers, records
from input_pipeline.config import DataConfig
from input_pipeline.footage import SECOND, FootageError, choose, windows
from input_pipeline.footage.files import File
from input_pipeline.footage.live import Live, shown
from input_pipeline.footage.windows import Look, Window
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.jpegs import encode_jpeg
from input_pipeline.formats.series import is_series
from input_pipeline.formats.video import VideoOptions
from input_pipeline.own_clip import Facts, RecordSampler
from input_pipeline.recordings import Clock, Part
from input_pipeline.streams import STREAMS

# A file that is this many times as long as the longest clip is no clip.
_LONG = 2.0
# What browsers play, by the end of its name; the page shows stills where one does not.
_PLAYED = (".mp4", ".m4v", ".webm", ".mov", ".ogv")


@dataclasses.dataclass(frozen=True)
class Wish:
    """What a person says of how footage is to be looked at; all in seconds.

    Attributes:
      window: how long one is; None: as the clips that the model was trained on.
      stride: from the start of one to the next; None: half a window.
      seconds: when to end; None: with the footage.
      timeout: without a picture, after which a live stream is silent.
      part: which part of the files is meant, and how their clocks run.
    """

    window: float | None = None
    stride: float | None = None
    seconds: float | None = None
    timeout: float = 2.0
    part: Part | None = None

    def __post_init__(self) -> None:
        for name in ("seconds", "timeout"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1e9:
                raise FootageError(
                    f"--{name} is {value:g}; expected seconds, more than 0."
                )
        if self.part is not None and self.part.counted is not None:
            raise FootageError(
                "start_frame and end_frame name a clip; windows go by time. Give start "
                "and end, in seconds, or neither."
            )

    def clock(self, stream: str) -> Clock:
        """Returns how a stream's clock runs."""
        return Clock() if self.part is None else self.part.clock(stream)

    @property
    def span(self) -> tuple[float | None, float | None]:
        """From when to when the part lasts, s; None: where the files begin or end."""
        return (None, None) if self.part is None else (self.part.start, self.part.end)


def is_long(
    paths: Mapping[str, str], data: DataConfig, facts: Facts, wish: Wish
) -> bool:
    """Returns whether files are to be looked at in windows and not as one clip.

    They are if windows are asked for, or one is longer than twice the longest clip of
    the data set, and no part of them is named. Prints a note where nobody can say.

    Raises:
      FootageError: a file is so long, and one of them cannot be looked at in windows.
    """
    asked = (wish.window, wish.stride, wish.seconds) != (None, None, None)
    if asked or choose.live(paths):
        return True
    if wish.span != (None, None):
        return False
    whole = [stream for stream, path in paths.items() if read_whole(stream, path)]
    if whole:
        for stream, path in paths.items():
            _refuse_long(stream, path, facts.clip_frames(data, stream)[1], whole)
        return False
    for stream, path in paths.items():
        try:
            file = File(path, stream, facts.video)
        except FootageError:
            return False  # who reads it as a clip says what is wrong
        _, most = facts.clip_frames(data, stream)
        if most and file.seconds * file.rate > _LONG * most:
            print(
                f"{path} is {file.seconds:.1f} s long, more than twice the longest "
                "clip of the data set: it is looked at in windows."
            )
            return True
        if not most and file.seconds > 60:
            print(
                f"Note: {path} is {file.seconds:.0f} s long and is taken as one clip. "
                "Give --window SECONDS to look at it in windows."
            )
    return False


def read_whole(stream: str, path: str) -> bool:
    """Returns whether a file is read as one clip alone: what is no video."""
    return STREAMS[stream].reader != "images" or is_series(Path(path))


def _refuse_long(stream: str, path: str, most: float, whole: Sequence[str]) -> None:
    """Refuses a file that is much longer than any clip but cannot be cut by time."""
    try:
        count, _ = getattr(readers, f"{STREAMS[stream].reader}_times")(Path(path))
    except (UnusableFile, OSError):
        return  # who reads it as a clip says what is wrong
    if most and count > _LONG * most:
        rates = ",".join(f"{other}_rate=30" for other in whole)
        raise FootageError(
            f"{path} has {count} frames, more than twice as many as the longest clip "
            f"of the data set ({most:.0f}). Long recordings are looked at in windows "
            f"where all streams are videos; {' and '.join(whole)} is read as a clip. "
            f"Say which part is the clip: --part {rates},start=10,end=12.5, in seconds."
        )


class Footage:
    """Long files or live streams of one moment; a context that ends their threads.

    Args:
      paths: a file, a camera or an address, by stored stream.
      data: how clips are sampled in evaluation.
      inputs: the model's streams.
      facts: of the data set that the model was trained on.
      wish: how they are to be looked at.

    Attributes:
      look: the windows.
      live: whether the streams are.
      about: what they are, in words, by name.
      told: how they are looked at, in a sentence or two.

    Raises:
      FootageError: it cannot be opened, or cannot be looked at so.
    """

    def __init__(
        self,
        paths: Mapping[str, str],
        data: DataConfig,
        inputs: Mapping[str, Any],
        facts: Facts,
        wish: Wish,
    ):
        self.live, self._wish, self._video = choose.live(paths), wish, facts.video
        Look.of(data, inputs, 1.0, 1.0)  # refuses streams that have no footage
        rates = any(wish.clock(stream).rate for stream in paths)
        if self.live and (rates or wish.span != (None, None)):
            raise FootageError(
                "A live stream has neither start nor end nor a rate that is given; of "
                "--part it takes STREAM_offset alone. When to end is --seconds."
            )
        self._sample = RecordSampler(windows.sampled_whole(data), inputs)
        self._files: dict[str, File] = {}
        self._lives: dict[str, Live] = {}
        self._origin = 0
        try:
            rate = self._open(paths)
            stream = next(iter(paths))
            frames, _ = facts.clip_frames(data, stream)
            if wish.window is None and not (frames and rate):
                raise FootageError(
                    f"How long a window is to be is not known: the data set "
                    f"{data.name!r} is not here, or does not say how many frames its "
                    f"clips have, or {paths[stream]} its rate. Give --window SECONDS, "
                    "as long as the clips that the model was trained on."
                )
            length = frames / rate if wish.window is None else wish.window
            stride = length / 2 if wish.stride is None else wish.stride
            sampled = windows.sampled_whole(data)
            self.look = Look.of(sampled, inputs, length, stride)
            self.about = {stream: shown(path) for stream, path in paths.items()}
            if self.live:
                self.about["begun"] = time.strftime("%Y-%m-%d %H:%M:%S")
            self.about |= {"window": f"{length:.2f} s", "stride": f"{stride:.2f} s"}
            self.told = _told(self.look, self.live, wish.timeout)
        except BaseException:
            self.close()
            raise

    def _open(self, paths: Mapping[str, str]) -> float:
        """Opens the sources; returns the rate of the first."""
        for stream, path in paths.items():
            own = self._wish.clock(stream)
            if self.live:
                timeout = self._wish.timeout
                live = Live(path, stream, self._video.short_side, own.offset, timeout)
                self._lives[stream] = live
                live.start()
            else:
                self._files[stream] = File(path, stream, self._video, own)
        for live in self._lives.values():
            live.wait()
        rates = {s: source.rate for s, source in self._lives.items()}
        rates |= {s: source.rate for s, source in self._files.items()}
        return rates[next(iter(paths))]

    def __enter__(self) -> "Footage":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the threads of live streams."""
        for live in self._lives.values():
            live.stop()

    def link(self, folder: Path) -> tuple[str, float]:
        """Returns a link from a page in ``folder`` to a video that browsers play.

        "" if there is none; and how far the footage's clock is ahead of its own, s.
        """
        for stream, file in self._files.items():
            if file.path.suffix.lower() in _PLAYED:
                path = os.path.relpath(file.path, folder)
                return urllib.parse.quote(path), self._wish.clock(stream).offset
        return "", 0.0

    def now(self) -> int | None:
        """Returns the time since live windows began, us; None of files."""
        for live in self._lives.values():
            return live.now() - self._origin
        return None

    def batches(
        self,
        stop: Callable[[], Any],
        tell: Callable[[int, str, str], None],
        most: int,
    ) -> Iterator[list[Window]]:
        """Yields windows, up to ``most`` at once; see `windows.of_live`."""
        until = self._wish.seconds
        if self._lives:
            origin = self._origin = next(iter(self._lives.values())).now()
            live = self._lives, self.look, origin
            yield from windows.of_live(*live, stop, tell, most, until)
            return
        batch: list[Window] = []
        for window in windows.of_files(self._files, self.look, until, self._wish.span):
            batch.append(window)
            if len(batch) == most or stop():
                yield batch
                batch = []
            if stop():
                return
        if batch:
            yield batch

    def clip(self, record: records.Record) -> dict[str, np.ndarray]:
        """Returns a window's record as evaluation would show the model a clip."""
        return self._sample(record)

    def example(self) -> dict[str, np.ndarray]:
        """Returns a black clip, with which programs are made before any is needed."""
        record = records.Record("black", 0)
        for stream in self.look.moments:
            shape = (64, 64, 3) if STREAMS[stream].channels == 3 else (64, 64)
            jpeg = encode_jpeg(np.zeros(shape, np.uint8), VideoOptions.quality)
            record.streams[stream] = records.Video([jpeg], 64, 64)
        return self.clip(record)


def _told(look: Look, live: bool, timeout: float) -> str:
    frames = max(len(moments) for moments in look.moments.values())
    length, stride = look.length / SECOND, look.stride / SECOND
    text = (
        f"Windows of {length:.2f} s ({frames} frames a stream, one every "
        f"{length / frames:.3f} s), a new one every {stride:.2f} s; of each moment the "
        "mean of the windows that cover it."
    )
    if live:
        text += (
            f" What happens is told at most {length + stride:.2f} s later, window and "
            "stride, and what computing and the network take; where a stream has just "
            f"stalled, up to {timeout:g} s more."
        )
    return text
