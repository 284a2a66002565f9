"""How much moves in a stream, frame after frame, over its own time.

Of pictures the mean absolute difference of small grey ones, of skeletons the mean way
of the joints: what cameras of different kinds have in common is when something happens.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from input_pipeline import readers
from input_pipeline.formats import frames, series
from input_pipeline.formats.levels import Scaling
from input_pipeline.formats.series import is_series
from input_pipeline.formats.skeleton import read_skeleton
from input_pipeline.formats.video import VideoOptions, decode
from input_pipeline.recordings import Clock, times
from input_pipeline.streams import STREAMS

SIDE = 32  # pixels of the shorter side of the pictures that are compared
# They are read as a stream of one channel of 8 bits.
GREY = next(
    name for name, x in STREAMS.items() if (x.channels, x.dtype) == (1, "uint8")
)


class NoMotion(ValueError):
    """Streams whose motion cannot be told, or is too short to be compared."""


@dataclasses.dataclass(frozen=True)
class Motion:
    """``times`` float64 [t] s of the stream's own clock; ``amount`` [t - 1] between."""

    times: np.ndarray
    amount: np.ndarray

    @property
    def interval(self) -> float:
        """Seconds from frame to frame, mostly."""
        return float(np.median(np.diff(self.times)))

    def curve(self, moments: np.ndarray, width: float) -> np.ndarray:
        """Return the motion a second around moments, as the mean over ``width`` s."""
        total = np.concatenate([[0.0], np.cumsum(self.amount)])
        ends = np.interp([moments - width / 2, moments + width / 2], self.times, total)
        return (ends[1] - ends[0]) / width


def of_file(
    path: Path, stream: str, rate: float = 0.0, size: tuple[int, int] | None = None
) -> Motion:
    """Return the motion in a whole file; ``rate`` as in `recordings.Clock`.

    ``size``: width and height of frames, of files that do not say them. Raises
    UnusableFile if it cannot be read or nobody says when its frames were taken,
    NoMotion if there is no saying what moves.
    """
    if STREAMS[stream].kind == "joints":
        amount = _of_joints(path)
    elif STREAMS[stream].codec == "jpeg":
        amount = _of_pictures(path, size)
    else:
        raise NoMotion(f"motion is not read from {stream}; take rgb, ir or skeleton")
    # In whole microseconds, as parts are cut.
    starts = times(path, stream, Clock(rate=rate), size)[:-1] / 1e6
    if len(starts) != len(amount) + 1:
        raise NoMotion(
            f"{len(amount) + 1} frames of {path} decoded, but it says when "
            f"{len(starts)} are shown; write it anew (ffmpeg -i FILE NEW.mkv)"
        )
    return Motion(starts, amount)


def _pictures(path: Path, size: tuple[int, int] | None) -> Iterator[np.ndarray]:
    """The frames of a video file or folder, small and grey, uint8 [h w]."""
    # Single pixels that are odd do not count.
    options = VideoOptions(
        short_side=SIDE,
        scalings={GREY: Scaling("recording", 1, 99)},
        frame_sizes={GREY: size} if size else {},
    )
    if is_series(path):
        return series.pictures(path, GREY, options)
    if path.is_dir():
        return frames.pictures(path, GREY, options)
    return decode(path, GREY, options)


def _of_pictures(path: Path, size: tuple[int, int] | None) -> np.ndarray:
    found: list[float] = []
    before: np.ndarray | None = None
    for picture in _pictures(path, size):
        here = picture.astype(np.float32)
        if before is not None:
            found.append(float(np.abs(here - before).mean()))
        before = here
    return np.array(found)


def _of_joints(path: Path) -> np.ndarray:
    count = readers.skeleton_times(path)[0]
    skeleton = read_skeleton(path, part=(0, count))
    ways = np.linalg.norm(np.diff(skeleton.points, axis=1), axis=-1)  # [m t-1 v]
    seen = skeleton.tracked[:, 1:] & skeleton.tracked[:, :-1]
    # A mean of the joints seen, so that who comes and goes is no motion.
    return (ways * seen).sum((0, 2)) / np.maximum(seen.sum((0, 2)), 1)
