"""Pictures of more than 8 bits: one range of values for the whole clip.

The lowest value of the clip becomes 0, the highest 255, and nothing is clipped.
"""

import dataclasses

import numpy as np
from PIL import Image

from input_pipeline.formats import notes
from input_pipeline.formats.errors import UnusableFile

# Colour of fewer bits in 16 is brought to its own bits; more, and a clip is just dark.
_COLOUR_BITS = 14


@dataclasses.dataclass
class Range:
    """The lowest and the highest value so far, of pictures of so many ``bits``."""

    bits: int = 0
    low: float = np.inf
    high: float = -np.inf

    def add(self, values: np.ndarray, bits: int, where: str) -> None:
        """Take a picture in; raises UnusableFile if its values are no numbers."""
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise UnusableFile(
                "undecodable", f"{where} holds values that are not finite"
            )
        self.bits = max(self.bits, bits)
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))

    def colour(self) -> "Range":
        """The range of colour: from 0, as many bits as the clip uses; hues stay."""
        used = int(max(self.high, 1)).bit_length()
        bits = max(8, used) if used <= _COLOUR_BITS else 16
        return Range(self.bits, 0.0, float(2**bits - 1))

    @property
    def ends(self) -> tuple[float, float]:
        """The values that become 0 and 255; a record keeps them."""
        return self.low, self.high

    def say(self) -> None:
        """Note the range."""
        notes.note(
            "pictures of more than 8 bits",
            f"values {self.low:.6g} to {self.high:.6g} of {self.bits} bits become 0 to "
            "255, in all frames alike",
        )

    def scaled(self, values: np.ndarray, height: int, width: int) -> np.ndarray:
        """Return values [h w] or [h w 3] as uint8 of this size, averaged over areas."""
        size = height, width
        if values.ndim == 3:
            channels = [self.scaled(values[..., i], *size) for i in range(3)]
            return np.stack(channels, -1)
        span = self.high - self.low
        shown = np.subtract(values, self.low, dtype=np.float32)
        if values.shape != size:
            image = Image.fromarray(shown).resize(size[::-1], Image.Resampling.BOX)
            shown = np.asarray(image)
        if span > 0:
            shown = shown * np.float32(255 / span)
        return np.clip(np.rint(shown), 0, 255).astype(np.uint8)
