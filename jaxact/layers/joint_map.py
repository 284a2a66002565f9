"""Where the joints are, as a map beside that of a video's features."""

import jax
import jax.numpy as jnp
import numpy as np


def joint_map(seen: jax.Array, t: int, h: int, w: int) -> jax.Array:
    """Returns how much of each joint lies in each place of a map, ``[b t h w v]``.

    A joint's weight of 1 in a frame is shared among the four cells whose centres are
    around it, as bilinear interpolation does; outside of the outer centres it fades
    over one cell. A step of the map shows the mean of its frames. Persons are added. A
    joint that is nowhere (NaN) has no weight.

    Args:
      seen: ``[b f m v 2]``, (column, row) as fractions of the frame, see
        `jaxact.out.JOINTS_SEEN`.
      t, h, w: of the map; its t steps, at most f, share the frames evenly.
    """
    frames = seen.shape[1]
    steps = np.arange(frames) * t // frames
    of_step = np.eye(t, dtype=np.float32)[steps]  # [f t]
    of_step /= of_step.sum(axis=0)
    seen = jnp.where(jnp.isnan(seen), -1.0, seen)  # a whole frame away: in no cell

    def near(places: jax.Array, cells: int) -> jax.Array:
        centres = (np.arange(cells) + 0.5).reshape((1,) * places.ndim + (cells,))
        return jnp.maximum(0.0, 1.0 - jnp.abs(places[..., None] * cells - centres))

    columns, rows = near(seen[..., 0], w), near(seen[..., 1], h)
    inside = jnp.einsum("bfmvy,bfmvx->bfyxv", rows, columns)
    return jnp.einsum("bfyxv,ft->btyxv", inside, of_step)
