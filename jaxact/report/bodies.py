"""Skeletons as pictures: over the frames in which they are seen, or by themselves.

Alphabet: m persons, t frames, v joints, h height, w width.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from jaxact.report import maps

Bones = Sequence[tuple[int, int]]

# A colour a person; they stand out from frames, borders and boxes, and from each other
# for every common form of colour blindness.
PERSONS = ((0, 229, 255), (255, 120, 220))
OUTLINE = (0, 0, 0)
PANEL = (38, 43, 51)
PANEL_SIZE = 176
# Joints and bones are drawn larger and reduced: thin slanted lines stay smooth.
FINER = 3


def draw(picture: np.ndarray, joints: np.ndarray, bones: Bones) -> np.ndarray:
    """Returns a picture with the bones of every person drawn over it.

    A bone is drawn where both its joints are known, each with a dark edge, so that it
    is legible on any ground; without bones the joints alone are dots.

    Args:
      picture: uint8 ``[h w 3]``.
      joints: ``[m v 2]`` (column, row) as fractions of the picture; NaN: not known.
      bones: pairs of joints.

    Returns:
      uint8 ``[h w 3]``.
    """
    height, width = picture.shape[:2]
    layer = Image.new("RGBA", (width * FINER, height * FINER))
    pen = ImageDraw.Draw(layer)
    line = max(1.5, min(height, width) / 90) * FINER
    places = np.asarray(joints, np.float64) * [layer.width, layer.height]
    # Far outside nothing is seen, and enormous numbers are no coordinates.
    places[np.abs(places).max(axis=-1) > 4 * max(layer.size)] = np.nan
    for person in reversed(range(len(places))):  # the first one on top
        colour = PERSONS[person % len(PERSONS)]
        known = np.isfinite(places[person]).all(axis=-1)
        ends = [places[person, list(b)] for b in bones if known[list(b)].all()]
        for tint, extra in ((OUTLINE, 1.2 * FINER), (colour, 0.0)):
            for start, stop in ends:
                pen.line((*start, *stop), (*tint, 255), round(line + 2 * extra))
            for x, y in places[person, known]:
                r = (0.75 if ends else 1.2) * line + extra
                pen.ellipse((x - r, y - r, x + r, y + r), (*tint, 255))
    layer = layer.resize((width, height), Image.Resampling.BOX)
    image = Image.fromarray(np.ascontiguousarray(picture)).convert("RGBA")
    return np.asarray(Image.alpha_composite(image, layer).convert("RGB"))


def panels(points: np.ndarray, bones: Bones, size: int = PANEL_SIZE) -> np.ndarray:
    """Returns a skeleton as frames of its own, seen from the front.

    All frames have one scale and one centre, so that who walks is seen to walk.

    Args:
      points: ``[m t v 3]`` metres, x to the right and y up; a joint at the origin, or
        not finite, is not drawn.
      bones: pairs of joints.
      size: height and width of a frame.

    Returns:
      uint8 ``[t size size 3]``.
    """
    points = np.asarray(points, np.float64)
    known = np.isfinite(points).all(axis=-1) & (points != 0).any(axis=-1)
    flat = np.where(known[..., None], points[..., :2] * [1, -1], np.nan)
    if known.any():
        low, high = flat[known].min(axis=0), flat[known].max(axis=0)
        extent = max((high - low).max(), 1e-3) * 1.15  # room at the edges
        flat = (flat - (low + high) / 2) / extent + 0.5
    blank = np.full((size, size, 3), PANEL, np.uint8)
    return np.stack([draw(blank, flat[:, t], bones) for t in range(points.shape[1])])


def as_videos(
    streams: Mapping[str, np.ndarray], bones: Bones, over: bool
) -> dict[str, np.ndarray]:
    """Returns the streams with those that are no frames as frames to look at.

    Args:
      streams: name -> frames, or ``[m t v 3]`` under "skeleton"; int16 frames are
        differences, uint16 ones depth.
      bones: pairs of joints.
      over: it will be drawn over the other frames, and needs none of its own.
    """
    shown = dict(streams)
    for name, frames in shown.items():
        if frames.dtype == np.int16:
            shown[name] = maps.difference_frames(frames)
        elif frames.dtype == np.uint16:
            shown[name] = maps.depth_frames(frames)
    points = shown.pop("skeleton", None)
    if points is not None and not over:
        shown["skeleton"] = panels(points, bones)
    return shown
