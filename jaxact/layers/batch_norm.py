"""Batch norm, with a frozen form that moves nothing."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

EPSILON, MOMENTUM = 1e-5, 0.9  # momentum: the share of the old statistics that stays


class BatchNorm(nn.Module):
    """Batch norm over all axes but the last: ``(x - mean) / sqrt(var + eps) * s + b``.

    Statistics are float32. ``frozen`` takes the stored ones in training too and lets no
    gradient reach scale and bias: nothing in the layer moves.
    """

    frozen: bool = False
    scale_init: Any = nn.initializers.ones_init()
    dtype: DTypeLike = jnp.float32
    epsilon: float = EPSILON

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        size = (x.shape[-1],)
        mean = self.variable("batch_stats", "mean", jnp.zeros, size)
        var = self.variable("batch_stats", "var", jnp.ones, size)
        scale = self.param("scale", self.scale_init, size)
        bias = self.param("bias", nn.initializers.zeros_init(), size)
        now, spread = mean.value, var.value
        if self.frozen:
            scale, bias = jax.lax.stop_gradient((scale, bias))
        elif train:
            axes = tuple(range(x.ndim - 1))
            y = x.astype(jnp.float32)
            now = y.mean(axes)
            spread = jnp.maximum(jnp.square(y).mean(axes) - jnp.square(now), 0.0)
            if not self.is_initializing():
                mean.value = MOMENTUM * mean.value + (1 - MOMENTUM) * now
                var.value = MOMENTUM * var.value + (1 - MOMENTUM) * spread
        factor = scale * jax.lax.rsqrt(spread + self.epsilon)
        shift = bias - now * factor
        # One multiply-add an element.
        shape = (1,) * (x.ndim - 1) + size
        y = x.astype(jnp.float32) * factor.reshape(shape) + shift.reshape(shape)
        return y.astype(self.dtype)
