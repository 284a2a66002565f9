"""HCN's treatment of skeletons, on the device: origin and motion; what is missing.

Skeletons are ``[b m t v 3]``: batch, person, frame, joint, metres. A joint whose
coordinates are not finite, or all zero (the camera itself), was not seen: it is
missing. A person with no other joints is absent in that frame. So it is in records.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp


def present_joints(skeleton: jax.Array) -> jax.Array:
    """Says which joints were seen: ``[b m t v 3] -> bool [b m t v]``."""
    return (jnp.abs(skeleton) < jnp.inf).all(axis=-1) & (skeleton != 0.0).any(axis=-1)


def positions_and_motion(
    skeleton: jax.Array, origin: Sequence[int] = (1,)
) -> tuple[jax.Array, jax.Array]:
    """Moves the origin to a joint of the first person, frame by frame; and its motion.

    ``P_t = S_t - O_t``, ``M_t = P_t - P_{t-1}`` and ``M_0 = 0`` (CC-DFARM eq. 2, which
    leaves one end undefined; HCN, Li et al. 2018). O is the mean of the first person's
    joints ``origin``; where none of them was seen, of all joints that were; where the
    first person is absent, of the next one. Missing joints and absent persons get zeros
    in P. Motion is zero from and to a frame in which the joint is missing, and where
    the origin passes to another person or to other joints: there is no jump.

    Args:
      skeleton: float32 ``[b m t v 3]``; zeros or NaN where nothing was seen.
      origin: joints, counted from 0; 1 is the middle of the spine of Kinect.

    Returns:
      Positions and motion, both finite, ``[b m t v 3]``.

    Raises:
      ValueError: there is no such joint, or none is named.
    """
    joints = skeleton.shape[3]
    if not origin or not all(0 <= joint < joints for joint in origin):
        raise ValueError(
            f"Got origin={tuple(origin)}; expected one or more joints of the "
            f"{joints}, counted from 0."
        )
    seen = present_joints(skeleton)
    points = jnp.where(seen[..., None], skeleton, 0.0)

    def mean(chosen: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The mean of the chosen joints, and whether there is one."""
        number = chosen.sum(axis=3)
        total = jnp.where(chosen[..., None], points, 0.0).sum(axis=3)
        return total / jnp.maximum(number, 1)[..., None], number > 0

    named = jnp.zeros(joints, bool).at[jnp.asarray(origin)].set(True)
    of_named, there = mean(seen & named[None, None, None])
    of_all, present = mean(seen)
    centres = jnp.where(there[..., None], of_named, of_all)  # [b m t 3]
    # Of the persons in each frame; 0 if all are absent. (Of an argmax LiteRT has none.)
    first = jnp.zeros(present[:, 0].shape, jnp.int32)
    for person in reversed(range(1, present.shape[1])):
        first = jnp.where(present[:, person], person, first)
    first = jnp.where(present[:, 0], 0, first)
    centre = jnp.take_along_axis(centres, first[:, None, :, None], axis=1)
    positions = jnp.where(seen[..., None], points - centre[:, :, :, None], 0.0)
    moved = positions[:, :, 1:] - positions[:, :, :-1]
    source = 2 * first + jnp.take_along_axis(there, first[:, None], axis=1)[:, 0]
    same = (source[:, 1:] == source[:, :-1])[:, None, :, None]
    both = seen[:, :, 1:] & seen[:, :, :-1] & same
    motion = jnp.where(both[..., None], moved, 0.0)
    motion = jnp.pad(motion, ((0, 0), (0, 0), (1, 0), (0, 0), (0, 0)))
    return positions, motion
