"""Video files to JPEG frames: decoded once, with PyAV, at a chosen short side.

Frames keep the aspect in which they are shown (square pixels, upright) and are never
enlarged. All frames are kept, in order of showing.
"""

import dataclasses
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.reformatter import Interpolation, VideoReformatter

from input_pipeline import records
from input_pipeline.formats import container as containers
from input_pipeline.formats import seeking, shown
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.jpegs import Frames, encode_jpeg, quality_of
from input_pipeline.formats.kept import kept
from input_pipeline.formats.levels import Range, Scaling, of_stream
from input_pipeline.formats.palettes import Colours
from input_pipeline.formats.stamps import span
from input_pipeline.streams import STORED, STREAMS, of_kind

# Numbers of the first frame of a part, and of the first one after it.
FrameRange = tuple[int, int]

_FORMATS = {3: "rgb24", 1: "gray"}  # by channels
# Averaging over the area that becomes one pixel does not alias, however strong the
# reduction; the other two flags ask for exact colour where speed would round it.
_FILTER = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
# So many bits of a colour are a sensor's numbers; less, and they mean black to white.
_SENSOR_BITS = 14
# The container's mapping says that its keys are texts; they are these.
_MATRIX: Any = Type.DISPLAYMATRIX
_DISPLAYED = np.eye(2, dtype=int)


@dataclasses.dataclass(frozen=True)
class VideoOptions:
    """How frames are stored.

    ``short_side`` in pixels (larger videos are reduced to it), JPEG ``quality`` from 1
    to 95, ``min_frames`` below which a video is too short. By stream: ``scalings`` of
    what has more than 8 bits; ``frame_sizes``, width and height of files that do not
    say them.
    """

    short_side: int = 256
    quality: int = 90
    min_frames: int = 8
    scalings: Mapping[str, Scaling] = dataclasses.field(default_factory=dict)
    frame_sizes: Mapping[str, tuple[int, int]] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.short_side < 8:
            raise ValueError(f"short_side is {self.short_side}; expected 8 or more.")
        if not 1 <= self.quality <= 95:
            raise ValueError(f"JPEG quality is {self.quality}; expected 1 to 95.")
        if self.min_frames < 1:
            raise ValueError(f"min_frames is {self.min_frames}; expected 1 or more.")


class SizeError(ValueError):
    """A frame size on a command line that cannot be meant; says what is expected."""


def parse_sizes(text: str) -> dict[str, tuple[int, int]]:
    """Read "ir=160x120,rgb=640x480": width and height by stream.

    Raises SizeError if it is of another form, or of no stream of frames.
    """
    videos = of_kind("video", STORED)
    found = {}
    for part in filter(None, map(str.strip, text.split(","))):
        match = re.fullmatch(r"(\w+)=(\d{1,5})x(\d{1,5})", part)
        sizes = (int(match[2]), int(match[3])) if match else (0, 0)
        if match is None or match[1] not in videos or not all(sizes):
            raise SizeError(
                f"The frame size is {part!r}; expected STREAM=WIDTHxHEIGHT with a "
                f"stream of {', '.join(videos)}, for example ir=80x62."
            )
        found[match[1]] = sizes
    return found


def stored_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width after reducing the shorter one to ``short_side``."""
    short = min(height, width)
    if short <= short_side:
        return height, width
    return round(height * short_side / short), round(width * short_side / short)


def read_video(
    path: str | Path, stream: str, options: VideoOptions, part: FrameRange | None = None
) -> records.Video:
    """Decode a file to the JPEG frames of ``stream`` ("ir": one channel).

    A file with several videos gives its first one, "FILE#1" its second. ``part``: only
    the frames from one number to before another. Raises
    UnusableFile if it is missing, empty, undecodable, truncated, short or too long.
    """
    found, frames = Found(), Frames()
    for image in decode(path, stream, options, found, part):
        frames.look(image)
        quality = quality_of(image, options.quality, found.levels is not None)
        frames.add(encode_jpeg(image, quality), image.shape[:2])
    found.colours.say()
    times = span(found.starts, found.last)
    return frames.video(options.min_frames, times=times, levels=found.levels)


@dataclasses.dataclass
class Found:
    """What a file says besides its pictures.

    When the frames start, in seconds, how long the last one lasts, and which values
    became 0 and 255, where there are more than 8 bits; and, of a stream of one channel,
    what colours there are.
    """

    starts: list[float | None] = dataclasses.field(default_factory=list)
    last: float = 0.0
    levels: tuple[float, ...] | None = None
    colours: Colours = dataclasses.field(default_factory=Colours)

    def add(self, frame: Any, origin: float) -> None:
        """Take a frame in; ``origin``: when the file's time starts."""
        known = frame.pts is not None and frame.time_base
        base = float(frame.time_base or 0)
        self.starts.append(frame.pts * base - origin if known else None)
        self.last = float(frame.duration or 0) * base


