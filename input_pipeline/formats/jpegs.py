"""Pictures as they are stored: JPEG images, no more than a record can hold.

Depth's pictures are PNG images, and gathered here, too.
"""

import io
from typing import Any

import numpy as np
from PIL import Image

from input_pipeline import records
from input_pipeline.formats import notes
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.spool import Picture, Spool

# What a video has past so many bytes waits on the disk, not in memory.
HELD_BYTES = 2**26
LONGEST_SIDE = 65_500
# Frames of sensors with no more pixels along a side are not compressed for their size:
# at this quality a grey level is off by at most one.
SENSOR_SIDE, SENSOR_QUALITY = 128, 100
# Of the 256 levels, between the hundredth darkest and the hundredth brightest pixel.
FLAT_LEVELS = 4


def encode_jpeg(image: np.ndarray, quality: int) -> bytes:
    """Encode uint8 [h w 3] or [h w] as JPEG with three channels or one.

    Raises UnusableFile if a side is longer than JPEG knows.
    """
    if max(image.shape[:2]) > LONGEST_SIDE:
        raise UnusableFile(
            "undecodable",
            f"frames of {image.shape[1]} x {image.shape[0]} pixels; a JPEG has at most "
            f"{LONGEST_SIDE} along a side",
        )
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def quality_of(image: np.ndarray, quality: int, deep: bool) -> int:
    """Return the JPEG quality of a frame: of small ``deep`` ones nothing is lost."""
    small = max(image.shape[:2]) <= SENSOR_SIDE
    return SENSOR_QUALITY if deep and small else quality


class Frames:
    """The frames of one video as they come, while they fit into a record."""

    def __init__(self) -> None:
        self.count = self.size = 0
        self.shape: tuple[int, int] | None = None
        self.frames: list[Picture] = []
        self._spool: Spool | None = None
        self._levels = np.zeros(256, np.int64)

    def add(self, data: bytes, shape: tuple[int, int], where: str = "") -> None:
        """Take a picture of this height and width; raises UnusableFile if it cannot."""
        if self.shape is not None and shape != self.shape:
            raise UnusableFile(
                "undecodable",
                f"the image size changes from {self.shape} to {shape} (height, width) "
                f"at {where or f'frame {self.count}'}",
            )
        self.shape = shape
        self.count += 1
        self.size += len(data)
        check_size(self.size, self.count)
        if self.size <= HELD_BYTES:
            self.frames.append(data)
            return
        self._spool = self._spool or Spool()
        self.frames.append(self._spool.add(data))

    def look(self, image: np.ndarray) -> None:
        """Take note of which levels a uint8 picture has."""
        seen = image[:: 1 + image.shape[0] // 64, :: 1 + image.shape[1] // 64]
        self._levels += np.bincount(seen.ravel(), minlength=256)

    def video(self, min_frames: int, **facts: Any) -> records.Video:
        """Return what is stored; raises UnusableFile if there are too few frames."""
        if self.count < min_frames:
            raise UnusableFile(
                "too short", f"{self.count} frames; at least {min_frames} are needed"
            )
        assert self.shape is not None
        total = self._levels.sum()
        if total:
            seen = np.cumsum(self._levels) / total
            low, high = np.searchsorted(seen, (0.01, 0.99))
            if high - low < FLAT_LEVELS:
                notes.note(
                    "nearly flat pictures",
                    f"98 of 100 pixels lie between {low} and {high} of 0 to 255",
                )
        height, width = self.shape
        return records.Video(self.frames, height, width, **facts)


def check_size(size: int, frames: int) -> None:
    """Raise UnusableFile if ``size`` bytes of pictures are more than a record holds."""
    if size > records.MAX_BYTES:
        raise UnusableFile(
            "too long",
            f"more than {records.MAX_BYTES / 1e9:.3g} GB in {frames} frames, the most "
            "that TensorFlow reads as one record. Cut the clip into shorter ones, or "
            "prepare it with a lower --short_side or --quality",
        )
