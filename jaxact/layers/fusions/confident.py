"""Fusions by confidence: QMF and PDF, see `jaxact.layers.confidence`.

Alphabet: b batch, s streams, d width, y classes.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxact.batch import PRESENT, Batch
from jaxact.layers import confidence
from jaxact.layers.fusions import only_present
from jaxact.losses import CrossEntropy, at_label
from jaxact.out import Out


@dataclasses.dataclass(frozen=True)
class StreamCrossEntropy:
    """The sum of the cross-entropies of the streams that are there: ``[b]``."""

    name: str = "stream_cross_entropy"
    weight: float = 1.0
    logits: str = "stream_logits"

    def __call__(self, out: Out, batch: Batch) -> jax.Array:
        log_p = jax.nn.log_softmax(out[self.logits].astype(jnp.float32))
        own = at_label(log_p, batch)
        return -only_present(own, batch.get(PRESENT)).sum(axis=-1)


@dataclasses.dataclass(frozen=True)
class RankLoss:
    """`confidence.rank_loss` of the streams that are there: ``[b]``."""

    name: str = "rank"
    weight: float = 0.1
    variant: confidence.Variant = "paper"

    def __call__(self, out: Out, batch: Batch) -> jax.Array:
        each = confidence.rank_loss(out["confidence"], out["hardness"], self.variant)
        return only_present(each, batch.get(PRESENT)).sum(axis=-1)


class QMF(nn.Module):
    """Scores weighed by the energy of their logits (Zhang et al. 2023).

    ``l = sum_s conf_s l_s``, ``conf_s = 0.1 logsumexp(l_s)``; 0 for a missing stream.
    With a ``history`` of all clips, a stream shall be the less confident of a clip the
    harder it was: by its cross-entropies so far, added up by the clip's id (a variable
    of "batch_stats"), see `confidence.rank_loss`.

    Attributes:
      detached: see `confidence.quality_fusion`.
      history: the number of clips of the data set, of all splits, over which hardness
        is kept; 0: no ranking loss.
      rank_weight: of the ranking loss; the public code has .1 or 1.
      rank_variant: see `confidence.rank_loss`.
    """

    detached: bool = False
    history: int = 0
    rank_weight: float = 0.1
    rank_variant: confidence.Variant = "paper"
    of_scores: ClassVar[bool] = True

    @nn.compact
    def __call__(
        self,
        streams: Mapping[str, jax.Array],
        present: jax.Array | None = None,
        *,
        train: bool = False,
    ) -> dict[str, Any]:
        """Returns ``logits [b y]`` and ``confidence [b s]``; in training with a history
        also ``hardness [b s]``, 0 to 1, of the clips before this batch."""
        each = only_present(streams["logits"], present)
        logits, sure = confidence.quality_fusion(each, present, detached=self.detached)
        out = {"logits": logits, "confidence": sure}
        if self.history:
            shape = (self.history, each.shape[1])
            total = self.variable("batch_stats", "hardness", jnp.zeros, shape)
            if train:
                clip = streams["id"]
                out["hardness"] = confidence.relative_hardness(total.value)[clip]
                total.value = total.value.at[clip].add(_errors(streams, present))
        return out

    def losses(self) -> tuple[Any, ...]:
        terms = (CrossEntropy(), StreamCrossEntropy())
        if not self.history:
            return terms
        return (*terms, RankLoss(weight=self.rank_weight, variant=self.rank_variant))


def _errors(streams: Mapping[str, jax.Array], present: jax.Array | None) -> jax.Array:
    """Returns every stream's cross-entropy ``[b s]``, 0 of what is not there."""
    log_p = jax.nn.log_softmax(streams["logits"].astype(jnp.float32))
    own = jnp.take_along_axis(log_p, streams["label"][:, None, None], axis=-1)[..., 0]
    real = (
        streams["mask"][:, None]
        if present is None
        else (streams["mask"][:, None] & present)
    )
    return jax.lax.stop_gradient(jnp.where(real, -own, 0.0))


class PDF(nn.Module):
    """Scores weighed by a guess of each stream's own success (Cao et al. 2024).

    ``p_s = sigmoid(MLP(f_s))``, of widths 2d, d and 1 without activations between, as
    published, on features without gradient; the weights are `confidence.
    predictive_fusion`'s. In testing co-belief is calibrated. A stream alone weighs 1.
    """

    of_scores: ClassVar[bool] = True

    @nn.compact
    def __call__(
        self,
        streams: Mapping[str, jax.Array],
        present: jax.Array | None = None,
        *,
        train: bool = False,
    ) -> dict[str, Any]:
        """Returns ``logits [b y]``, ``confidence [b s]`` and ``weights [b s]``."""
        each = only_present(streams["logits"], present)
        tokens = only_present(streams["tokens"], present).astype(jnp.float32)
        tokens = jax.lax.stop_gradient(tokens)
        width = tokens.shape[-1]
        guesses = []
        for index in range(tokens.shape[1]):
            x = tokens[:, index]
            for layer, size in enumerate((2 * width, width, 1)):
                x = nn.Dense(size, name=f"confidence_{index}_{layer}")(x)
            guesses.append(jax.nn.sigmoid(x[:, 0]))
        guess = jnp.stack(guesses, axis=1)
        logits, weights = confidence.predictive_fusion(
            each, guess, present, calibrated=not train and tokens.shape[1] > 1
        )
        return {"logits": logits, "confidence": guess, "weights": weights}

    def losses(self) -> tuple[Any, ...]:
        return (CrossEntropy(), StreamCrossEntropy(), confidence.ConfidenceLoss())