def decode(
    path: str | Path,
    stream: str,
    options: VideoOptions,
    found: Found | None = None,
    part: FrameRange | None = None,
) -> Iterator[np.ndarray]:
    """Yield the frames of a video file, uint8 [h w 3] ("ir": [h w]).

    Values of more than 8 bits are scaled as the options say, for which the whole file
    (or the ``part`` of it) is decoded twice. ``found`` takes in what there is to know
    of them. Raises UnusableFile as `read_video` does.
    """
    for picture in pictures(path, stream, options, found, part):
        yield picture()


def pictures(
    path: str | Path,
    stream: str,
    options: VideoOptions,
    found: Found | None = None,
    part: FrameRange | None = None,
) -> Iterator[Callable[[], np.ndarray]]:
    """Yield what `decode` does, each to be called for: many may be passed over."""
    path, wanted = containers.split(Path(path))
    if not path.is_file():
        raise UnusableFile("missing", "there is no such file")
    if not path.stat().st_size:
        raise UnusableFile("empty", "the file has no bytes")
    convert = Conversion(stream, options.short_side)
    scaling = of_stream(options.scalings, stream)
    for number, (frame, aspect, origin) in enumerate(_decoded(path, wanted, part)):
        if not number and is_deep(frame.format):
            if part is not None and scaling.of_recording:
                convert.deep = _whole_range(path, wanted, stream, scaling)
            else:
                convert.deep = _range(path, wanted, stream, scaling, part)
            if convert.deep is not None:
                convert.deep.say()
        if found is not None:
            found.add(frame, origin)
            found.levels = convert.deep.levels if convert.deep else None
            if STREAMS[stream].channels == 1 and convert.deep is None:
                found.colours.see(number, frame)
        yield functools.partial(convert, frame, aspect)


def _decoded(
    path: Path, wanted: int | None, part: FrameRange | None = None
) -> Iterator[tuple[Any, float, float]]:
    """The frames of a file, with the aspect of their pixels and the start of time."""
    if part is not None:
        yield from seeking.decoded(path, wanted, *part)
        return
    pts: list[Any] = []
    damage = ""
    try:
        with containers.opened(path) as container:
            video = containers.choose(path, container, wanted)
            aspect = float(video.sample_aspect_ratio or 1)
            origin = containers.origin(container)
            for packet in container.demux(video):
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError as error:
                    # Go on, to tell a file that was cut off from one with a bad spot.
                    damage = damage or f"damaged after {len(pts)} frames ({error})"
                    continue
                for frame in frames:
                    yield frame, aspect, origin
                    pts.append(frame.pts)
            if not pts:
                detail = damage or "not one frame could be decoded"
                raise UnusableFile("undecodable", detail)
            containers.check_whole(path, container, video, pts)
    except (
        av.error.FFmpegError,
        MemoryError,
        LookupError,
        ValueError,
        OverflowError,
    ) as error:
        name = type(error).__name__
        raise UnusableFile(
            "undecodable", f"{name} after {len(pts)} frames: {error}"
        ) from None
    if damage:
        raise UnusableFile("undecodable", damage)


def is_deep(layout: av.VideoFormat) -> bool:
    """Return whether pictures have more than 8 bits that are a sensor's numbers."""
    bits = layout.components[0].bits
    grey = layout.name.startswith(("gray", "ya"))
    return bits >= _SENSOR_BITS or (grey and bits > 8)


