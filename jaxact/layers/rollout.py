"""Attention rollout: which patches the class token has looked at, over all layers.

Alphabet: ``...`` any leading axes, q/k query and key positions, n tokens, a heads, d
width of a head.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxact.layers.attention import attention_weights


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
