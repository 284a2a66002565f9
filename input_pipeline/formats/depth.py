"""Depth maps: folders of numbered 16-bit PNG images, in millimetres, 0 not measured.

That is how Kinect's are published, NTU RGB+D's masked ones among them. Nothing is lost:
frames are stored as PNG, and smaller ones are made of whole pixels, because the mean of
a hand and the wall behind it is a distance at which there is nothing.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from input_pipeline import records
from input_pipeline.formats.container import MAX_PIXELS
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.jpegs import Frames
from input_pipeline.formats.kept import kept
from input_pipeline.formats.order import natural
from input_pipeline.formats.video import FrameRange, VideoOptions, stored_size


def read_depth(
    folder: str | Path, options: VideoOptions, part: FrameRange | None = None
) -> records.Video:
    """Read a folder's PNG images, in natural order, as frames of depth.

    ``part``: only those from one number to before another. Raises UnusableFile if it is
    no folder, has too few images, one is damaged or not of 16 bits, their sizes differ,
    or their order is ambiguous.
    """
    folder = Path(folder)
    files = _files(folder) if part is None else list_files(folder)[slice(*part)]
    if len(files) < options.min_frames:
        raise UnusableFile(
            "too short",
            f"{len(files)} PNG images; at least {options.min_frames} are needed",
        )
    frames = Frames()
    for path in files:
        frames.add(*_stored(path, options.short_side), path.name)
    return frames.video(options.min_frames)


@kept(8)
def list_files(folder: Path) -> list[Path]:
    """Return the PNG images of a folder in their order; it may be a long recording."""
    return _files(folder)


def _files(folder: Path) -> list[Path]:
    if not folder.exists():
        raise UnusableFile("missing", "there is no such folder")
    if not folder.is_dir():
        raise UnusableFile(
            "undecodable", "depth is a folder of 16-bit PNG images, in millimetres"
        )
    # Names that begin with a dot are other systems' notes about the file.
    files = [p for p in folder.glob("*.[pP][nN][gG]") if not p.name.startswith(".")]
    return [files[i] for i in natural([path.stem for path in files])]


def nearest(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize [h w] to ``size``, taking the pixel that each new one's centre lies in."""
    rows, columns = (
        (2 * np.arange(new) + 1) * old // (2 * new)
        for new, old in zip(size, image.shape, strict=True)
    )
    return image[rows[:, None], columns]


def _stored(path: Path, short_side: int) -> tuple[bytes, tuple[int, int]]:
    """Returns the PNG that is stored of an image, and its height and width."""
    data = path.read_bytes()
    if not data:
        raise UnusableFile("empty", f"{path.name} has no bytes")
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            given = (image.height, image.width)
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{image.width * image.height} pixels")
            if not image.mode.startswith("I;16"):
                raise ValueError(
                    f"its pixels are {image.mode!r}; expected is one channel of 16 "
                    "bits, in millimetres"
                )
            size = stored_size(*given, short_side)
            pixels = np.asarray(image, np.uint16)  # a file that was cut off fails here
        # Written anew even where the size stays: Pillow reads odder files than most.
        buffer = io.BytesIO()
        Image.fromarray(nearest(pixels, size)).save(buffer, "PNG")
        return buffer.getvalue(), size
    except Exception as error:  # damaged images make Pillow raise almost anything
        raise UnusableFile("undecodable", f"{path.name}: {error}") from None
