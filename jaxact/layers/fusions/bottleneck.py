"""Bottleneck tokens (MBT: Nagrani et al., NeurIPS 2021) behind any backbone.

Alphabet: b batch, s streams, n tokens of a stream (its vector first), f bottleneck
tokens, d width.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxact.layers.fusions import mean_of_present, sequences
from jaxact.layers.fusions.blocks import Block, norm
from jaxact.losses import CrossEntropy


class Bottleneck(nn.Module):
    """Further blocks of every stream, which meet in a few shared tokens alone.

    In each layer (MBT eq. 8 and 9)::

        [z_s, z_f,s] = block_s([z_s, z_f])        of every stream s
        z_f = mean over the streams of z_f,s

    The last ``layers`` of the network's blocks thus stand here, each stream's with
    weights of its own: a backbone of 8 blocks and 4 layers are MBT's 12 with fusion
    from the eighth on. The classifier reads the mean of the streams' vectors, after a
    last norm. A missing stream is left out of both means: one alone has the bottleneck
    to itself.

    Attributes:
      layers: how many.
      tokens: of the bottleneck.
      heads: of the attention; they divide the width.
    """

    layers: int = 4
    tokens: int = 4
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
        b, _, d = each[0].shape
        init = nn.initializers.normal(0.02)
        shared = self.param("bottleneck", init, (self.tokens, d))
        shared = jnp.broadcast_to(shared, (b, *shared.shape)).astype(each[0].dtype)
        for layer in range(self.layers):
            after = []
            for i, x in enumerate(each):
                block = Block(self.heads, name=f"block_{layer}_{i}")
                joined = block(jnp.concatenate([x, shared], axis=1), train=train)
                each[i], own = jnp.split(joined, [x.shape[1]], axis=1)
                after.append(own)
            shared = mean_of_present(jnp.stack(after, axis=1), present)
        tokens = [norm(f"norm_{i}", x.dtype)(x[:, 0]) for i, x in enumerate(each)]
        return {"token": mean_of_present(jnp.stack(tokens, axis=1), present)}

    def losses(self) -> tuple[Any, ...]:
        return (CrossEntropy(),)
