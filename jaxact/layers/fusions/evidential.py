"""Fusions of evidence: TMC and ETMC, see `jaxact.layers.evidence`.

Alphabet: b batch, s streams, d width, y classes.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxact.layers import evidence
from jaxact.layers.fusions import only_present


def fused(opinions: jax.Array) -> dict[str, Any]:
    """Returns what joined evidence ``[b s y]`` says; see `TMC`."""
    joined = evidence.join(opinions)
    _, uncertainty = evidence.opinion(joined)
    return {
        # The softmax of log alpha is alpha / S, the mean of the Dirichlet.
        "logits": jnp.log1p(joined),
        "evidence": joined,
        "stream_evidence": opinions,
        "uncertainty": uncertainty,
    }


class TMC(nn.Module):
    """Every stream's scores as an opinion, joined by Dempster's rule (Han et al. 2021).

    ``e_s = softplus(l_s)``, ``1 + e / K = prod_s (1 + e_s / K)``. A stream that is
    missing has no evidence, which changes nothing: exact without retraining.

    Returns ``logits [b y]`` whose softmax is the expected probability, ``evidence
    [b y]``, ``stream_evidence [b s y]`` and ``uncertainty [b]``, 1 where nothing is
    known.

    Attributes:
      annealing: see `EvidentialLoss`.
    """

    annealing: float = 0.5
    of_scores: ClassVar[bool] = True

    @nn.compact
    def __call__(
        self,
        streams: Mapping[str, jax.Array],
        present: jax.Array | None = None,
        *,
        train: bool = False,
    ) -> dict[str, Any]:
        return fused(only_present(evidence.evidence_of(streams["logits"]), present))

    def losses(self) -> tuple[Any, ...]:
        return (evidence.EvidentialLoss(annealing=self.annealing),)


class ETMC(nn.Module):
    """TMC with one opinion more, of a classifier over all streams' vectors (2022).

    It knows all streams or none: where one is missing this opinion is left out.
    """

    annealing: float = 0.1
    of_scores: ClassVar[bool] = True

    @nn.compact
    def __call__(
        self,
        streams: Mapping[str, jax.Array],
        present: jax.Array | None = None,
        *,
        train: bool = False,
    ) -> dict[str, Any]:
        tokens, logits = only_present(streams["tokens"], present), streams["logits"]
        flat = tokens.reshape(tokens.shape[0], -1)
        dense = nn.Dense(logits.shape[-1], dtype=jnp.float32, name="pseudo_view")
        logits = jnp.concatenate([logits, dense(flat)[:, None]], axis=1)
        if present is not None:
            whole = present.all(axis=1, keepdims=True)
            present = jnp.concatenate([present, whole], axis=1)
        return fused(only_present(evidence.evidence_of(logits), present))

    def losses(self) -> tuple[Any, ...]:
        return (evidence.EvidentialLoss(annealing=self.annealing),)
