"""Files of values: arrays, temperature tables, raw 16-bit video, pages of a TIFF.

- ``.npy``: [t h w], [t h w 1], [t h w 3], or [t n]: a row a frame (see `tables`).
- ``.csv``, ``.tsv``, ``.txt``: a row a frame.
- ``.raw``, ``.y16``, ``.bin``: 16-bit values one after the other, little end first, of
  frames whose width and height somebody says.
- ``.tif``, ``.tiff``: a page a frame.

Frames stay as small as they are: a model enlarges them as it reads them. What has more
than 8 bits is scaled, see `levels`.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from input_pipeline import records
from input_pipeline.formats import notes, tables
from input_pipeline.formats.container import MAX_PIXELS
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.frames import DEEP, numbers
from input_pipeline.formats.jpegs import Frames, encode_jpeg, quality_of
from input_pipeline.formats.kept import kept
from input_pipeline.formats.levels import Range, Scaling, of_stream
from input_pipeline.formats.video import FrameRange, VideoOptions, stored_size
from input_pipeline.streams import STREAMS

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclasses.dataclass(frozen=True)
class Series:
    """Frames of values, read as they are asked for.

    ``frames(first, after)`` yields [h w] or [h w 3]; ``bits`` of a value; ``times``:
    see `stamps.span`; ``about``: how the file was read, where that was a guess.
    """

    count: int
    bits: int
    frames: Callable[[int, int], Iterator[np.ndarray]]
    times: np.ndarray | None = None
    about: str = ""


def is_series(path: Path) -> bool:
    """Whether a file is read here, by its name."""
    return path.suffix.lower() in _OPENERS and not path.is_dir()


def read_series(
    path: str | Path,
    stream: str,
    options: VideoOptions,
    part: FrameRange | None = None,
) -> records.Video:
    """Read a file of values as a video; ``part``: frames of one to before another.

    Raises UnusableFile if it is missing or empty, its values are no numbers, its shape
    is none of frames, or there are too few of them.
    """
    opened = open_series if part is None else _recording
    series = opened(Path(path), options.frame_sizes.get(stream))
    if series.about:
        notes.note("tables read as frames", series.about)
    deep = None
    scaling = of_stream(options.scalings, stream)
    if series.bits > 8 and part is not None and scaling.of_recording:
        deep = _whole_range(Path(path), options.frame_sizes.get(stream), scaling)
    elif series.bits > 8:
        deep = _range(series, scaling, part)
    if deep is not None:
        deep.say()
    frames = Frames()
    for values in series.frames(*part or (0, series.count)):
        image = _shown(values, deep, stream, options.short_side)
        frames.look(image)
        quality = quality_of(image, options.quality, deep is not None)
        frames.add(encode_jpeg(image, quality), image.shape[:2])
    levels = deep.levels if deep else None
    times = None if part or series.times is None else series.times - series.times[0]
    return frames.video(options.min_frames, times=times, levels=levels)


def series_times(
    path: Path, size: tuple[int, int] | None = None
) -> tuple[int, np.ndarray | None]:
    """Return how many frames a file has, and their times where it tells them.

    ``size``: see `open_series`.
    """
    series = _recording(path, size)
    return series.count, series.times


def pictures(path: Path, stream: str, options: VideoOptions) -> Iterator[np.ndarray]:
    """Yield the frames of a file as they would be stored."""
    series = open_series(path, options.frame_sizes.get(stream))
    deep = None
    if series.bits > 8:
        deep = _range(series, of_stream(options.scalings, stream), None)
    for values in series.frames(0, series.count):
        yield _shown(values, deep, stream, options.short_side)


def open_series(path: Path, size: tuple[int, int] | None) -> Series:
    """Open a file; ``size``: width and height of its frames, where somebody says it.

    Raises UnusableFile as `read_series` does.
    """
    if not path.is_file():
        raise UnusableFile("missing", "there is no such file")
    if not path.stat().st_size:
        raise UnusableFile("empty", "the file has no bytes")
    try:
        return _OPENERS[path.suffix.lower()](path, size)
    except UnusableFile:
        raise
    except Exception as error:  # damaged files make libraries raise almost anything
        text = " ".join(str(error).split()) or type(error).__name__
        raise UnusableFile("undecodable", text[:300]) from None


_recording = kept(4)(open_series)


def _range(series: Series, scaling: Scaling, part: FrameRange | None) -> Range:
    found, colour = Range(scaling), False
    first, after = part or (0, series.count)
    for number, values in enumerate(series.frames(first, after), first):
        found.add(values, series.bits, f"frame {number}")
        colour = values.ndim == 3
    if colour:
        found.colour()
    return found


@kept(4)
def _whole_range(path: Path, size: tuple[int, int] | None, scaling: Scaling) -> Range:
    """Of a recording of which there are parts: found out once."""
    return _range(_recording(path, size), scaling, None)


def _shown(
    values: np.ndarray, deep: Range | None, stream: str, short_side: int
) -> np.ndarray:
    """Values as the stream's picture, uint8 [h w] or [h w 3]."""
    size, channels = (
        stored_size(values.shape[0], values.shape[1], short_side),
        STREAMS[stream].channels,
    )
    if values.ndim == 3 and channels == 1:
        values = values @ _LUMA if deep else np.rint(values @ _LUMA).astype(np.uint8)
    if deep is not None:
        image = deep.scaled(values, *size)
    else:
        image = np.ascontiguousarray(values)
        if image.shape[:2] != size:
            small = Image.fromarray(image).resize(size[::-1], Image.Resampling.BOX)
            image = np.asarray(small)
    if image.ndim == 2 and channels == 3:
        image = np.repeat(image[..., None], 3, -1)
    return image


