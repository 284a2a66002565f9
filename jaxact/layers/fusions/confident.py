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
from jaxact.losses import CrossEntropy
from jaxact.out import Out


@dataclasses.dataclass(frozen=True)
class StreamCrossEntropy:
    """The sum of the cross-entropies of the streams that are there: ``[b]``."""

    name: str = "stream_cross_entropy"
    weight: float = 1.0
    logits: str = "stream_logits"

    def __call__(self, out: Out, batch: Batch) -> jax.Array:
        log_p = jax.nn.log_softmax(out[self.logits].astype(jnp.float32))
        label = batch["label"][:, None, None]
        own = jnp.take_along_axis(log_p, label, axis=-1)[..., 0]
        return -only_present(own, batch.get(PRESENT)).sum(axis=-1)


class QMF(nn.Module):
    """Scores weighed by the energy of their logits (Zhang et al. 2023).

    ``l = sum_s conf_s l_s``, ``conf_s = 0.1 logsumexp(l_s)``; 0 for a missing stream.
    Its ranking loss compares clips over the whole training, whose state a loss here
    does not have: `confidence.rank_loss` stands ready, and is not among `losses`.

    Attributes:
      detached: see `confidence.quality_fusion`.
    """

    detached: bool = False
    of_scores: ClassVar[bool] = True

    @nn.compact
    def __call__(
        self,
        streams: Mapping[str, jax.Array],
        present: jax.Array | None = None,
        *,
        train: bool = False,
    ) -> dict[str, Any]:
        """Returns ``logits [b y]`` and ``confidence [b s]``."""
        each = only_present(streams["logits"], present)
        logits, sure = confidence.quality_fusion(each, present, detached=self.detached)
        return {"logits": logits, "confidence": sure}

    def losses(self) -> tuple[Any, ...]:
        return (CrossEntropy(), StreamCrossEntropy())


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
