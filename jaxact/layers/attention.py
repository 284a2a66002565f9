"""Multi-head self-attention.

Alphabet: ``...`` any leading axes, q/k query and key positions, a heads, d width of a
head. Softmax is always computed in float32.
"""

import math

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxact.devices import platform

# On CPU, from so many logits on, heads are attended one after another, and in the
# backward pass anew: one head's logits stay in the cache, all heads' do not.
ONE_BY_ONE = 2**23


def attention_weights(query: jax.Array, key: jax.Array) -> jax.Array:
    """Returns softmax(Q K^T / sqrt(d)), ``[... a q k]`` float32, of ``[... n a d]``."""
    logits = jnp.einsum(
        "...qad,...kad->...aqk", query, key, preferred_element_type=jnp.float32
    )
    return jax.nn.softmax(logits * query.shape[-1] ** -0.5, axis=-1)


def attend(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    pairs: jax.Array | None = None,
    bias: jax.Array | None = None,
) -> jax.Array:
    """Returns the attended values ``[... q a d]`` of three ``[... n a d]`` arrays.

    The softmax is divided by its sum after it has met the values: a division of q x d
    numbers in place of q x k, and a backward pass of about half the time.

    Args:
      query, key, value: of a kind ``[... n a d]``.
      pairs: bool, broadcast to ``[... q k]``: which query attends to which key. One
        that attends to none gives exactly 0, in value and gradient. None is all.
      bias: what is added to the scaled logits, broadcast to ``[... a q k]``: relative
        positions. None is nothing.
    """
    # Heads come before positions: every product is then a plain batched one. On CPU
    # that is three times as fast as a contraction over positions and heads in place.
    query, key, value = (
        einops.rearrange(x, "... n a d -> ... a n d") for x in (query, key, value)
    )
    heads, queries, keys = query.shape[-3], query.shape[-2], key.shape[-2]
    logits = math.prod(query.shape[:-2]) * queries * keys
    known = isinstance(logits, int)  # not so where an export takes any batch
    if platform.platform() != "cpu" or not known or logits < ONE_BY_ONE or heads == 1:
        pairs = None if pairs is None else pairs[..., None, :, :]
        out = _attended(query, key, value, bias, pairs=pairs)
    else:
        if bias is not None:
            shape = jnp.broadcast_shapes(bias.shape, (heads, 1, 1))
            bias = jnp.broadcast_to(bias, shape)
        each = jax.tree.map(lambda x: jnp.moveaxis(x, -3, 0), (query, key, value, bias))
        one = jax.checkpoint(lambda x: _attended(*x, pairs=pairs), prevent_cse=False)
        out = jnp.moveaxis(jax.lax.map(one, each), 0, -3)
    return einops.rearrange(out, "... a n d -> ... n a d")


def _attended(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    bias: jax.Array | None,
    *,
    pairs: jax.Array | None,
) -> jax.Array:
    """Returns ``[... q d]`` of three ``[... n d]``; see `attend`."""
    logits = jnp.einsum(
        "...qd,...kd->...qk", query, key, preferred_element_type=jnp.float32
    )
    logits = logits * query.shape[-1] ** -0.5
    if bias is not None:
        logits = logits + bias.astype(jnp.float32)
    if pairs is not None:
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
    return (out / total).astype(value.dtype)


class QKV(nn.Module):
    """Projects ``[... n c]`` to query, key and value, three ``[... n a d]`` arrays.

    One fused dense layer, its output ordered (query, key, value), then heads.

    Attributes:
      dense: what the layer is.
    """

    heads: int
    dtype: DTypeLike = jnp.float32
    dense: type[nn.Dense] = nn.Dense

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        width = x.shape[-1]
        if width % self.heads:
            raise ValueError(
                f"Got width {width} and {self.heads} heads; the width must be a "
                "multiple of the number of heads."
            )
        qkv = self.dense(3 * width, dtype=self.dtype, name="qkv")(x)
        # Split before the heads: the backward pass is then one concatenation.
        query, key, value = (
            einops.rearrange(part, "... (a d) -> ... a d", a=self.heads)
            for part in jnp.split(qkv, 3, axis=-1)
        )
        return query, key, value
