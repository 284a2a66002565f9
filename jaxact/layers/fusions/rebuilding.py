"""Training with dropped streams (ActionMAE: Woo et al., AAAI 2023).

Alphabet: b batch, s streams, d width.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxact.batch import Batch
from jaxact.layers.fusions import check_several, only_present
from jaxact.layers.fusions.blocks import Block, norm
from jaxact.losses import CrossEntropy
from jaxact.out import Out


@dataclasses.dataclass(frozen=True)
class Reconstruction:
    """The mean squared error of the vectors that were dropped and rebuilt: ``[b]``."""

    name: str = "reconstruction"
    weight: float = 1.0
    error: str = "reconstruction_error"

    def __call__(self, out: Out, batch: Batch) -> jax.Array:
        return out[self.error]


def keep_some(key: jax.Array, present: jax.Array) -> jax.Array:
    """Leaves K of a clip's N streams out, bool ``[b s]``; K is evenly 0 to N - 1."""
    order, count = jax.random.split(key)
    chance = jax.random.uniform(order, present.shape)
    # The rank of a stream among those that are there; the others come last.
    place = jnp.where(present, chance, 2.0).argsort(axis=1).argsort(axis=1)
    n = present.sum(axis=1)
    dropped = jnp.floor(jax.random.uniform(count, n.shape) * n)
    return present & (place >= dropped[:, None])


class ActionMAE(nn.Module):
    """Streams are left out at random in training, and rebuilt from the others.

    An encoder reads the vectors that are left and a memory token; a decoder reads what
    it says, with one mask token for each vector that is not there, and rebuilds these
    by the mean squared error; transformer blocks over the vectors of all streams,
    given or rebuilt, end in their mean, the token. In testing what is missing is
    rebuilt, and nothing is left out.

    Attributes:
      layers: of the encoder, of the decoder, and of the blocks behind.
      heads: of the attention; they divide the width.
      reconstruction_weight: of the error in the loss.
    """

    layers: int = 1
    heads: int = 4
    reconstruction_weight: float = 1.0
    of_scores: ClassVar[bool] = False

    @nn.compact
    def __call__(
        self,
        streams: Mapping[str, jax.Array],
        present: jax.Array | None = None,
        *,
        train: bool = False,
    ) -> dict[str, Any]:
        """Returns ``token [b d]``, ``rebuilt [b s d]`` of every stream and
        ``reconstruction_error [b]``; all is float32."""
        tokens = only_present(streams["tokens"], present).astype(jnp.float32)
        b, s, d = tokens.shape
        check_several(s, "streams to leave out and rebuild")
        there = jnp.ones((b, s), bool) if present is None else present
        kept = keep_some(self.make_rng("dropout"), there) if train else there
        init = nn.initializers.normal(0.02)
        place = self.param("place", init, (1, s, d))
        mask = self.param("mask_token", init, (1, 1, d))
        memory = jnp.broadcast_to(self.param("memory", init, (1, 1, d)), (b, 1, d))
        first = jnp.ones((b, 1), bool)

        x = jnp.concatenate([memory, only_present(tokens, kept) + place], axis=1)
        x = self._blocks("encoder", x, jnp.concatenate([first, kept], axis=1), train)
        own = jnp.where(kept[..., None], x[:, 1:], mask) + place
        x = self._blocks("decoder", jnp.concatenate([x[:, :1], own], 1), None, train)
        rebuilt = nn.Dense(d, name="rebuild")(norm("decoder_norm", x.dtype)(x[:, 1:]))

        error = jnp.square(rebuilt - jax.lax.stop_gradient(tokens)).mean(axis=-1)
        dropped = there & ~kept
        count = jnp.maximum(dropped.sum(axis=1), 1)
        whole = jnp.where(kept[..., None], tokens, rebuilt)
        fused = self._blocks("fusion", whole + place, None, train).mean(axis=1)
        return {
            "token": norm("fusion_norm", fused.dtype)(fused),
            "rebuilt": rebuilt,
            "reconstruction_error": jnp.where(dropped, error, 0).sum(axis=1) / count,
        }

    def _blocks(
        self, name: str, x: jax.Array, keep: jax.Array | None, train: bool
    ) -> jax.Array:
        for layer in range(self.layers):
            x = Block(self.heads, name=f"{name}_{layer}")(x, keep, train=train)
        return x

    def losses(self) -> tuple[Any, ...]:
        return (CrossEntropy(), Reconstruction(weight=self.reconstruction_weight))