def _range(
    path: Path,
    wanted: int | None,
    stream: str,
    scaling: Scaling,
    part: FrameRange | None,
) -> Range | None:
    """The range of values of a whole file; None if they are luma of a colour video."""
    found, colour = Range(scaling), False
    for number, (frame, *_) in enumerate(_decoded(path, wanted, part)):
        if not is_deep(frame.format):
            raise UnusableFile(
                "undecodable", f"frame {number} is {frame.format.name}; others are deep"
            )
        if STREAMS[stream].channels == 3 and _has_chroma(frame):
            return None
        bits = frame.format.components[0].bits
        found.add(_values(frame), bits, f"frame {number}")
        colour = frame.format.is_rgb
    if colour:
        found.colour()
    return found


@kept(4)
def _whole_range(
    path: Path, wanted: int | None, stream: str, scaling: Scaling
) -> Range | None:
    """Of a recording of which there are parts: found out once."""
    return _range(path, wanted, stream, scaling, None)


def _has_chroma(frame: av.VideoFrame) -> bool:
    """Whether a frame has planes of colour differences, and in them any colour."""
    if frame.format.is_rgb or len(frame.planes) < 3:
        return False
    bits = frame.format.components[0].bits
    order = ">u2" if frame.format.is_big_endian else "<u2"
    for plane in frame.planes[1:3]:
        values = np.frombuffer(bytes(plane), order)
        values = values.reshape(-1, plane.line_size // 2)[:, : plane.width]
        if np.ptp(values.astype(np.int64)) > 2 ** (bits - 8):
            return True
    return False


def _values(frame: av.VideoFrame) -> np.ndarray:
    """The numbers of a deep frame: its colours [h w 3], else its first plane [h w].

    Not by way of FFmpeg's conversions: they would cut off what is below "black".
    """
    if frame.format.is_rgb:
        return frame.reformat(format="rgb48le").to_ndarray()
    layout, plane = frame.format, frame.planes[0]
    kind = "f" if "f32" in layout.name else "u"
    order = ">" if layout.is_big_endian else "<"
    width = 4 if kind == "f" else 2
    lines = np.frombuffer(bytes(plane), f"{order}{kind}{width}")
    lines = lines.reshape(-1, plane.line_size // width)
    step = 2 if layout.name.startswith("ya") else 1  # alpha stands between
    return lines[: frame.height, : frame.width * step : step]


class Conversion:
    """Frames of one clip to uint8 pictures as they are shown."""

    def __init__(self, stream: str, short_side: int):
        self._channels = STREAMS[stream].channels
        self._short_side = short_side
        # One for the whole clip: setting up the filter costs as much as its use.
        self._scaler = VideoReformatter()
        self.deep: Range | None = None
        self._matrix = b"", _DISPLAYED

    def __call__(self, frame: av.VideoFrame, aspect: float) -> np.ndarray:
        """Return uint8 [h w 3] ("ir": [h w])."""
        # Pixels shown wider than high are made square by widening the image.
        wide = max(1, round(frame.width * aspect))
        height, width = stored_size(frame.height, wide, self._short_side)
        if self.deep is None:
            image = self._scaler.reformat(
                frame,
                width,
                height,
                format=_FORMATS[self._channels],
                interpolation=_FILTER,
            ).to_ndarray()
        else:
            image = self._scaled(frame, height, width)
        turn = self._turn(frame)
        return image if (turn == _DISPLAYED).all() else shown.turn(image, turn)

    def _scaled(self, frame: av.VideoFrame, height: int, width: int) -> np.ndarray:
        if not is_deep(frame.format) or self.deep is None:
            raise UnusableFile("undecodable", f"a frame is {frame.format.name}")
        values = _values(frame)
        if values.ndim == 3 and self._channels == 1:
            values = values @ np.array([0.299, 0.587, 0.114], np.float32)
        image = self.deep.scaled(values, height, width)
        if image.ndim == 2 and self._channels == 3:
            return np.repeat(image[..., None], 3, -1)
        return image

    def _turn(self, frame: av.VideoFrame) -> np.ndarray:
        """How a phone was held, or a player is to mirror it."""
        # A frame that is asked for its side_data refers to itself from then on, and
        # stays in memory; so it is asked from outside.
        data: Any = SideDataContainer(frame).get(_MATRIX)  # type: ignore[call-arg]
        if data is None:
            return _DISPLAYED
        if bytes(data) != self._matrix[0]:
            self._matrix = bytes(data), shown.upright(shown.matrix_of(bytes(data)))
        return self._matrix[1]
