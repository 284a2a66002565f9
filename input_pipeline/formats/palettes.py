"""Infrared pictures that are shown in colours: which palette it is, and what is lost.

A stream of one channel takes the brightness of coloured pictures. Makers' palettes
differ in their details, so that temperatures cannot be had back exactly: nothing is
turned round here, only said.
"""

from typing import Any

import numpy as np
from PIL import Image

from input_pipeline.formats import notes

# Looked at of a file: so many pictures, so far apart.
PICTURES, EVERY = 4, 30
_SIZE = (64, 48)  # width and height to which they are brought
# Between the largest and the least of red, green and blue: less is grey.
_COLOURED = 60
# Of the pixels: fewer are the ornaments of a grey picture.
_LEAST = 0.3
# Mean distance of coloured pixels to a palette, of 255 levels a channel.
_NEAR = 30.0


def _iron() -> np.ndarray:
    """FLIR's ironbow as most makers have it: black, violet, red, orange, white."""
    ends = [(0, 0, 10), (40, 0, 130), (140, 0, 155), (205, 40, 90), (240, 110, 10)]
    ends += [(255, 180, 0), (255, 235, 90), (255, 255, 246)]
    places = np.linspace(0, 1, len(ends))
    grid = np.linspace(0, 1, 256)
    return np.stack([np.interp(grid, places, c) for c in np.array(ends).T], axis=-1)


def _rainbow() -> np.ndarray:
    """Jet, which most rainbows are near to: blue, cyan, green, yellow, red."""
    grid = np.linspace(0, 1, 256)[:, None]
    return 255 * np.clip(1.5 - np.abs(4 * grid - (3, 2, 1)), 0, 1)


PALETTES = {
    "iron": (_iron(), "which rises with the temperature, though not evenly"),
    "rainbow": (_rainbow(), "in which warm and cold may look alike"),
}


class Colours:
    """What is seen of a file's colours."""

    def __init__(self) -> None:
        self._seen: list[np.ndarray] = []

    def see(self, number: int, picture: Any) -> None:
        """Take in picture ``number`` of a file, of FFmpeg or Pillow; most are not."""
        if number % EVERY or len(self._seen) >= PICTURES:
            return
        if isinstance(picture, Image.Image):
            pixels = np.asarray(picture.convert("RGB").resize(_SIZE))
        else:
            pixels = picture.reformat(*_SIZE, "rgb24").to_ndarray()
        self._seen.append(pixels.reshape(-1, 3).astype(int))

    def say(self) -> None:
        """Note where pictures are coloured, and by which palette, it seems."""
        if not self._seen:
            return
        pixels = np.concatenate(self._seen)
        coloured = pixels[np.ptp(pixels, axis=1) > _COLOURED]
        if len(coloured) < _LEAST * len(pixels):
            return
        name = palette_of(coloured)
        cure = (
            "export values (temperatures, 16 bits), or give the file as the stream rgb"
        )
        if name:
            notes.note(
                "false colours",
                f"the pictures look like the palette {name!r}; read is their "
                f"brightness, {PALETTES[name][1]}: {cure}",
            )
        else:
            notes.note(
                "colours in a stream of one channel",
                f"read is their brightness; if they are a palette, {cure}",
            )


def palette_of(pixels: np.ndarray) -> str:
    """Return the palette that coloured pixels [n 3] are of; "" if none is near."""
    found = {}
    for name, (colours, _) in PALETTES.items():
        away = ((pixels[:, None] - colours[None, ::4]) ** 2).sum(-1).min(1)
        found[name] = float(np.sqrt(away).mean())
    best = min(found, key=found.__getitem__)
    return best if found[best] < _NEAR else ""
