"""Pictures whose values are not 8 bits: which values become 0 and 255.

`Scaling` is the one table of ways. Whichever is chosen, it is the same for all clips of
a data set, stands in its dataset.json, and holds for what is predicted later.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
from PIL import Image

from input_pipeline.formats import notes
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.streams import STORED, STREAMS, of_kind

# Colour of fewer bits in 16 is brought to its own bits; more, and a clip is just dark.
_COLOUR_BITS = 14
# Percentiles are those of so many values at most, of frames and pixels evenly apart.
_SAMPLE, _OF_FRAME = 2**22, 2**14
# Where nobody says which.
_PERCENTILES = (1.0, 99.0)
WAYS: dict[str, str] = {
    "fixed": "these values in every clip, in the files' own unit",
    "recording": "these percentiles of each file",
    "frame": "these percentiles of each frame",
}


@dataclasses.dataclass(frozen=True)
class Scaling:
    """Which raw values become 0 and 255: see `WAYS`. What lies outside is cut off.

    The default is the lowest and the highest value of each file: nothing is cut off.
    """

    way: Literal["fixed", "recording", "frame"] = "recording"
    low: float = 0.0
    high: float = 100.0

    @classmethod
    def parse(cls, text: str) -> "Scaling":
        """Read "fixed:20:40", "recording:1:99", "frame" (of 1 to 99 percent).

        Raises ValueError, which says what is wrong and what is expected.
        """
        way, *ends = text.strip().split(":")
        wanted = (
            "expected fixed:LOW:HIGH (raw values), recording:LOW:HIGH or "
            "frame:LOW:HIGH (percentiles; 1:99 if they are left out)"
        )
        try:
            low, high = map(float, ends) if ends else _PERCENTILES
        except ValueError:
            raise ValueError(f"The scaling is {text!r}; {wanted}.") from None
        if way not in WAYS or (way == "fixed" and not ends):
            raise ValueError(f"The scaling is {text!r}; {wanted}.")
        most = math.inf if way == "fixed" else 100
        least = -math.inf if way == "fixed" else 0
        if not least <= low < high <= most or not math.isfinite(high - low):
            raise ValueError(
                f"The scaling {text!r} goes from {low:g} to {high:g}; the first number "
                "must be less than the second"
                + (", both from 0 to 100." if way != "fixed" else ".")
            )
        return cls(way, low, high)  # type: ignore[arg-type]

    @property
    def of_recording(self) -> bool:
        """Whether a part of a recording is scaled by what the whole of it holds."""
        return self.way == "recording" and self != Scaling()

    def __str__(self) -> str:
        return f"{self.way}:{self.low:g}:{self.high:g}"


def parse_scalings(text: str) -> dict[str, Scaling]:
    """Read "ir=fixed:20:40,rgb=frame", or "fixed:20:40" for all streams of frames.

    Raises ValueError as `Scaling.parse` does, or where a stream is not one of frames.
    """
    found: dict[str, Scaling] = {}
    videos = [n for n in of_kind("video", STORED) if STREAMS[n].codec == "jpeg"]
    for part in filter(None, map(str.strip, text.split(","))):
        stream, named, way = part.rpartition("=")
        if named and stream not in videos:
            raise ValueError(
                f"The scaling {part!r} is of {stream!r}; it may be of "
                f"{', '.join(videos)}."
            )
        found |= dict.fromkeys([stream] if named else videos, Scaling.parse(way))
    return found


class Range:
    """The values of a file's pictures, and by which of them they become uint8."""

    def __init__(self, scaling: Scaling = Scaling()):
        self.scaling = scaling
        self.bits, self.low, self.high = 0, math.inf, -math.inf
        self._ends: tuple[float, float] | None = None
        self._each: list[float] = []  # both ends of every frame
        self._sample: list[np.ndarray] = []
        self._frames, self._every = 0, 1

    def add(self, values: np.ndarray, bits: int, where: str) -> None:
        """Take a picture in; raises UnusableFile if its values are no numbers."""
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            count = int((~np.isfinite(values)).sum())
            raise UnusableFile(
                "undecodable",
                f"{where} holds values that are not finite ({count} of {values.size} "
                "are NaN or infinite); fill them from their neighbours, or leave the "
                "frame out",
            )
        self.bits = max(self.bits, bits)
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))
        self._take(values)
        if self.scaling.way == "frame":
            self._each += self._of_frame(values)

    def _of_frame(self, values: np.ndarray) -> tuple[float, float]:
        low, high = np.percentile(values, (self.scaling.low, self.scaling.high))
        # As a record keeps them.
        return float(np.float32(low)), float(np.float32(high))

    def _take(self, values: np.ndarray) -> None:
        """Keep some of a picture's values: every picture's, until they are too many."""
        if self._frames % self._every == 0:
            step = max(1, math.ceil(math.sqrt(values.size / _OF_FRAME)))
            # A copy, or the picture would be held.
            self._sample.append(np.array(values[::step, ::step], np.float32).ravel())
            if sum(map(len, self._sample[:1])) * len(self._sample) > _SAMPLE:
                self._sample = self._sample[::2]
                self._every *= 2
        self._frames += 1

    def colour(self) -> None:
        """Take the pictures for colour: from 0, as many bits as used; hues stay."""
        if self.scaling == Scaling():
            used = int(max(self.high, 1)).bit_length()
            bits = max(8, used) if used <= _COLOUR_BITS else 16
            self._ends = 0.0, float(2**bits - 1)

    @property
    def ends(self) -> tuple[float, float] | None:
        """The values that become 0 and 255; None: each frame has its own."""
        if self._ends is None and self.scaling.way != "frame":
            low, high = self.scaling.low, self.scaling.high
            if self.scaling == Scaling():
                low, high = self.low, self.high
            elif self.scaling.way == "recording":
                both = np.percentile(np.concatenate(self._sample), (low, high))
                low, high = map(float, both)
            self._ends = low, high
        return self._ends

    @property
    def levels(self) -> tuple[float, ...]:
        """The values that became 0 and 255 in all frames, or those of every frame."""
        return self.ends or tuple(self._each)

    def say(self) -> None:
        """Note the range, and how much of the values lies outside of it."""
        kind, held = (
            "pictures of more than 8 bits",
            f"{self.low:.6g} to {self.high:.6g}",
        )
        ends = self.ends
        if ends is None:
            notes.note(
                kind,
                f"values {held} of {self.bits} bits; percentiles "
                f"{self.scaling.low:g} and {self.scaling.high:g} of each frame become "
                "0 and 255",
            )
            return
        low, high = ends
        more = "" if ends == (self.low, self.high) else f" (the file has {held})"
        notes.note(
            kind,
            f"values {low:.6g} to {high:.6g} of {self.bits} bits become 0 to 255, in "
            f"all frames alike{more}",
        )
        if self.scaling.way == "fixed" and (self.low < low or self.high > high):
            values = np.concatenate(self._sample)
            notes.note(
                "values outside of the scaling",
                f"{(values < low).mean():.2%} lie below {low:g} and become 0, "
                f"{(values > high).mean():.2%} above {high:g} and become 255",
            )

    def scaled(self, values: np.ndarray, height: int, width: int) -> np.ndarray:
        """Return values [h w] or [h w 3] as uint8 of this size, averaged over areas."""
        return _scaled(values, self.ends or self._of_frame(values), (height, width))


def _scaled(
    values: np.ndarray, ends: tuple[float, float], size: tuple[int, int]
) -> np.ndarray:
    if values.ndim == 3:
        channels = [_scaled(values[..., i], ends, size) for i in range(3)]
        return np.stack(channels, -1)
    low, high = ends
    # Floats of 32 bits have 24 for a number; less matters in whole ones of 32.
    exact = np.float64 if values.dtype.itemsize > 2 else np.float32
    shown = np.subtract(values, low, dtype=exact).astype(np.float32)
    if values.shape != size:
        image = Image.fromarray(shown).resize(size[::-1], Image.Resampling.BOX)
        shown = np.asarray(image)
    if high > low:
        shown = shown * np.float32(255 / (high - low))
    return np.clip(np.rint(shown), 0, 255).astype(np.uint8)


def of_stream(scalings: Mapping[str, Scaling], stream: str) -> Scaling:
    """Return a stream's scaling: its own, or the one where nobody says which."""
    return scalings.get(stream, Scaling())
