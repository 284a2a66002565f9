"""Cross-attention between the streams' tokens.

Alphabet: b batch, s streams, n tokens of a stream (its vector first), d width, a heads.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxact.layers.attention import attend
from jaxact.layers.fusions import check_several, mean_of_present, sequences
from jaxact.layers.fusions.blocks import norm
from jaxact.layers.mlp import gelu
from jaxact.losses import CrossEntropy


class CrossAttention(nn.Module):
    """Every stream's tokens ask those of all others; the vectors are then averaged.

    A layer, with weights of its own for every stream, pre-norm::

        x_s = x_s + attention(queries of x_s, keys and values of all x_r, r != s)
        x_s = x_s + MLP(x_s)

    What is added starts at zero: a fresh module averages the streams' vectors. A
    missing stream answers nobody, and is left out of the average; one alone hears
    nothing (only biases), to which a classifier must have been trained.

    Attributes:
      layers: how many.
      heads: of the attention; they divide the width.
    """

    layers: int = 1
    heads: int = 4
    of_scores: ClassVar[bool] = False
    of_patches: ClassVar[bool] = True

    @nn.compact
    def __call__(
        self,
        streams: Mapping[str, Any],
        present: jax.Array | None = None,
        *,
        train: bool = False,
    ) -> dict[str, Any]:
        """Returns ``token [b d]``."""
        each = sequences(streams, present)
        b, s = each[0].shape[0], len(each)
        check_several(s, "streams that ask one another")
        there = jnp.ones((b, s), bool) if present is None else present
        # Of whom a stream's queries may ask: keys [b s 1 n], of all streams' tokens.
        asked = there[:, None] & ~jnp.eye(s, dtype=bool)[None]
        owner = np.repeat(np.arange(s), [x.shape[1] for x in each])
        pairs = asked[:, :, None, owner]
        for layer in range(self.layers):
            normed = [norm(f"norm_{layer}_{i}", x.dtype)(x) for i, x in enumerate(each)]
            everything = jnp.concatenate(normed, axis=1)
            each = [
                self._layer(x, normed[i], everything, pairs[:, i], f"{layer}_{i}")
                for i, x in enumerate(each)
            ]
        tokens = jnp.stack([x[:, 0] for x in each], axis=1)
        return {"token": mean_of_present(tokens, present)}

    def _layer(
        self,
        x: jax.Array,
        normed: jax.Array,
        everything: jax.Array,
        pairs: jax.Array,
        name: str,
    ) -> jax.Array:
        """Returns one stream ``[b n d]`` after one layer."""
        d, dtype = x.shape[-1], x.dtype
        if d % self.heads:
            raise ValueError(
                f"Got vectors of width {d} and {self.heads} heads; the width must be "
                "a multiple of the number of heads (model.fusion.heads)."
            )

        def project(x: jax.Array, part: str) -> jax.Array:
            x = nn.Dense(d, dtype=dtype, name=f"{part}_{name}")(x)
            return einops.rearrange(x, "b n (a d) -> b n a d", a=self.heads)

        def onto_zero(part: str) -> nn.Dense:
            zeros = nn.initializers.zeros_init()
            return nn.Dense(d, dtype=dtype, kernel_init=zeros, name=f"{part}_{name}")

        heard = attend(
            project(normed, "query"),
            project(everything, "key"),
            project(everything, "value"),
            pairs,
        )
        x = x + onto_zero("out")(einops.rearrange(heard, "b n a d -> b n (a d)"))
        hidden = nn.Dense(4 * d, dtype=dtype, name=f"fc1_{name}")
        return x + onto_zero("fc2")(gelu(hidden(norm(f"mlp_norm_{name}", dtype)(x))))

    def losses(self) -> tuple[Any, ...]:
        return (CrossEntropy(),)
