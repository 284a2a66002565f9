"""The temporal adaptive module (TAM: Liu et al., ICCV 2021).

Alphabet: b batch, t frames, h w c a feature map, k taps of a kernel along time.
"""

import functools

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxact.layers.batch_norm import BatchNorm
from jaxact.ledger import BY_ELEMENT

_he = nn.initializers.variance_scaling(2.0, "fan_out", "truncated_normal")


class TAM(nn.Module):
    """A kernel along time made from the clip itself: ``[b t h w c] -> [b t h w c]``.

    With ``theta`` the mean over places ``[b t c]``: a local branch gives every frame
    and channel a factor, ``L = sigmoid(conv(ReLU(BN(conv_3(theta)))))``; a global one
    every channel a kernel, ``G = softmax_k(W_2 ReLU(BN(W_1 theta)))``; the result is
    the convolution of ``L x`` with G along time, with zeros at the ends (Eq. 3-6). The
    weights of G are tied to the number of frames.

    Attributes:
      taps: k of G.
      widening: W_1's width over the number of frames.
      reduction: channels over those between the local convolutions.
    """

    taps: int = 3
    widening: int = 2
    reduction: int = 4
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        t, c = x.shape[1], x.shape[-1]
        theta = einops.reduce(x.astype(jnp.float32), "b t h w c -> b t c", "mean")

        def dense(features: int, name: str) -> nn.Dense:
            return nn.Dense(
                features, use_bias=False, dtype=jnp.float32, kernel_init=_he, name=name
            )

        # Of every channel alike: the rows of these layers are clips and channels.
        by_channel = einops.rearrange(theta, "b t c -> b c t")
        hidden = dense(self.widening * t, "global_1")(by_channel)
        hidden = nn.relu(BatchNorm(name="global_norm")(hidden, train=train))
        kernel = jax.nn.softmax(dense(self.taps, "global_2")(hidden), axis=-1)

        # A convolution over three frames: they stand side by side as channels.
        padded = jnp.pad(theta, ((0, 0), (1, 1), (0, 0)))
        around = [padded[:, k : k + t] for k in range(3)]
        hidden = dense(c // self.reduction, "local_1")(jnp.concatenate(around, -1))
        hidden = nn.relu(BatchNorm(name="local_norm")(hidden, train=train))
        factor = jax.nn.sigmoid(dense(c, "local_2")(hidden))

        y = x.astype(self.dtype) * factor[:, :, None, None].astype(self.dtype)
        reach = self.taps // 2
        y = jnp.pad(y, ((0, 0), (reach, reach), (0, 0), (0, 0), (0, 0)))
        weights = einops.rearrange(kernel, "b c k -> k b 1 1 1 c").astype(self.dtype)
        with jax.named_scope(BY_ELEMENT):
            products = [weights[k] * y[:, k : k + t] for k in range(self.taps)]
        return functools.reduce(jnp.add, products)
