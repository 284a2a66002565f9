"""Class activation maps: where and when a network saw its class (Zhou et al. 2016)."""

from collections.abc import Mapping
from typing import Any

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
    weights = kernel.astype(jnp.float32).T[labels]
    return jnp.einsum("bthwc,bc->bthw", features.astype(jnp.float32), weights)


def of_classes(
    out: Mapping[str, Any], params: Any, labels: jax.Array
) -> jax.Array | None:
    """Returns the maps ``[b t h w]`` of these classes ``[b]``, or None.

    It is for models that return their last map as ``features`` and whose classifier
    ``head/fc`` reads the mean of it; of all others this returns None.
    """
    features = out.get("features")
    kernel = params.get("head", {}).get("fc", {}).get("kernel")
    if features is None or kernel is None or features.ndim != 5:
        return None
    if features.shape[-1] != kernel.shape[0]:
        return None
    return class_activation_maps(features, kernel, labels)
