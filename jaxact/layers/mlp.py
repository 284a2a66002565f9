"""The MLP of a transformer block, its activation, and stochastic depth."""

import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxact.devices import platform


@jax.custom_jvp
def gelu(x: jax.Array) -> jax.Array:
    """Returns the exact GELU, ``x Phi(x)``, computed in float32.

    The slope is stored for the backward pass, in the dtype of ``x``, and nothing else.
    """
    wide = x.astype(jnp.float32)
    return (wide * _normal_cdf(wide)).astype(x.dtype)


@gelu.defjvp
def _gelu_jvp(
    primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    (x,), (change,) = primals, tangents
    wide = x.astype(jnp.float32)
    cdf = _normal_cdf(wide)
    density = jnp.exp(-0.5 * wide**2) * (2.0 * math.pi) ** -0.5
    slope = (cdf + wide * density).astype(x.dtype)
    return (wide * cdf).astype(x.dtype), slope * change


def _normal_cdf(x: jax.Array) -> jax.Array:
    scaled = x * 0.5**0.5
    erf = portable_erf(scaled) if platform.is_portable() else jax.lax.erf(scaled)
    return 0.5 + 0.5 * erf


def portable_erf(x: jax.Array) -> jax.Array:
    """Returns erf of float32 as ``x P(x^2) / Q(x^2)``, as exactly as XLA computes it.

    The coefficients are those by which XLA and Eigen compute it. Formats that hold no
    erf hold products.
    """
    x = jnp.clip(x, -3.7439211627767994, 3.7439211627767994)  # erf is 1 in float32
    square = x * x
    above, below = (
        functools.reduce(lambda total, c: total * square + c, some, jnp.zeros_like(x))
        for some in (_ERF_ABOVE, _ERF_BELOW)
    )
    return x * above / below


_ERF_ABOVE = (
    *(0.00022905065861350646, 0.0034082910107109506, 0.050955695062380861),
    *(0.18520832239976145, 1.128379143519084),
)
_ERF_BELOW = (
    *(-1.1791602954361697e-7, 0.000023547966471313185, 0.0010179625278914885),
    *(0.014070470171167667, 0.11098505178285362, 0.49746925110067538, 1.0),
)


class TransformerDense(nn.Dense):
    """A dense layer that starts as the vision transformers' published recipes do.

    Their truncated normal distribution is cut at a hundred deviations: at none.
    """

    kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.02)


class Mlp(nn.Module):
    """Dense, GELU (the exact, erf form), Dense; the hidden width is ``ratio * c``.

    Attributes:
      features: width of what it returns; None: that of what it is given.
      dense: what its two layers are.
    """

    ratio: float = 4.0
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32
    features: int | None = None
    dense: type[nn.Dense] = nn.Dense

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        width = x.shape[-1]
        if int(width * self.ratio) < 1:
            raise ValueError(
                f"Got an MLP of {self.ratio:g} times the width {width}: it has no "
                "channel. Choose a larger mlp_ratio."
            )
        hidden = self.dense(int(width * self.ratio), dtype=self.dtype, name="fc1")(x)
        hidden = gelu(hidden)
        hidden = nn.Dropout(self.dropout)(hidden, deterministic=not train)
        width = self.features or width
        out = self.dense(width, dtype=self.dtype, name="fc2")(hidden)
        return nn.Dropout(self.dropout)(out, deterministic=not train)


class DropPath(nn.Module):
    """Stochastic depth: drops a residual branch per example, scaling what is kept.

    The kept branches are divided by ``1 - rate``, so that the expected training
    output equals the testing output.
    """

    rate: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        if not train or self.rate == 0.0:
            return x
        shape = (x.shape[0],) + (1,) * (x.ndim - 1)
        keep = jax.random.bernoulli(self.make_rng("dropout"), 1.0 - self.rate, shape)
        return x * keep.astype(x.dtype) / (1.0 - self.rate)
