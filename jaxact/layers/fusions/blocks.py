"""What fusions of tokens are made of. Alphabet: b batch, n tokens, d width."""

import flax.linen as nn
import jax

from jaxact.layers.masking import LAYER_NORM_EPSILON, SelfAttention
from jaxact.layers.mlp import Mlp


def norm(name: str, dtype: jax.typing.DTypeLike) -> nn.LayerNorm:
    """Returns a transformer's layer norm."""
    return nn.LayerNorm(epsilon=LAYER_NORM_EPSILON, dtype=dtype, name=name)


class Block(nn.Module):
    """A pre-norm transformer block, ``[b n d]`` to the same; widths are the input's."""

    heads: int

    @nn.compact
    def __call__(
        self, x: jax.Array, keep: jax.Array | None = None, *, train: bool = False
    ) -> jax.Array:
        """Attends among the tokens of ``keep [b n]``; None: among all."""
        attention = SelfAttention(self.heads, dtype=x.dtype, name="attention")
        x = x + attention(norm("norm", x.dtype)(x), keep, train=train)[0]
        mlp = Mlp(dtype=x.dtype, name="mlp")
        return x + mlp(norm("mlp_norm", x.dtype)(x), train=train)
