"""Folders of numbered images, the form in which some data sets give their videos."""

import io
import re
from pathlib import Path

from PIL import Image

from input_pipeline import records
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.video import VideoOptions, stored_size
from input_pipeline.streams import STREAMS

ENDINGS = (".jpg", ".jpeg", ".png")
# Pillow's name of pixels of so many channels.
_MODES = {3: "RGB", 1: "L"}


def read_frames(
    folder: str | Path, stream: str, options: VideoOptions
) -> records.Video:
    """Read a folder's images, in the order of their numbers, as the frames of a video.

    JPEG images that are small enough are stored as they are, byte for byte. Raises
    UnusableFile if there are too few, one is damaged or their sizes differ.
    """
    files = [path for path in Path(folder).iterdir() if _is_image(path)]
    files.sort(key=lambda path: (_number(path.stem), path.name))
    if len(files) < options.min_frames:
        raise UnusableFile(
            "too short",
            f"{len(files)} images; at least {options.min_frames} are needed",
        )
    frames, size = [], None
    for path in files:
        data, shown = _stored(path, _MODES[STREAMS[stream].channels], options)
        if size is not None and shown != size:
            raise UnusableFile(
                "undecodable",
                f"the image size changes from {size} to {shown} (height, width) at "
                f"{path.name}",
            )
        frames.append(data)
        size = shown
    assert size is not None
    return records.Video(frames=frames, height=size[0], width=size[1])


def _is_image(path: Path) -> bool:
    # Names that begin with a dot are other systems' notes about the file.
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".")


def _number(stem: str) -> int:
    """The last number in a name; images without one come first."""
    numbers = re.findall(r"\d+", stem)
    return int(numbers[-1]) if numbers else -1


def _stored(
    path: Path, mode: str, options: VideoOptions
) -> tuple[bytes, tuple[int, int]]:
    """Returns the JPEG that is stored of an image, and its height and width."""
    data = path.read_bytes()
    try:
        # Pillow reads many more formats, some by starting other programs.
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            image.load()  # a file that was cut off fails here
            size = stored_size(image.height, image.width, options.short_side)
            same = size == (image.height, image.width)
            if same and image.format == "JPEG" and image.mode == mode:
                return data, size
            converted = image.convert(mode)
            if not same:
                converted = converted.resize(size[::-1], Image.Resampling.BOX)
            buffer = io.BytesIO()
            converted.save(buffer, "JPEG", quality=options.quality)
            return buffer.getvalue(), size
    except Exception as error:  # damaged images make Pillow raise almost anything
        raise UnusableFile("undecodable", f"{path.name}: {error}") from None
