"""Trusted multi-view classification (TMC: Han et al., ICLR 2021; ETMC: TPAMI 2022).

A stream's logits become evidence for each class, evidence the parameters of a Dirichlet
distribution, and these an opinion: a belief a class and an uncertainty, which add up to
1. Opinions are joined by Dempster's rule, reduced as in the papers.

Alphabet: b batch, s streams, y classes; K is the number of classes. All is float32.
"""

import dataclasses

import jax
import jax.numpy as jnp

from jaxact.batch import PRESENT, PROGRESS, TARGET, Batch
from jaxact.layers.fusions import only_present
from jaxact.out import Out

# Joining multiplies evidence; float32 holds the digamma of this and of its products.
MOST_EVIDENCE = 1e6


def evidence_of(logits: jax.Array) -> jax.Array:
    """Returns ``softplus(l)``, at most `MOST_EVIDENCE`, float32 of the same shape."""
    evidence = jax.nn.softplus(logits.astype(jnp.float32))
    return jnp.minimum(evidence, MOST_EVIDENCE)


def opinion(evidence: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns beliefs ``e / S`` ``[... y]`` and uncertainty ``K / S`` ``[...]``.

    Args:
      evidence: ``[... y]``, not negative; ``S = sum e + K`` (TMC Eq. 2).
    """
    classes = evidence.shape[-1]
    strength = evidence.sum(axis=-1, keepdims=True) + classes
    return evidence / strength, (classes / strength)[..., 0]


def join(evidence: jax.Array, present: jax.Array | None = None) -> jax.Array:
    """Joins the streams' evidence by Dempster's rule (TMC Eq. 4-5): ``[b y]``.

    On evidence the rule is ``e = e_1 + e_2 + e_1 e_2 / K``, or for any number of
    streams ``1 + e / K = prod_s (1 + e_s / K)``: any order gives the same, and a stream
    without evidence changes nothing.

    Args:
      evidence: ``[b s y]``.
      present: bool ``[b s]``; a stream that is not there has no evidence.
    """
    classes = evidence.shape[-1]
    total = jnp.log1p(only_present(evidence, present) / classes).sum(axis=-2)
    most = jnp.log1p(jnp.float32(MOST_EVIDENCE) / classes)
    return classes * jnp.expm1(jnp.minimum(total, most))


def expected_cross_entropy(evidence: jax.Array, target: jax.Array) -> jax.Array:
    """Returns ``psi(S) - sum_y t_y psi(alpha_y)`` ``[...]``: of the Dirichlet's mean.

    TMC Eq. 8, with ``alpha = e + 1`` ``[... y]``, S their sum and t how much is of each
    class, one-hot or soft, ``[... y]``.
    """
    alpha = evidence + 1.0
    digamma = jax.scipy.special.digamma
    return digamma(alpha.sum(axis=-1)) - (target * digamma(alpha)).sum(axis=-1)


def divergence_of_the_rest(evidence: jax.Array, target: jax.Array) -> jax.Array:
    """Returns ``KL(Dir(alpha~) || Dir(1))`` ``[...]``, the label's evidence left out.

    TMC Eq. 9: ``alpha~ = t + (1 - t) alpha`` with t as above, so that only evidence for
    wrong classes is drawn to none.
    """
    classes = evidence.shape[-1]
    alpha = 1.0 + (1.0 - target) * evidence
    total = alpha.sum(axis=-1)
    gammaln, digamma = jax.scipy.special.gammaln, jax.scipy.special.digamma
    spread = (alpha - 1.0) * (digamma(alpha) - digamma(total)[..., None])
    constant = gammaln(total) - gammaln(jnp.float32(classes))
    return constant - gammaln(alpha).sum(axis=-1) + spread.sum(axis=-1)


@dataclasses.dataclass(frozen=True)
class EvidentialLoss:
    """`expected_cross_entropy` plus a growing part of `divergence_of_the_rest`.

    Of the joined opinion and of each one by itself, added with equal weights (TMC
    Eq. 11). The divergence counts by ``min(1, progress / annealing)``.

    Attributes:
      evidence: name of the joined evidence in out, ``[b y]``.
      opinions: name of the single ones, ``[b s y]``; a stream that is not present has
        no loss.
      annealing: share of the training after which the divergence counts whole, 0: at
        once; the public code anneals over 50 epochs (TMC) or 10 (ETMC).
    """

    name: str = "evidential"
    weight: float = 1.0
    evidence: str = "evidence"
    opinions: str = "stream_evidence"
    annealing: float = 0.5

    def __call__(self, out: Out, batch: Batch) -> jax.Array:
        """Returns ``[b]`` float32."""
        joined, single = out[self.evidence], out[self.opinions]
        target = batch.get(TARGET)
        if target is None:
            target = jax.nn.one_hot(batch["label"], joined.shape[-1])
        share = jnp.ones(())
        if self.annealing:
            share = jnp.minimum(share, batch.get(PROGRESS, 1.0) / self.annealing)

        def loss(evidence: jax.Array, target: jax.Array) -> jax.Array:
            rest = divergence_of_the_rest(evidence, target)
            return expected_cross_entropy(evidence, target) + share * rest

        of_single = loss(single, target[:, None])
        present = batch.get(PRESENT)
        if present is not None and present.shape == of_single.shape:
            of_single = only_present(of_single, present)
        return loss(joined, target) + of_single.sum(axis=-1)
