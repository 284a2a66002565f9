"""Multi-head self-attention and attention rollout.

Alphabet: ``...`` any leading axes, q/k query and key positions, a heads, d width of a
head. Softmax is always computed in float32.
"""

import math
from collections.abc import Sequence

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike


def attention_weights(query: jax.Array, key: jax.Array) -> jax.Array:
    """Returns softmax(Q K^T / sqrt(d)), ``[... a q k]`` float32, of ``[... n a d]``."""
    logits = jnp.einsum(
        "...qad,...kad->...aqk", query, key, preferred_element_type=jnp.float32
    )
    return jax.nn.softmax(logits * query.shape[-1] ** -0.5, axis=-1)


def attend(
    query: jax.Array, key: jax.Array, value: jax.Array, pairs: jax.Array | None = None
) -> jax.Array:
    """Returns the attended values ``[... q a d]`` of three ``[... n a d]`` arrays.

    The softmax is divided by its sum after it has met the values: a division of q x d
    numbers in place of q x k, and a backward pass of about half the time.

    Args:
      query, key, value: of a kind ``[... n a d]``.
      pairs: bool, broadcast to ``[... q k]``: which query attends to which key. One
        that attends to none gives exactly 0, in value and gradient. None is all.
    """
    # Heads come before positions: every product is then a plain batched one. On CPU
    # that is three times as fast as a contraction over positions and heads in place.
    query, key, value = (
        einops.rearrange(x, "... n a d -> ... a n d") for x in (query, key, value)
    )
    logits = jnp.einsum(
        "...qd,...kd->...qk", query, key, preferred_element_type=jnp.float32
    )
    logits = logits * query.shape[-1] ** -0.5
    if pairs is not None:
        pairs = pairs[..., None, :, :]
        # A finite floor in place of -inf: a row without any pair has no NaN.
        logits = jnp.where(pairs, logits, jnp.finfo(jnp.float32).min)
    # Softmax does not depend on what is subtracted, so no gradient is lost.
    weights = jnp.exp(
        logits - jax.lax.stop_gradient(logits.max(axis=-1, keepdims=True))
    )
    if pairs is not None:
        weights = jnp.where(pairs, weights, 0.0)
    total = weights.sum(axis=-1, keepdims=True)
    if pairs is not None:
        total = jnp.where(total > 0, total, 1.0)
    out = jnp.einsum(
        "...qk,...kd->...qd",
        weights.astype(value.dtype),
        value,
        preferred_element_type=jnp.float32,
    )
    return einops.rearrange(out / total, "... a n d -> ... n a d").astype(value.dtype)


class QKV(nn.Module):
    """Projects ``[... n c]`` to query, key and value, three ``[... n a d]`` arrays.

    One fused dense layer, its output ordered (query, key, value), then heads.
    """

    heads: int
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        width = x.shape[-1]
        if width % self.heads:
            raise ValueError(
                f"Got width {width} and {self.heads} heads; the width must be a "
                "multiple of the number of heads."
            )
        qkv = nn.Dense(3 * width, dtype=self.dtype, name="qkv")(x)
        # Split before the heads: the backward pass is then one concatenation.
        query, key, value = (
            einops.rearrange(part, "... (a d) -> ... a d", a=self.heads)
            for part in jnp.split(qkv, 3, axis=-1)
        )
        return query, key, value


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
    return 0.5 + 0.5 * jax.lax.erf(x * 0.5**0.5)


class Mlp(nn.Module):
    """Dense, GELU (the exact, erf form), Dense; the hidden width is ``ratio * c``."""

    ratio: float = 4.0
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        width = x.shape[-1]
        hidden = nn.Dense(int(width * self.ratio), dtype=self.dtype, name="fc1")(x)
        hidden = gelu(hidden)
        hidden = nn.Dropout(self.dropout)(hidden, deterministic=not train)
        out = nn.Dense(width, dtype=self.dtype, name="fc2")(hidden)
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


def _check_heads(heads: str) -> None:
    if heads not in ("product", "mean"):
        raise ValueError(f"Got heads={heads!r}; expected 'product' or 'mean'.")


def attention_rollout(
    attentions: Sequence[jax.Array], residual: bool = True, heads: str = "product"
) -> jax.Array:
    """Multiplies the attention of all layers, A = A_L ... A_2 A_1 (STAFusion Eq. 5-7).

    Args:
      attentions: one ``[... a q k]`` array of attention weights a layer, first layer
        first, with as many queries as keys.
      residual: True multiplies ``0.5 A + 0.5 I`` with rows made to sum to one, as in
        the method Eq. 6 cites (attention rollout, Abnar and Zuidema 2020); False is
        the plain product of Eq. 6.
      heads: "product" multiplies per head and averages the heads after (Eq. 7);
        "mean" averages the heads of each layer first.

    Returns:
      ``[... q k]`` float32. No gradient flows through it. For scores of the class
      token alone `class_rollout` gives the same row at a fraction of the cost.
    """
    _check_heads(heads)
    rollout: jax.Array | None = None
    for attention in attentions:
        attention = jax.lax.stop_gradient(attention).astype(jnp.float32)
        if heads == "mean":
            attention = attention.mean(axis=-3, keepdims=True)
        if residual:
            identity = jnp.broadcast_to(jnp.eye(attention.shape[-1]), attention.shape)
            attention = 0.5 * attention + 0.5 * identity
            attention = attention / attention.sum(axis=-1, keepdims=True)
        rollout = attention if rollout is None else attention @ rollout
    if rollout is None:
        raise ValueError("Got no attention maps; expected one for each layer.")
    return rollout.mean(axis=-3)


def class_rollout(
    queries: Sequence[jax.Array],
    keys: Sequence[jax.Array],
    residual: bool = True,
    heads: str = "product",
) -> jax.Array:
    """Returns the class token's row of `attention_rollout`, over the patch tokens.

    Only ``e_cls A_L ... A_1`` is asked for, which is a chain of vector-matrix products;
    each A_l is made again from the layer's queries and keys, so that a training step
    never holds the maps of all layers.

    Args:
      queries, keys: one ``[... 1+n a d]`` array a layer, first layer first; token 0 is
        the class token.
      residual, heads: see `attention_rollout`.

    Returns:
      Scores of the patch tokens ``[... n]`` float32; no gradient flows through them.
    """
    _check_heads(heads)
    if not queries or len(queries) != len(keys):
        raise ValueError(
            f"Got queries of {len(queries)} layers and keys of {len(keys)}; expected "
            "one of each for every layer."
        )
    row: jax.Array | None = None
    for query, key in zip(reversed(queries), reversed(keys), strict=True):
        query, key = jax.lax.stop_gradient((query, key))
        if row is None:  # the first product only picks the class token's own row
            attention = attention_weights(query[..., :1, :, :], key)
            step = attention[..., 0, :]
            if heads == "mean":
                step = step.mean(axis=-2, keepdims=True)
            row = jnp.zeros_like(step).at[..., 0].set(1.0)
        else:
            attention = attention_weights(query, key)
            if heads == "mean":
                attention = attention.mean(axis=-3, keepdims=True)
            step = jnp.einsum("...aq,...aqk->...ak", row, attention)
        # Rows of softmax sum to one, so 0.5 A + 0.5 I needs no renormalisation.
        row = 0.5 * step + 0.5 * row if residual else step
    assert row is not None
    return row.mean(axis=-2)[..., 1:]
