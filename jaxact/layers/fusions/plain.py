"""The plain fusions: sum, concatenation, average of scores; no parameters of their own.

Alphabet: b batch, s streams, d width, y classes. Their loss is the cross-entropy of
the fused logits.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxact.layers.fusions import mean_of_present, mean_of_scores, only_present
from jaxact.losses import CrossEntropy


class Add(nn.Module):
    """The sum of the streams' vectors, ``[b d]``: STAFusion's Table 1.

    Of the streams that are there, times S over their number: a missing stream leaves
    the vector's size as the classifier knows it.
    """

    of_scores: ClassVar[bool] = False

    @nn.compact
    def __call__(
        self,
        streams: Mapping[str, jax.Array],
        present: jax.Array | None = None,
        *,
        train: bool = False,
    ) -> dict[str, Any]:
        tokens = streams["tokens"]
        if present is None:
            return {"token": tokens.sum(axis=1)}
        return {"token": tokens.shape[1] * mean_of_present(tokens, present)}

    def losses(self) -> tuple[Any, ...]:
        return (CrossEntropy(),)


class Concat(nn.Module):
    """The streams' vectors side by side, ``[b s*d]``; zeros for one that is missing.

    A classifier has learned both parts: one alone is meaningful only to a model that
    was trained with streams left out.
    """

    of_scores: ClassVar[bool] = False

    @nn.compact
    def __call__(
        self,
        streams: Mapping[str, jax.Array],
        present: jax.Array | None = None,
        *,
        train: bool = False,
    ) -> dict[str, Any]:
        tokens = only_present(streams["tokens"], present)
        return {"token": tokens.reshape(tokens.shape[0], -1)}

    def losses(self) -> tuple[Any, ...]:
        return (CrossEntropy(),)


class Average(nn.Module):
    """The average of the scores of the streams that are there.

    Attributes:
      of_probabilities: average softmax scores and return their logarithm, whose softmax
        is that average; otherwise the logits themselves are averaged.
      weights: of each stream, more than 0, of which only the proportions count; ():
        all alike.
    """

    of_probabilities: bool = False
    weights: tuple[float, ...] = ()
    of_scores: ClassVar[bool] = True

    @nn.compact
    def __call__(
        self,
        streams: Mapping[str, jax.Array],
        present: jax.Array | None = None,
        *,
        train: bool = False,
    ) -> dict[str, Any]:
        logits = streams["logits"]
        if not self.of_probabilities and not self.weights:
            return {"logits": mean_of_present(logits, present)}
        if self.weights and len(self.weights) != logits.shape[1]:
            raise ValueError(
                f"Got {len(self.weights)} weights {self.weights} for the scores of "
                f"{logits.shape[1]} streams; expected one each, in the streams' order "
                "(model.fusion.weights)."
            )
        logits = only_present(logits, present)
        weights = jnp.asarray(self.weights or (1.0,) * logits.shape[1], logits.dtype)
        if present is not None:
            # Of nothing at all (a row of padding) the average of zeros, not NaN.
            counted = present | ~present.any(axis=1, keepdims=True)
            weights = jnp.where(counted, weights, 0)
        shares = weights / weights.sum(axis=-1, keepdims=True)
        shares = jnp.broadcast_to(shares, logits.shape[:2])
        if not self.of_probabilities:
            return {"logits": jnp.einsum("bsy,bs->by", logits, shares)}
        return {"logits": mean_of_scores(logits, shares)}

    def losses(self) -> tuple[Any, ...]:
        return (CrossEntropy(),)
