"""Evidential fusions by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxact.layers.fusions.evidential import ETMC, TMC
from tests.layers.fusions.test_confident import ALL, FIRST


def logits_of(evidence):
    """Inverts softplus."""
    return jnp.log(jnp.expm1(jnp.asarray(evidence, jnp.float32)))


def test_tmc_by_hand():
    streams = {"logits": logits_of([[[5.0, 1.0], [1.0, 5.0]]])}
    for present in (None, ALL):
        out = TMC().apply({}, streams, present)
        np.testing.assert_allclose(out["evidence"], [[8.5, 8.5]], rtol=1e-5)
        scores = jax.nn.softmax(out["logits"])
        np.testing.assert_allclose(scores, [[0.5, 0.5]], atol=1e-6)
    alone = TMC().apply({}, streams, FIRST)
    np.testing.assert_allclose(alone["evidence"], [[5, 1]], rtol=1e-5)
    np.testing.assert_allclose(jax.nn.softmax(alone["logits"]), [[0.75, 0.25]], 1e-5)
    np.testing.assert_allclose(alone["uncertainty"], [0.25], rtol=1e-5)
    nothing = TMC().apply({}, streams, jnp.zeros((1, 2), bool))
    np.testing.assert_allclose(nothing["uncertainty"], [1.0])


def test_etmc_s_further_opinion_falls_with_any_stream():
    streams = {
        "logits": logits_of([[[5.0, 1.0], [1.0, 5.0]]]),
        "tokens": jnp.ones((1, 2, 3)),
    }
    variables = {
        "params": {
            "pseudo_view": {"kernel": jnp.zeros((6, 2)), "bias": logits_of([2.0, 4.0])}
        }
    }
    out = ETMC().apply(variables, streams, ALL)
    # 2 ((1 + 8.5 / 2) (1 + e / 2) - 1) with e = 2, 4
    np.testing.assert_allclose(out["evidence"], [[19.0, 29.5]], rtol=1e-5)
    alone = ETMC().apply(variables, streams, FIRST)
    np.testing.assert_allclose(alone["evidence"], [[5, 1]], rtol=1e-5)
