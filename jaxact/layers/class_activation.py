"""Class activation maps: where and when a network saw its class (Zhou et al. 2016)."""

import jax
import jax.numpy as jnp


def class_activation_maps(
    features: jax.Array, kernel: jax.Array, labels: jax.Array
) -> jax.Array:
    """Returns what every position adds to a class's logit, ``sum_c w_cy F_thwc``.

    For a network whose classifier reads the mean of its last feature map, the mean of
    the map plus the class's bias is the logit.

    Args:
      features: ``[b t h w c]``, the last feature map.
      kernel: ``[c y]``, the classifier's weights.
      labels: int ``[b]``, the class to look at: predicted or true.

    Returns:
      float32 ``[b t h w]``.
    """
    with jax.named_scope("activation"):
        weights = kernel.astype(jnp.float32).T[labels]
        return jnp.einsum("bthwc,bc->bthw", features.astype(jnp.float32), weights)
