"""What may go wrong with a stream, done to a batch: missing, black, noisy, late, ...

All is done on the host, to what the pipeline hands out, and is a pure function of the
clip's id, so that a figure can be had again. Alphabet: f frames, h w c an image, m
persons, v joints.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxact.batch import FARTHEST, PRESENT, STREAMS

# What white is: of uint8 pixels, their differences, and millimetres of depth.
FULL = {"uint8": 255.0, "int16": 255.0, "uint16": 1000.0 * FARTHEST, "float32": 1.0}
Change = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Failure:
    """One way to fail.

    Attributes:
      about: what happens, and what the strength is of.
      strengths: those that are tried.
      change: ``(clip [f ...], strength, random) -> clip``; of joints the frames are the
        axis that `moved` finds. None: the stream is not there at all.
      of: the kinds of streams to which it can happen.
    """

    about: str
    strengths: tuple[float, ...]
    change: Change | None
    of: tuple[str, ...] = ("video",)


def black(clip: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    """Darkens: all values times ``1 - strength``."""
    return clip * (1.0 - strength)


def noisy(clip: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    """Adds normal noise, whose deviation is this share of white."""
    return clip + random.normal(size=clip.shape) * strength


def blurred(
    clip: np.ndarray, strength: float, random: np.random.Generator
) -> np.ndarray:
    """Blurs images ``[f h w c]``; the Gaussian's deviation is a share of the height."""
    sigma = strength * clip.shape[1]
    reach = math.ceil(3 * sigma)
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    for axis in (1, 2):
        pad = [(0, 0)] * clip.ndim
        pad[axis] = (reach, reach)
        padded = np.pad(clip, pad, mode="edge")
        size = clip.shape[axis]
        clip = sum(
            tap * np.take(padded, range(k, k + size), axis=axis)
            for k, tap in enumerate(taps)
        )
    return clip


def covered(
    clip: np.ndarray, strength: float, random: np.random.Generator
) -> np.ndarray:
    """Covers this share of the images ``[f h w c]`` by one black rectangle."""
    height, width = clip.shape[1:3]
    rows, columns = (round(math.sqrt(strength) * n) for n in (height, width))
    y, x = random.integers(height - rows + 1), random.integers(width - columns + 1)
    clip = clip.copy()
    clip[:, y : y + rows, x : x + columns] = 0
    return clip


def frozen(
    clip: np.ndarray, strength: float, random: np.random.Generator
) -> np.ndarray:
    """Shows the first frame for this share of the clip, from the beginning on."""
    count = max(1, round(strength * len(clip)))
    return np.concatenate([np.repeat(clip[:1], count, axis=0), clip[count:]])


def late(clip: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    """Shows what was this share of the clip before; the first frame until then."""
    delay = max(1, round(strength * len(clip)))
    return clip[np.maximum(np.arange(len(clip)) - delay, 0)]


def misaligned(
    clip: np.ndarray, strength: float, random: np.random.Generator
) -> np.ndarray:
    """Moves images ``[f h w c]`` by this share of their size, in a random direction.

    What comes in is the repeated border.
    """
    angle = random.uniform(0, 2 * math.pi)
    for axis, share in ((1, math.sin(angle)), (2, math.cos(angle))):
        size = clip.shape[axis]
        places = np.arange(size) - round(share * strength * size)
        clip = np.take(clip, np.clip(places, 0, size - 1), axis=axis)
    return clip


BOTH = ("video", "joints")
FAILURES: dict[str, Failure] = {
    "missing": Failure("not there, and known not to be", (1.0,), None, BOTH),
    "black": Failure("darker by this share", (1.0,), black, BOTH),
    "noisy": Failure("normal noise, this share of white", (0.1, 0.3), noisy, BOTH),
    "blurred": Failure("Gaussian, this share of the height", (0.02, 0.05), blurred),
    "covered": Failure("a black rectangle of this share", (0.25, 0.5), covered),
    "frozen": Failure("still for this share of the clip", (0.5, 1.0), frozen, BOTH),
    "late": Failure("by this share of the clip", (0.125, 0.5), late, BOTH),
    "misaligned": Failure("moved by this share of the image", (0.1, 0.25), misaligned),
}


def happens_to(clip_id: int, share: float) -> bool:
    """Says whether a clip is among this share of all clips."""
    return bool(np.random.default_rng((clip_id, 1)).random() < share)


def concerned(batch: Mapping[str, Any], share: float) -> np.ndarray:
    """Says which of a batch's clips are among this share of all; padding is not."""
    pairs = zip(batch["id"], batch["mask"], strict=True)
    return np.array([bool(m) and happens_to(int(i), share) for i, m in pairs], bool)


def fail(
    batch: Mapping[str, Any],
    streams: Sequence[str],
    stream: str,
    name: str,
    strength: float,
    *,
    frames: float = 1.0,
    clips: float = 1.0,
    views: bool = False,
) -> dict[str, Any]:
    """Returns the batch with one stream failing.

    Args:
      batch: on the host; its arrays are left as they are.
      streams: of the model, in their order.
      stream: the one that fails.
      name: of `FAILURES`.
      strength: see there.
      frames: share of every clip's frames, at a random place one after another, that
        show it; a stream that is missing is so as a whole.
      clips: share of the clips to which it happens.
      views: whether clips have an axis of views.
    """
    failure, rows = FAILURES[name], len(batch["id"])
    chosen = concerned(batch, clips)
    if failure.change is None:
        present = np.array(batch.get(PRESENT, np.ones((rows, len(streams)), bool)))
        present[chosen, list(streams).index(stream)] = False
        return {**batch, PRESENT: present}
    values = np.array(batch[stream])
    for row in np.flatnonzero(chosen):
        for view in values[row] if views else values[row : row + 1]:
            random = np.random.default_rng((int(batch["id"][row]), 2))
            view[...] = _changed(view, stream, failure.change, strength, frames, random)
    return {**batch, stream: values}


def _changed(
    view: np.ndarray,
    stream: str,
    change: Change,
    strength: float,
    frames: float,
    random: np.random.Generator,
) -> np.ndarray:
    """Returns one clip after the change, in its own type."""
    joints = STREAMS[stream].kind == "joints"
    clip = view.swapaxes(0, 1) if joints else view  # [m t v c]: frames come first
    full = FULL[str(view.dtype)]
    wide = clip.astype(np.float32) / full
    count = max(1, round(frames * len(clip)))
    first = random.integers(len(clip) - count + 1)
    wide[first : first + count] = change(wide, strength, random)[first : first + count]
    if not joints:
        limits = np.iinfo(view.dtype)
        wide = np.clip(np.rint(wide * full), limits.min, limits.max)
    return (wide.swapaxes(0, 1) if joints else wide).astype(view.dtype)
