"""TIFF pictures that Pillow would show otherwise than they are, without a word.

It cuts colours of 16 bits to their upper 8, shows 16 bits of which white is 0 as their
negative, takes whole numbers of 32 bits for signed ones, and leaves black what has no
strip.
"""

from typing import Any

import numpy as np

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _TILED, _NUMBERS = 256, 257, 258, 262, 322, 339
_WHITE_IS_ZERO = 0
_UNSIGNED = 1


def is_deep_colour(image: Any) -> bool:
    """Whether a TIFF has several channels of more than 8 bits."""
    bits = image.tag_v2.get(_BITS, (1,))
    return len(bits) > 1 and max(bits) > 8


def check(image: Any) -> None:
    """Raise ValueError where a TIFF, opened and not loaded, would not be read right."""
    bits = image.tag_v2.get(_BITS, (1,))
    if is_deep_colour(image) and (_TILED in image.tag_v2 or set(bits) != {16}):
        form = "tiles" if _TILED in image.tag_v2 else "lines"
        raise ValueError(
            f"it is a TIFF of {', '.join(map(str, bits))} bits a channel in {form}; "
            "colours of more than 8 bits are read of 16 each, in lines. Write it anew, "
            "or as PNG"
        )
    if image.mode in ("I", "F") and _white_is_zero(image):
        raise ValueError(
            "it is a TIFF of 32 bits whose zero is white; expected is black"
        )
    # As stored: the size of one on its side is said as it will be turned.
    width, height = image.tag_v2[_WIDTH], image.tag_v2[_HEIGHT]
    areas: dict[str, int] = {}  # by plane of colour
    for tile in image.tile:
        left, top, right, bottom = tile.extents
        plane = str(tile.args[0]) if isinstance(tile.args, tuple) else str(tile.args)
        area = max(0, min(right, width) - left) * max(0, min(bottom, height) - top)
        areas[plane] = areas.get(plane, 0) + area
    if (least := min(areas.values(), default=0)) < width * height:
        raise ValueError(
            f"{width} x {height} pixels, of which the file has {least}: it is damaged"
        )


def values(image: Any, array: np.ndarray) -> np.ndarray:
    """Return the numbers of a grey TIFF of more than 8 bits, as Pillow's ``array``."""
    if array.dtype == np.int32 and image.tag_v2.get(_NUMBERS, (1,))[0] == _UNSIGNED:
        # Pillow widens shorter signed numbers, which are never so large.
        return array.view(np.uint32)
    if array.dtype.itemsize == 2 and _white_is_zero(image):
        return (2 ** image.tag_v2[_BITS][0] - 1) - array
    return array


def _white_is_zero(image: Any) -> bool:
    return image.tag_v2.get(_PHOTOMETRIC, 1) == _WHITE_IS_ZERO
