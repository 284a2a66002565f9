"""Where a joint is seen in a video: lenses fitted to what the sensor itself says.

A ``.skeleton`` file gives each joint in camera metres and as pixels of the colour and
of the infrared image. A lens is the float32 matrix [2 4] that takes
(x / z, y / z, 1, 1 / z) to (column, row) as fractions of the image: a pinhole beside
the depth sensor, looking the same way. It is fitted once a camera at preparation and
stands in dataset.json, so that records need no pixels. Used for pictures, and for
what two sensors both see.
"""

from collections.abc import Sequence

import numpy as np

from input_pipeline.dataset import PreparedDataset

# Fewest joints that tell a lens, and the largest error of one that is believed, in
# fractions of the image: what pixels are not of this camera give a larger one.
MIN_JOINTS = 100
MAX_ERROR = 0.03
# Metres at which fields of view are compared: in the middle of where people stand
# before a Kinect. Lenses that lie apart agree at one distance alone.
COMMON_DEPTH = 3.0
# What lies around the joints, of the longer side of their box: the top of the head,
# hands, feet, and what is held.
BODY_MARGIN = 0.1


def fit(points: np.ndarray, seen: np.ndarray) -> np.ndarray | None:
    """Fit a lens [2 4] by least squares of the error in the image.

    Args:
      points: [n 3] joints in metres, camera coordinates.
      seen: [n 2] the same joints as (column, row), fractions of the image; joints
        outside of it, or not finite, are not used.

    Returns:
      The lens; None if the joints are too few, stand in one plane or line, or do not
      fit a lens.
    """
    # Not finite is not inside either; a joint that was not mapped is at (0, 0).
    usable = ((seen > 0) & (seen < 1)).all(-1) & (points[:, 2] > 0)
    if usable.sum() < MIN_JOINTS:
        return None
    x, y, z = points[usable].astype(np.float64).T
    rays = np.stack([x / z, y / z, np.ones_like(z), 1 / z], axis=-1)
    solution, _, rank, _ = np.linalg.lstsq(rays, seen[usable], rcond=1e-6)
    error = np.sqrt(((rays @ solution - seen[usable]) ** 2).sum(-1).mean())
    if rank < 4 or error > MAX_ERROR:
        return None
    return solution.T.astype(np.float32)


def of_rows(
    dataset: PreparedDataset, streams: Sequence[str]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return lenses float32 [cameras s 2 4] of some streams, and each row's camera.

    None if dataset.json does not hold the lenses of all cameras for all these streams.
    """
    stored = dataset.skeleton.get("lenses", {})
    if not stored or not streams:
        return None
    cameras, slots = np.unique(dataset.index["camera"], return_inverse=True)
    try:
        found = [[stored[str(c)][stream] for stream in streams] for c in cameras]
    except KeyError:
        return None
    return np.array(found, np.float32), slots.astype(np.int64)


def common_views(lenses: np.ndarray) -> np.ndarray:
    """Return the part of each image that shows what all of them show.

    Args:
      lenses: [cameras s 2 4]; the s of a camera look at the same scene.

    Returns:
      float32 [cameras s 4], (y, x, height, width) as fractions of each image: the
      widest upright rectangle of rays that lies in all of them, `COMMON_DEPTH` away.

    Raises:
      ValueError: there is none.
    """
    turn = lenses[..., :2].astype(np.float64)  # from (x / z, y / z) to (column, row)
    shift = lenses[..., 2] + lenses[..., 3] / COMMON_DEPTH
    back = np.linalg.inv(turn)
    edges = np.array([[0.0, 0.0], [1.0, 1.0]])
    rays = np.einsum("csij,csej->csei", back, edges - shift[:, :, None])
    low, high = rays.min(2).max(1), rays.max(2).min(1)
    if (low >= high).any():
        raise ValueError("Two of the sensors see nothing in common.")
    corners = np.stack([low, high], axis=1)
    seen = np.einsum("csij,cej->csei", turn, corners) + shift[:, :, None]
    first, last = np.clip([seen.min(2), seen.max(2)], 0.0, 1.0)
    parts = np.concatenate([first[..., ::-1], (last - first)[..., ::-1]], axis=-1)
    return parts.astype(np.float32)
