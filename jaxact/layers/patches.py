"""Tokens of a clip: patches side by side, or windows that overlap.

Alphabet: b batch, t h w a clip or a grid of tokens, c channels, p q r a patch.
"""

from collections.abc import Sequence

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxact.layers.conv3d import conv3d
from jaxact.layers.windows import to_windows


def patches(video: jax.Array, patch: Sequence[int]) -> jax.Array:
    """Cuts ``[b t h w c]``, filled up with zeros, into patches ``[b t h w pqrc]``."""
    fill = [(-n) % k for n, k in zip(video.shape[1:4], patch, strict=True)]
    x = jnp.pad(video, ((0, 0), *((0, more) for more in fill), (0, 0)))
    t, h, w = (n // k for n, k in zip(x.shape[1:4], patch, strict=True))
    x = to_windows(x, patch)
    return einops.rearrange(x, "b (t h w) n c -> b t h w (n c)", t=t, h=h, w=w)


def place_and_time(module: nn.Module, x: jax.Array) -> jax.Array:
    """Returns learnt positions of ``[b t h w c]``, ``[1 t h w c]`` float32.

    Of each place in a frame and of each time, added: the module's parameters
    ``position [hw c]`` and ``time [t c]``.
    """
    _, t, h, w, c = x.shape
    init = nn.initializers.truncated_normal(0.02)
    place = module.param("position", init, (h * w, c))
    time = module.param("time", init, (t, c))
    place = einops.rearrange(place, "(h w) c -> 1 1 h w c", h=h)
    return place + time[None, :, None, None]


class PatchConvolution(nn.Module):
    """Overlapping windows to tokens: a strided convolution with a bias, padding k // 2.

    ``[b t h w i]`` to ``[b t h w o]``; the kernel is ``[k l m i o]``.
    """

    features: int
    window: tuple[int, int, int]
    strides: tuple[int, int, int]
    form: str = "auto"
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (*self.window, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.truncated_normal(0.02), shape)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        padding = tuple((k // 2, k // 2) for k in self.window)
        x = conv3d(
            x.astype(self.dtype),
            kernel.astype(self.dtype),
            self.strides,
            padding,
            self.form,
        )
        return x + bias.astype(self.dtype)[None, None, None, None]
