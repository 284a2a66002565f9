"""Fusions weighed by confidence, by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxact.layers.fusions.confident import PDF, QMF, StreamCrossEntropy

FIRST = jnp.array([[True, False]])


ALL = jnp.ones((1, 2), bool)


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


def test_cross_entropy_of_the_streams_that_are_there():
    out = {"stream_logits": jnp.log(jnp.array([[[0.5, 0.5], [0.25, 0.75]]]))}
    batch = {"label": jnp.array([1])}
    whole = StreamCrossEntropy()(out, batch)
    np.testing.assert_allclose(whole, [-np.log(0.5) - np.log(0.75)], rtol=1e-6)
    first = StreamCrossEntropy()(out, batch | {"present": FIRST})
    np.testing.assert_allclose(first, [-np.log(0.5)], rtol=1e-6)
