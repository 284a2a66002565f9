"""Folders of numbered images, the form in which some data sets give their videos."""

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from input_pipeline import records
from input_pipeline.formats import notes, shown, tiff
from input_pipeline.formats.container import MAX_PIXELS
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.jpegs import Frames, encode_jpeg, quality_of
from input_pipeline.formats.kept import kept
from input_pipeline.formats.levels import Range, Scaling, of_stream
from input_pipeline.formats.order import natural
from input_pipeline.formats.palettes import EVERY, PICTURES, Colours
from input_pipeline.formats.stamps import stamps
from input_pipeline.formats.video import FrameRange, VideoOptions, stored_size
from input_pipeline.streams import STREAMS

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".npy")
# Pictures, too, but of formats that are not read.
_UNREAD = (
    *(".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".jp2", ".jxl", ".avif", ".heic"),
    *(".heif", ".exr", ".hdr", ".tga", ".dng", ".cr2", ".nef", ".raw", ".svg"),
    *(".jfif", ".jpe", ".j2k", ".dcm", ".fits", ".psd"),
)
# Pillow reads many more, some by starting other programs.
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
_MODES = {3: "RGB", 1: "L"}  # by channels
# Pillow's modes of one channel that hold more than 8 bits.
DEEP = {"I;16": 16, "I;16L": 16, "I;16B": 16, "I;16N": 16, "I": 32, "F": 32}
_ORIENTATION = 0x0112
# EXIF's orientations 2 to 8 as matrices, see `shown.matrix_of`.
_TURNS = {
    2: [[-1, 0], [0, 1]],
    3: [[-1, 0], [0, -1]],
    4: [[1, 0], [0, -1]],
    5: [[0, 1], [1, 0]],
    6: [[0, -1], [1, 0]],
    7: [[0, -1], [-1, 0]],
    8: [[0, 1], [-1, 0]],
}


def read_frames(
    folder: str | Path,
    stream: str,
    options: VideoOptions,
    part: FrameRange | None = None,
) -> records.Video:
    """Read a folder's images, in the natural order of their names, as a video.

    Images are turned upright. JPEG images that are small enough are otherwise stored
    as they are, byte for byte; values of more than 8 bits are scaled as the options
    say, by those of the whole folder or of the ``part`` of it that is read. Raises
    UnusableFile if there are too few, one is damaged, their sizes or depths differ, or
    their order is ambiguous.
    """
    folder, scaling = Path(folder), of_stream(options.scalings, stream)
    if part is None:
        files = _files(folder, options.min_frames)
    else:
        files = list_files(folder)[slice(*part)]
    if part is not None and scaling.of_recording:
        deep = _whole_range(folder, scaling)
    else:
        deep = _range(files, scaling)
    if deep is not None:
        deep.say()
    frames = Frames()
    for path in files:
        data, size, image = _stored(path, stream, options, deep)
        frames.look(image)
        frames.add(data, size, path.name)
    if deep is None and STREAMS[stream].channels == 1:
        colours = Colours()
        for number, path in enumerate(files[: PICTURES * EVERY : EVERY]):
            colours.see(number * EVERY, _read(path))
        colours.say()
    return frames.video(options.min_frames, levels=deep.levels if deep else None)


def pictures(folder: Path, stream: str, options: VideoOptions) -> Iterator[np.ndarray]:
    """Yield the pixels of a folder's images as they would be stored."""
    files = list_files(folder)
    deep = _range(files, of_stream(options.scalings, stream))
    for path in files:
        yield _stored(path, stream, options, deep)[2]


@kept(8)
def list_files(folder: Path) -> list[Path]:
    """Return the images of a folder in their order; it may be a long recording."""
    return _files(folder, 1)


def times_of(files: Sequence[Path]) -> tuple[int, np.ndarray | None]:
    """Return how many images there are, and their times if the names are time stamps.

    int64 [t + 1] us, last when the last one ends: it lasts as long as most do.
    """
    times = stamps([path.stem for path in files])
    if times is None:
        return len(files), None
    return len(files), np.append(times, times[-1] + int(np.median(np.diff(times))))


def _files(folder: Path, least: int) -> list[Path]:
    """The images of a folder, in their order."""
    # Names that begin with a dot are other systems' notes about the file.
    every = [p for p in folder.iterdir() if not p.name.startswith(".") and p.is_file()]
    files = [path for path in every if path.suffix.lower() in ENDINGS]
    counts = Counter(
        path.suffix.lower() for path in every if path.suffix.lower() in _UNREAD
    )
    if len(files) < least:
        counts = Counter(path.suffix.lower() for path in every) - Counter(
            path.suffix.lower() for path in files
        )
        unread = _listed(counts)
        beside = f" (and {unread} files, which are not read)" if unread else ""
        raise UnusableFile(
            "too short",
            f"{len(files)} images{beside}; at least {least} are needed, and read are "
            f"{', '.join(ENDINGS)}",
        )
    if unread := _listed(counts):
        notes.note(
            "pictures passed over", f"{unread} files; read are {', '.join(ENDINGS)}"
        )
    return [files[i] for i in natural([path.stem for path in files])]


def _listed(counts: Counter[str]) -> str:
    named = ((ending or "nameless", n) for ending, n in sorted(counts.items()))
    return ", ".join(f"{count} {ending}" for ending, count in named)


def _range(files: list[Path], scaling: Scaling) -> Range | None:
    """The range of values of a folder; None if the first image has 8 bits."""
    found, colour = Range(scaling), False
    for number, path in enumerate(files):
        image = _read(path)
        if not isinstance(image, tuple):
            if not number:
                return None
            raise UnusableFile(
                "undecodable", f"{path.name} has 8 bits, {files[0].name} has more"
            )
        values, bits = image
        found.add(values, bits, path.name)
        colour = values.ndim == 3
    if colour:
        found.colour()
    return found


@kept(4)
def _whole_range(folder: Path, scaling: Scaling) -> Range | None:
    """Of a recording of which there are parts: found out once."""
    return _range(list_files(folder), scaling)


def _read(path: Path, data: bytes = b"") -> Any:
    """The image upright: a Pillow image of 8 bits, else its values and their bits."""
    data = data or path.read_bytes()
    if not data:
        raise UnusableFile("empty", f"{path.name} has no bytes")
    if path.suffix.lower() == ".npy":
        return _array(path)
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(
                    f"{image.width} x {image.height} pixels; at most {MAX_PIXELS}"
                )
            pages = getattr(image, "n_frames", 1)
            if pages > 1 and image.format not in ("JPEG", "MPO"):
                raise ValueError(f"it holds {pages} pictures; expected is one")
            is_tiff = image.format == "TIFF"
            if is_tiff:
                tiff.check(image)
            image.load()  # a file that was cut off fails here
            deep_png = image.format == "PNG" and data[24] == 16 and data[25]
            if deep_png or is_tiff and tiff.is_deep_colour(image):
                turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
                values = _deep(data, str(image.format).lower())
                return shown.turn(values, np.array(turn)) if turn else values, 16
            upright = ImageOps.exif_transpose(image)
            if upright.mode in DEEP:
                array = np.asarray(upright)
                values = tiff.values(image, array) if is_tiff else array
                return values, DEEP[upright.mode]
            # Only one that was stored as it is shown may be kept as it is.
            turned = image.getexif().get(_ORIENTATION, 1) in _TURNS
            upright.format = None if turned else image.format
            return upright
    except UnidentifiedImageError:
        raise UnusableFile(
            "undecodable",
            f"{path.name} is damaged, or of a form that is not read; read are JPEG, "
            "PNG, BMP, WebP and TIFF, of 8 or 16 bits a channel or one of 32",
        ) from None
    except Exception as error:  # damaged images make Pillow raise almost anything
        raise UnusableFile("undecodable", f"{path.name}: {error}") from None


def _array(path: Path) -> Any:
    """An array [h w] or [h w 3], as `_read` returns it."""
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # damaged files make NumPy raise almost anything
        raise UnusableFile("undecodable", f"{path.name}: {error}") from None
    values = values[..., 0] if values.shape[2:] == (1,) else values
    shaped = values.ndim == 2 or (values.ndim == 3 and values.shape[2] == 3)
    if not shaped or not 0 < values.size <= 3 * MAX_PIXELS or not numbers(values):
        raise UnusableFile(
            "undecodable",
            f"{path.name} is {values.dtype}{list(values.shape)}; expected is a picture "
            "of numbers, [h w] or [h w 3]",
        )
    if values.dtype == np.uint8:
        return Image.fromarray(np.array(values))
    return np.array(values), 8 * values.dtype.itemsize


def numbers(values: np.ndarray) -> bool:
    """Whether an array's values are real numbers."""
    return values.dtype.kind in "uif"


def _deep(data: bytes, codec_name: str) -> np.ndarray:
    """The values of a picture of 16 bits a channel, which Pillow would cut to 8."""
    codec: Any = av.CodecContext.create(codec_name, "r")
    codec.thread_count = 1
    frames = [*codec.decode(av.Packet(data)), *codec.decode(None)]
    if len(frames) != 1:
        raise ValueError("it holds no picture")
    grey = frames[0].format.name.startswith(("gray", "ya"))
    return frames[0].reformat(format="gray16le" if grey else "rgb48le").to_ndarray()


def _stored(
    path: Path, stream: str, options: VideoOptions, deep: Range | None
) -> tuple[bytes, tuple[int, int], np.ndarray]:
    """Returns the JPEG that is stored of an image, its height and width, its pixels."""
    data = path.read_bytes()
    image = _read(path, data)
    if isinstance(image, tuple) != (deep is not None):
        raise UnusableFile("undecodable", f"{path.name} has more than 8 bits; not all")
    if deep is not None:
        pixels = _scaled(image[0], stream, options, deep)
        quality = quality_of(pixels, options.quality, deep=True)
        return encode_jpeg(pixels, quality), pixels.shape[:2], pixels
    try:
        mode = _MODES[STREAMS[stream].channels]
        size = stored_size(image.height, image.width, options.short_side)
        same = size == (image.height, image.width)
        if same and image.format == "JPEG" and image.mode == mode:
            return data, size, np.asarray(image)
        converted = image.convert(mode)
        if not same:
            converted = converted.resize(size[::-1], Image.Resampling.BOX)
        pixels = np.asarray(converted)
        return encode_jpeg(pixels, options.quality), size, pixels
    except UnusableFile:
        raise
    except Exception as error:
        raise UnusableFile("undecodable", f"{path.name}: {error}") from None


def _scaled(
    values: np.ndarray, stream: str, options: VideoOptions, deep: Range
) -> np.ndarray:
    height, width = values.shape[:2]
    size = stored_size(height, width, options.short_side)
    if values.ndim == 3 and STREAMS[stream].channels == 1:
        values = values @ np.array([0.299, 0.587, 0.114], np.float32)
    pixels = deep.scaled(values, *size)
    if pixels.ndim == 2 and STREAMS[stream].channels == 3:
        return np.repeat(pixels[..., None], 3, -1)
    return pixels
