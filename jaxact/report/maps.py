"""Pictures of what a model sees besides plain frames: differences, depth,
clusters, heat.

Alphabet: t frames, h w a frame, n m rows and columns of a feature map, k clusters.
"""

import colorsys

import numpy as np
from PIL import Image

from jaxact.batch import FARTHEST, NEAREST

# The part of a colour in a picture where it is strongest.
TINT = 0.65
HEAT = (255, 179, 0)


def difference_frames(differences: np.ndarray) -> np.ndarray:
    """Returns RGB differences as frames to look at: grey where nothing changes.

    Args:
      differences: int16 ``[t h w 15]``, five successive differences of RGB.

    Returns:
      uint8 ``[t h w 3]``: 128 and half of the whole change.
    """
    t, h, w, channels = differences.shape
    change = differences.reshape(t, h, w, channels // 3, 3).sum(axis=3, dtype=np.int32)
    return np.clip(128 + change // 2, 0, 255).astype(np.uint8)


def depth_frames(depth: np.ndarray) -> np.ndarray:
    """Returns depth, uint16 millimetres ``[t h w 1]``, as frames: near is bright.

    Black is what is `jaxact.batch.FARTHEST` away, or was not measured.
    """
    nearness = np.clip((FARTHEST - depth / 1000) / (FARTHEST - NEAREST), 0, 1)
    return np.where(depth > 0, 255 * nearness, 0).round().astype(np.uint8)


def cluster_colours(clusters: int) -> np.ndarray:
    """Returns a colour a cluster, uint8 ``[k 3]``; successive ones are far apart.

    Hues go round by the golden angle, and every third one is darker.
    """
    hues = (0.61803399 * np.arange(clusters)) % 1.0
    values = np.array([1.0, 0.8, 0.6])[np.arange(clusters) % 3]
    colours = [
        colorsys.hsv_to_rgb(h, 0.85, v) for h, v in zip(hues, values, strict=True)
    ]
    return np.round(255 * np.array(colours)).astype(np.uint8)


def cluster_frames(frames: np.ndarray, assignments: np.ndarray) -> np.ndarray:
    """Returns frames tinted by the cluster that each place belongs to most.

    Args:
      frames: uint8 ``[t h w 1 or 3]``.
      assignments: ``[t' n m k]``, shares that add up to 1 at each place; of fewer
        frames than there are, each stands for several.

    Returns:
      uint8 ``[t h w 3]``; the surer the assignment, the stronger the colour.
    """
    assignments = _of_frames(assignments, len(frames))
    (_, h, w, _), (_, n, m, k) = frames.shape, assignments.shape
    rows, columns = np.arange(h) * n // h, np.arange(w) * m // w
    best = assignments.argmax(axis=-1)[:, rows][:, :, columns]
    share = assignments.max(axis=-1)[:, rows][:, :, columns, None]
    return _tint(frames, share, cluster_colours(k)[best])


def heat_frames(frames: np.ndarray, activation: np.ndarray) -> np.ndarray:
    """Returns frames that glow where the activation is high.

    Args:
      frames: uint8 ``[t h w 1 or 3]``.
      activation: ``[t' n m]``; of fewer frames than there are, each stands for several.
        What is negative speaks against the class and does not glow; the clip's highest
        value glows most.

    Returns:
      uint8 ``[t h w 3]``.
    """
    t, h, w, _ = frames.shape
    positive = np.maximum(np.asarray(activation, np.float32), 0)
    share = _of_frames(positive / max(float(positive.max()), 1e-12), t)
    smooth = [
        np.asarray(Image.fromarray(each).resize((w, h), Image.Resampling.BILINEAR))
        for each in share
    ]
    return _tint(frames, np.stack(smooth)[..., None], np.array(HEAT))


def _of_frames(values: np.ndarray, frames: int) -> np.ndarray:
    """Repeats what stands for several frames each, ``[t' ...]`` to ``[frames ...]``."""
    return values[np.arange(frames) * len(values) // frames]


def _tint(frames: np.ndarray, share: np.ndarray, colour: np.ndarray) -> np.ndarray:
    grey = frames.mean(axis=-1, keepdims=True)
    return np.round(grey + TINT * share * (colour - grey)).astype(np.uint8)
