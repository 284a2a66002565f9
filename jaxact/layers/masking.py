"""Self-attention, also among some of the tokens (STAFusion, section 3.4, Eq. 9-12).

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


class SelfAttention(nn.Module):
    """Self-attention ``[... n c] -> [... n c]``; also returns queries and keys.

    Attributes:
      over_time: of ``[b t n c]`` every position attends over its own t frames;
        otherwise every frame over its own n positions.
    """

    heads: int
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32
    over_time: bool = False

    @nn.compact
    def __call__(
        self, x: jax.Array, keep: jax.Array | None = None, *, train: bool
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Attends among the tokens of ``keep [... n]``; None: among all of them."""
        query, key, value = QKV(self.heads, self.dtype, name="in_proj")(x)
        if self.over_time:
            # Turned here and not before the projection: attention wants the heads
            # before the frames anyway, and one copy does both.
            query, key, value = (
                einops.rearrange(part, "b t n a d -> b n t a d")
                for part in (query, key, value)
            )
        if keep is None:
            out = attend(query, key, value)
        else:
            out = masked_attention(query, key, value, keep)
        if self.over_time:
            out = einops.rearrange(out, "b n t a d -> b t n a d")
        out = einops.rearrange(out, "... n a d -> ... n (a d)")
        out = nn.Dense(x.shape[-1], dtype=self.dtype, name="out_proj")(out)
        out = nn.Dropout(self.dropout)(out, deterministic=not train)
        return out, query, key
