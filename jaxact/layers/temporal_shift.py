"""Moving channels along time: how a network of image convolutions sees neighbours.

Temporal shift (TSM; Lin et al. 2019), section 2.1 of TSM-NetVLAD. Alphabet: b batch,
t frames, h w c a feature map.
"""

import jax
import jax.numpy as jnp


def shifted_channels(channels: int, fraction: float) -> int:
    """Returns how many channels move each way: ``floor(fraction * channels)``.

    Raises:
      ValueError: the fraction is negative, or more than all channels would move.
    """
    if not 0 <= fraction <= 0.5:
        raise ValueError(
            f"Got a shift of {fraction} of the channels each way; it must be in "
            "[0, 1/2], and is 1/8 in the paper."
        )
    # Rounding: 0.29 * 100 is a little less than 29.
    return int(fraction * channels + 1e-3)


def temporal_shift(x: jax.Array, fraction: float = 1 / 8) -> jax.Array:
    """Gives every frame some channels of its neighbours (section 2.1).

    Of the channels, the first ``fraction`` take the value of the next frame, the second
    ``fraction`` that of the previous one, the rest stay. Zeros enter at the ends. With
    the 1x1 convolution behind it this is a convolution over three frames (Eq. 1-3),
    without parameters and without arithmetic of its own.

    Args:
      x: ``[b t h w c]``.
      fraction: of the channels, each way.

    Returns:
      ``[b t h w c]`` of the same dtype.
    """
    count = shifted_channels(x.shape[-1], fraction)
    ahead, behind, rest = jnp.split(x, (count, 2 * count), axis=-1)
    frame = [(0, 0)] * x.ndim
    later, earlier = list(frame), list(frame)
    later[1], earlier[1] = (0, 1), (1, 0)
    return jnp.concatenate(
        [jnp.pad(ahead[:, 1:], later), jnp.pad(behind[:, :-1], earlier), rest], axis=-1
    )
