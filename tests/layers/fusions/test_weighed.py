"""Gates, evidence and confidence as modules: numbers by hand, and streams missing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.layers.fusions.confident import PDF, QMF, StreamCrossEntropy
from jaxact.layers.fusions.evidential import ETMC, TMC
from jaxact.layers.fusions.gated import Gated

FIRST = jnp.array([[True, False]])
ALL = jnp.ones((1, 2), bool)


def logits_of(evidence):
    """Inverts softplus."""
    return jnp.log(jnp.expm1(jnp.asarray(evidence, jnp.float32)))


def random_streams(rows=3, streams=2):
    random = np.random.default_rng(3)
    return {
        "tokens": jnp.asarray(random.normal(size=(rows, streams, 4)), jnp.float32),
        "logits": jnp.asarray(random.normal(size=(rows, streams, 5)), jnp.float32),
    }


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


def test_gates_by_hand():
    tokens = jnp.array([[[0.5, -1.0], [2.0, 0.25]]])
    eye, zero = jnp.eye(2), jnp.zeros(2)
    params = {
        "hidden_0": {"kernel": eye, "bias": zero},
        "hidden_1": {"kernel": eye, "bias": zero},
        "gate": {"kernel": jnp.zeros((4, 2)), "bias": jnp.log(jnp.array([3.0, 1.0]))},
    }
    for present in (None, ALL):
        out = Gated().apply({"params": params}, {"tokens": tokens}, present)
        first, second = np.tanh(np.asarray(tokens[0]))
        expected = [0.75, 0.5] * first + [0.25, 0.5] * second
        np.testing.assert_allclose(out["token"][0], expected, rtol=1e-5)
    alone = Gated().apply({"params": params}, {"tokens": tokens}, FIRST)
    np.testing.assert_allclose(alone["token"][0], first, rtol=1e-5)


def test_qmf_by_hand():
    streams = {"logits": jnp.array([[[2.0, 0.0], [0.0, 1.0]]])}
    out = QMF().apply({}, streams, ALL)
    np.testing.assert_allclose(out["confidence"], [[0.21269, 0.13133]], atol=1e-5)
    np.testing.assert_allclose(out["logits"], [[0.42539, 0.13133]], atol=1e-5)
    alone = QMF().apply({}, streams, FIRST)
    np.testing.assert_allclose(alone["logits"], [[0.42539, 0.0]], atol=1e-5)


def test_pdf_by_hand():
    """Confidences .8 and .4 (their last layers' biases) weigh .732692 and .267308."""
    streams = {
        "tokens": jnp.ones((1, 2, 1)),
        "logits": jnp.log(jnp.array([[[0.9, 0.1], [0.6, 0.4]]])),
    }
    params = jax.tree.map(
        jnp.zeros_like, PDF().init(jax.random.key(0), streams)["params"]
    )
    for index, p in enumerate((0.8, 0.4)):
        bias = jnp.log(jnp.array([p / (1 - p)]))
        params[f"confidence_{index}_2"]["bias"] = bias
    train = PDF().apply({"params": params}, streams, ALL, train=True)
    np.testing.assert_allclose(train["weights"], [[0.732692, 0.267308]], atol=1e-5)
    test = PDF().apply({"params": params}, streams, ALL)
    np.testing.assert_allclose(test["weights"], [[0.810798, 0.189202]], atol=1e-5)
    alone = PDF().apply({"params": params}, streams, FIRST)
    np.testing.assert_allclose(jnp.exp(alone["logits"]), [[0.9, 0.1]], atol=1e-5)


@pytest.mark.parametrize("fusion", [TMC(), ETMC(), Gated(), QMF(), PDF()], ids=str)
def test_gradients_reach_what_they_should_and_nothing_missing(fusion):
    streams = random_streams()
    present = jnp.array([[True, True], [True, False], [False, False]])
    batch = {"label": jnp.array([1, 2, 0]), "present": present}
    params = fusion.init(jax.random.key(0), streams).get("params", {})
    name = "logits" if fusion.of_scores else "tokens"

    def total(params, x):
        given = streams | {name: x}
        out = fusion.apply({"params": params}, given, present, train=True)
        out["stream_logits"] = given["logits"]
        if "logits" not in out:
            out["logits"] = out["token"]
        return sum(
            (term.weight * term(out, batch))[:2].sum() for term in fusion.losses()
        )

    values, (of_params, of_x) = jax.value_and_grad(total, (0, 1))(params, streams[name])
    assert np.isfinite(values)
    assert all(bool(jnp.any(leaf != 0)) for leaf in jax.tree.leaves(of_params))
    assert np.any(of_x[0, 0] != 0) and np.any(of_x[0, 1] != 0)
    assert np.isfinite(of_x).all() and not np.any(np.where(present[..., None], 0, of_x))
    # Whatever stands where nothing is.
    spoilt = jnp.where(present[..., None], streams[name], 77.0)
    np.testing.assert_allclose(total(params, spoilt), values, rtol=1e-6)


def test_cross_entropy_of_the_streams_that_are_there():
    out = {"stream_logits": jnp.log(jnp.array([[[0.5, 0.5], [0.25, 0.75]]]))}
    batch = {"label": jnp.array([1])}
    whole = StreamCrossEntropy()(out, batch)
    np.testing.assert_allclose(whole, [-np.log(0.5) - np.log(0.75)], rtol=1e-6)
    first = StreamCrossEntropy()(out, batch | {"present": FIRST})
    np.testing.assert_allclose(first, [-np.log(0.5)], rtol=1e-6)
