"""Fusions that weigh each stream's scores by how sure it is: QMF and PDF.

QMF: quality-aware multimodal fusion (Zhang et al., ICML 2023), confidence from the
energy of a stream's logits. PDF: predictive dynamic fusion (Cao et al., ICML 2024),
confidence a network's guess of the true class's probability.

Alphabet: b batch, s streams, y classes. All is float32.
"""

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp

from jaxact.batch import PRESENT, Batch
from jaxact.layers.fusions import only_present
from jaxact.losses import at_label
from jaxact.out import Out

Variant = Literal["paper", "code"]
# The guard of PDF's logarithms: probabilities lie so far from 0 and 1.
LEAST = 1e-6


def energy_confidence(logits: jax.Array, scale: float = 0.1) -> jax.Array:
    """Returns QMF's confidence ``0.1 logsumexp(l)``: ``[... y]`` to ``[...]``."""
    return scale * jax.nn.logsumexp(logits.astype(jnp.float32), axis=-1)


def quality_fusion(
    logits: jax.Array, present: jax.Array | None = None, *, detached: bool = False
) -> tuple[jax.Array, jax.Array]:
    """Returns QMF's ``sum_s conf_s l_s`` ``[b y]`` and the confidences ``[b s]``.

    The weights are not made to sum to 1. A stream that is not there has confidence 0.

    Args:
      logits: ``[b s y]``.
      present: bool ``[b s]``.
      detached: no gradient of the sum through the confidences; the public code lets it
        through for colour and depth, and stops it for pictures and text.
    """
    logits = logits.astype(jnp.float32)
    confidence = energy_confidence(logits)
    confidence = only_present(confidence, present)
    weights = jax.lax.stop_gradient(confidence) if detached else confidence
    return jnp.einsum("bs,bsy->by", weights, logits), confidence


def rank_loss(
    confidence: jax.Array,
    hardness: jax.Array,
    variant: Variant = "paper",
) -> jax.Array:
    """Returns QMF's ranking loss ``[b s]``: the harder a clip was, the less confidence.

    Each clip i is compared with its neighbour j in the batch. Hardness is the clip's
    cumulative cross-entropy so far, between 0 and 1 over all clips. "paper": ``max(0,
    t (c_i - c_j) + |k_i - k_j|)`` with t the sign of ``k_i - k_j``, a margin that grows
    with the difference. "code": as published, the margin is taken away instead, which
    makes it a zone without loss.

    Args:
      confidence: ``[b s]``.
      hardness: ``[b s]``.
      variant: see above.
    """
    change = hardness - jnp.roll(hardness, -1, axis=0)
    gap = confidence - jnp.roll(confidence, -1, axis=0)
    margin = jnp.abs(change) if variant == "paper" else -jnp.abs(change)
    return jnp.maximum(0.0, jnp.sign(change) * gap + margin)


def relative_hardness(total: jax.Array) -> jax.Array:
    """Scales cumulative losses ``[n s]`` of all clips to 0..1 a stream; equal: zeros.

    The public code divides 0 by 0 in its first batch, when all are 0.
    """
    low, high = total.min(axis=0, keepdims=True), total.max(axis=0, keepdims=True)
    return (total - low) / jnp.maximum(high - low, LEAST)


def co_belief(confidence: jax.Array) -> jax.Array:
    """Returns PDF's co-belief ``p_s + holo_s``, ``[b s]``, of confidences p in (0, 1).

    ``holo_s = sum_{r != s} log p_r / sum_r log p_r``: how unsure the others are of all
    the unsureness there is (Eq. 9-11, any number of streams).
    """
    p = jnp.clip(confidence.astype(jnp.float32), LEAST, 1.0 - LEAST)
    log = jnp.log(p)
    total = log.sum(axis=-1, keepdims=True)
    return p + (total - log) / total


def relative_calibration(logits: jax.Array) -> jax.Array:
    """Returns PDF's factors ``[b s]`` for testing: less where a stream says little.

    ``DU_s = mean_y |softmax(l_s) - 1/K|``; the factor is ``min(1, DU_s / DU_r)``, with
    the surest of the other streams as r.

    Args:
      logits: ``[b s y]``.
    """
    classes = logits.shape[-1]
    scores = jax.nn.softmax(logits.astype(jnp.float32), axis=-1)
    sureness = jnp.abs(scores - 1.0 / classes).mean(axis=-1)
    streams = sureness.shape[-1]
    others = jnp.where(jnp.eye(streams, dtype=bool), -jnp.inf, sureness[:, None, :])
    return jnp.minimum(1.0, sureness / jnp.maximum(others.max(axis=-1), LEAST))


def predictive_fusion(
    logits: jax.Array,
    confidence: jax.Array,
    present: jax.Array | None = None,
    *,
    calibrated: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """Returns PDF's ``sum_s w_s l_s`` ``[b y]`` and the weights ``[b s]``.

    ``w = softmax_s(co-belief)``, without gradient. Co-belief lies in (0, 2): of two
    streams none weighs more than .881, so one that is not there must be taken out.

    Args:
      logits: ``[b s y]``.
      confidence: ``[b s]``, guesses of the true class's probability.
      present: bool ``[b s]``.
      calibrated: multiply co-belief by `relative_calibration`, as in testing.
    """
    logits = logits.astype(jnp.float32)
    belief = co_belief(confidence)
    if calibrated:
        belief = belief * relative_calibration(logits)
    if present is not None:
        belief = jnp.where(present, belief, -jnp.inf)
        belief = jnp.where(present.any(axis=-1, keepdims=True), belief, 0.0)
    weights = jax.lax.stop_gradient(jax.nn.softmax(belief, axis=-1))
    return jnp.einsum("bs,bsy->by", weights, logits), weights


@dataclasses.dataclass(frozen=True)
class ConfidenceLoss:
    """``sum_s |p_s - softmax(l_s)_label|``: PDF's confidences learn what they guess.

    The true class's probability is a target without gradient (Eq. 13 of PDF).
    """

    name: str = "confidence"
    weight: float = 1.0
    confidence: str = "confidence"
    logits: str = "stream_logits"

    def __call__(self, out: Out, batch: Batch) -> jax.Array:
        """Returns ``[b]`` float32."""
        scores = jax.nn.softmax(out[self.logits].astype(jnp.float32), axis=-1)
        target = at_label(scores, batch)
        error = jnp.abs(out[self.confidence] - jax.lax.stop_gradient(target))
        return only_present(error, batch.get(PRESENT)).sum(axis=-1)
