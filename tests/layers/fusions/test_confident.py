"""Fusions weighed by confidence, by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxact.layers.fusions.confident import PDF, QMF, RankLoss, StreamCrossEntropy

FIRST = jnp.array([[True, False]])


ALL = jnp.ones((1, 2), bool)


def test_qmf_by_hand():
    streams = {"logits": jnp.array([[[2.0, 0.0], [0.0, 1.0]]])}
    out = QMF().apply({}, streams, ALL)
    np.testing.assert_allclose(out["confidence"], [[0.21269, 0.13133]], atol=1e-5)
    np.testing.assert_allclose(out["logits"], [[0.42539, 0.13133]], atol=1e-5)
    alone = QMF().apply({}, streams, FIRST)
    np.testing.assert_allclose(alone["logits"], [[0.42539, 0.0]], atol=1e-5)


def test_qmf_remembers_how_hard_a_clip_was():
    """Clip 3 cost ln 2 in stream 0, clip 1 ln 4; a row of padding leaves no trace."""
    half, quarter = [0.0, 0.0], [0.0, float(jnp.log(3.0))]
    streams = {
        "logits": jnp.array([[half, half], [quarter, half], [quarter, quarter]]),
        "label": jnp.array([1, 0, 0]),
        "id": jnp.array([3, 1, 2]),
        "mask": jnp.array([True, True, False]),
    }
    fusion = QMF(history=5, rank_weight=0.25, rank_variant="code")
    before = jax.tree.map(jnp.zeros_like, fusion.init(jax.random.key(0), streams))
    apply = jax.jit(
        functools.partial(
            fusion.apply, streams=streams, train=True, mutable=["batch_stats"]
        )
    )
    out, after = apply(before)
    np.testing.assert_array_equal(out["hardness"], 0)  # and not 0 / 0
    two, four = np.log([2.0, 4.0])
    total = after["batch_stats"]["hardness"]
    np.testing.assert_allclose(total[:, 0], [0, four, 0, two, 0], rtol=1e-5)
    np.testing.assert_allclose(total[:, 1], [0, two, 0, two, 0], rtol=1e-5)
    out, after = apply(after)
    expected = [[0.5, 1], [1, 1], [0, 0]]
    np.testing.assert_allclose(out["hardness"], expected, rtol=1e-5)
    np.testing.assert_allclose(after["batch_stats"]["hardness"], 2 * total, rtol=1e-5)
    assert fusion.losses()[2] == RankLoss(weight=0.25, variant="code")
    assert len(QMF().losses()) == 2
    # In testing nothing is remembered.
    assert "hardness" not in fusion.apply(before, streams)


def test_the_rank_loss_of_the_streams_that_are_there():
    """Hardness 1 and 0, confidences .2 and .5: .7 for the pair, either way round.

    max(0, 1 (.2 - .5) + 1) and max(0, -1 (.5 - .2) + 1).
    """
    out = {
        "confidence": jnp.array([[0.2, 0.0], [0.5, 0.0]]),
        "hardness": jnp.array([[1.0, 0.0], [0.0, 0.0]]),
    }
    np.testing.assert_allclose(RankLoss()(out, {}), [0.7, 0.7], rtol=1e-6)
    np.testing.assert_allclose(RankLoss(variant="code")(out, {}), [0, 0])
    present = jnp.array([[False, True], [True, True]])
    found = RankLoss()(out, {"present": present})
    np.testing.assert_allclose(found, [0, 0.7], rtol=1e-6)


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