def _npy(path: Path, size: tuple[int, int] | None) -> Series:
    values = plain_array(path)
    if not numbers(values):
        raise ValueError(f"its values are {values.dtype}; expected are numbers")
    if values.ndim == 2:
        rows = tables.of_array(values, size)
        return _of_table(rows)
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    shaped = values.ndim == 3 or (values.ndim == 4 and values.shape[3] == 3)
    if not shaped or not 0 < math.prod(values.shape[1:3]) <= MAX_PIXELS:
        raise ValueError(
            f"the array is {list(values.shape)}; expected are frames [t h w], "
            "[t h w 3], or a row of values a frame [t n]"
        )
    if size is not None and values.shape[1:3] != size[::-1]:
        raise ValueError(
            f"its frames are {values.shape[2]} x {values.shape[1]} (width x height), "
            f"but --frame_size says {size[0]} x {size[1]}"
        )
    bits = 8 if values.dtype == np.uint8 else 8 * values.dtype.itemsize
    if values.dtype == np.int8:
        bits = 9  # to be scaled
    return Series(len(values), bits, _slices(values))


def plain_array(path: Path) -> np.ndarray:
    """Return the array of an .npy file, not read yet; raises ValueError."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        if "Python objects" not in str(error):
            raise
        raise ValueError(
            "its values are Python objects; expected are numbers, of which each frame "
            "has as many"
        ) from None


def _slices(values: np.ndarray) -> Callable[[int, int], Iterator[np.ndarray]]:
    def frames(first: int, after: int) -> Iterator[np.ndarray]:
        yield from (np.array(frame) for frame in values[first:after])

    return frames


def _of_table(rows: tables.Table) -> Series:
    return Series(rows.count, 32, rows.frames, rows.times, rows.about)


def _table(path: Path, size: tuple[int, int] | None) -> Series:
    return _of_table(tables.read(path, size))


def _raw(path: Path, size: tuple[int, int] | None) -> Series:
    if size is None:
        raise ValueError(
            "raw values do not say how large a frame is; give --frame_size "
            "STREAM=WIDTHxHEIGHT"
        )
    width, height = size
    values = np.memmap(path, "<u2", "r", shape=path.stat().st_size // 2)
    count, left = divmod(path.stat().st_size, 2 * width * height)
    if left or not count:
        raise ValueError(
            f"{path.stat().st_size} bytes are no whole number of frames of {width} x "
            f"{height} values of 16 bits ({count} frames and {left} bytes)"
        )
    return Series(count, 16, _slices(values.reshape(count, height, width)))


def _pages(path: Path, size: tuple[int, int] | None) -> Series:
    del size  # the file says it

    def frames(first: int, after: int) -> Iterator[np.ndarray]:
        with Image.open(path, formats=("TIFF",)) as image:
            for number in range(first, after):
                image.seek(number)
                if image.width * image.height > MAX_PIXELS:
                    raise ValueError(f"{image.width} x {image.height} pixels")
                grey = image.mode in ("1", "L", "LA")
                deep = image.mode in DEEP
                page = image if deep else image.convert("L" if grey else "RGB")
                yield np.array(page)

    with Image.open(path, formats=("TIFF",)) as image:
        count, bits = getattr(image, "n_frames", 1), DEEP.get(image.mode, 8)
    return Series(count, bits, frames)


_OPENERS: dict[str, Callable[[Path, tuple[int, int] | None], Series]] = {
    ".npy": _npy,
    **dict.fromkeys((".csv", ".tsv", ".txt"), _table),
    **dict.fromkeys((".raw", ".y16", ".bin"), _raw),
    **dict.fromkeys((".tif", ".tiff"), _pages),
}
