"""Footage: what has no end that is known, or is too long to be one clip.

A source gives the frames of one stream with their times (`files` a long file, `live` a
camera or an address); a `Track` keeps those that windows still need; `windows` cuts
windows of all streams, aligned by time, as records. Times are whole microseconds of the
recording's clock, which is the stream's own plus its offset, as in manifests.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

SECOND = 1_000_000


class FootageError(Exception):
    """Footage that cannot be looked at; the message says why, and how to mend it."""


class Frame(NamedTuple):
    """When a frame begins, us, and the function that returns its picture.

    A picture is uint8 [h w 3] or, of streams of one channel, [h w]; making it (scaling,
    colours) costs more than the rest, and most are never looked at. ``deep``: it is
    made of values of more than 8 bits.
    """

    start: int
    picture: Callable[[], np.ndarray]
    deep: bool = False
