"""Masked attention (STAFusion, section 3.4, Eq. 9-12).

Alphabet: b batch, n tokens, a heads, d width of a head.
"""

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxact.layers.attention import QKV, attend

LAYER_NORM_EPSILON = 1e-6


def masked_attention(
    query: jax.Array, key: jax.Array, value: jax.Array, keep: jax.Array
) -> jax.Array:
    """Attention among kept tokens only (Eq. 9-12).

    ``M_ij = keep_i keep_j``, ``P = Q K^T / sqrt(d)`` with -inf where M is 0, and
    ``(softmax(P) * M) V``. Dropped tokens neither give nor receive anything: their
    rows are exactly 0, in value and gradient, also where nothing at all is kept.

    Args:
      query, key, value: ``[b n a d]``.
      keep: ``[b n]`` bool.

    Returns:
      ``[b n a d]`` in the dtype of ``value``; softmax is computed in float32.
    """
    keep = jnp.broadcast_to(keep.astype(bool), query.shape[:-2])
    # 0 * NaN is NaN: what is dropped must not be able to spoil a kept row, nor a sum
    # over all rows in the backward pass.
    query, key, value = (
        jnp.where(keep[..., None, None], x, 0) for x in (query, key, value)
    )
    return attend(query, key, value, keep[..., :, None] & keep[..., None, :])


class MaskedSelfAttention(nn.Module):
    """Self-attention ``[... n c] -> [... n c]`` among the kept tokens.

    With ``keep=None`` every token attends to every token.
    """

    heads: int
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: jax.Array, keep: jax.Array | None, *, train: bool
    ) -> jax.Array:
        query, key, value = QKV(self.heads, self.dtype, name="in_proj")(x)
        if keep is None:
            out = attend(query, key, value)
        else:
            out = masked_attention(query, key, value, keep)
        out = einops.rearrange(out, "... a d -> ... (a d)")
        out = nn.Dense(x.shape[-1], dtype=self.dtype, name="out_proj")(out)
        return nn.Dropout(self.dropout)(out, deterministic=not train)
