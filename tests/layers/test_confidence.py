"""QMF and PDF by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.layers.confidence import (
    ConfidenceLoss,
    co_belief,
    energy_confidence,
    predictive_fusion,
    quality_fusion,
    rank_loss,
    relative_calibration,
    relative_hardness,
)

LOGITS = jnp.array([[[2.0, 0.0], [0.0, 1.0]]])
# softmax (.9, .1) and (.6, .4)
SCORES = jnp.log(jnp.array([[[0.9, 0.1], [0.6, 0.4]]]))


def test_qmf_by_hand():
    """.1 log(e^2 + 1) = .21269, .1 log(1 + e) = .13133; .21269 * 2 and .13133 * 1."""
    fused, confidence = quality_fusion(LOGITS)
    np.testing.assert_allclose(confidence, [[0.212693, 0.131326]], atol=1e-6)
    np.testing.assert_allclose(fused, [[0.425386, 0.131326]], atol=1e-6)
    alone, confidence = quality_fusion(LOGITS, jnp.array([[False, True]]))
    np.testing.assert_allclose(confidence, [[0.0, 0.131326]], atol=1e-6)
    assert int(alone.argmax()) == 1


@pytest.mark.parametrize("detached", [True, False])
def test_qmf_s_gradient_goes_through_the_confidence_or_not(detached):
    """d/dl of conf * l at l = (2, 0): conf alone, or + .1 softmax(l) l_y as well."""

    def first(logits):
        return quality_fusion(logits, detached=detached)[0][0, 0]

    conf, softmax = 0.212693, np.array([0.880797, 0.119203])
    expected = np.array([conf, 0.0]) + (not detached) * 0.1 * softmax * 2.0
    np.testing.assert_allclose(jax.grad(first)(LOGITS)[0, 0], expected, atol=1e-5)


def test_the_rank_loss_of_paper_and_code():
    """Hardness (1, 0), confidence (.2, .5): harder and less sure by .3, margin 1."""
    confidence, hardness = jnp.array([[0.2], [0.5]]), jnp.array([[1.0], [0.0]])
    found = rank_loss(confidence, hardness)
    np.testing.assert_allclose(found, [[0.7], [0.7]], rtol=1e-6)
    found = rank_loss(confidence, hardness, "code")
    np.testing.assert_array_equal(found, [[0.0], [0.0]])


def test_hardness_is_relative_to_all_clips_and_equal_at_the_start():
    total = jnp.array([[2.0, 0.0], [4.0, 0.0], [3.0, 0.0]])
    found = relative_hardness(total)
    np.testing.assert_allclose(found, [[0.0, 0.0], [1.0, 0.0], [0.5, 0.0]])


def test_pdf_by_hand():
    """p (.8, .4): logs -.22314 and -.91629; holo .80416 and .19584."""
    confidence = jnp.array([[0.8, 0.4]])
    found = co_belief(confidence)
    np.testing.assert_allclose(found, [[1.604163, 0.595837]], atol=2e-6)
    fused, weights = predictive_fusion(SCORES, confidence)
    np.testing.assert_allclose(weights, [[0.732692, 0.267308]], atol=2e-6)
    by_hand = 0.732692 * np.log([0.9, 0.1]) + 0.267308 * np.log([0.6, 0.4])
    np.testing.assert_allclose(fused, [by_hand], atol=1e-5)
    # In testing: |.9 - .5| and |.6 - .5|, so factors 1 and 1/4.
    np.testing.assert_allclose(relative_calibration(SCORES), [[1, 0.25]], rtol=1e-5)
    _, weights = predictive_fusion(SCORES, confidence, calibrated=True)
    np.testing.assert_allclose(weights, [[0.810798, 0.189202]], atol=2e-6)


def test_pdf_of_three_streams_and_of_one_alone():
    """p = 1/2 each: holo 2/3 each, co-belief 7/6, weights 1/3; alone: weight 1."""
    confidence = jnp.full((1, 3), 0.5)
    np.testing.assert_allclose(co_belief(confidence), np.full((1, 3), 7 / 6), rtol=1e-6)
    logits = jnp.arange(6.0).reshape(1, 3, 2)
    fused, _ = predictive_fusion(logits, confidence)
    np.testing.assert_allclose(fused, [[2.0, 3.0]], rtol=1e-6)
    present = jnp.array([[False, False, True]])
    fused, weights = predictive_fusion(logits, confidence, present)
    np.testing.assert_array_equal(weights, [[0, 0, 1]])
    np.testing.assert_array_equal(fused, [[4, 5]])
    nobody, _ = predictive_fusion(logits, confidence, jnp.zeros((1, 3), bool))
    assert bool(jnp.isfinite(nobody).all())


def test_confidences_learn_the_true_class_s_probability():
    out = {"stream_logits": SCORES, "confidence": jnp.array([[0.8, 0.4]])}
    batch = {"label": jnp.array([0])}
    loss = ConfidenceLoss()
    np.testing.assert_allclose(loss(out, batch), [0.1 + 0.2], rtol=1e-5)
    batch["present"] = jnp.array([[True, False]])
    np.testing.assert_allclose(loss(out, batch), [0.1], rtol=1e-5)
    grads = jax.grad(lambda out: loss(out, batch).sum())(out)
    np.testing.assert_array_equal(grads["stream_logits"], 0.0)
    np.testing.assert_allclose(grads["confidence"], [[-1.0, 0.0]])


def test_certain_guesses_stay_finite():
    sure = jnp.array([[1.0, 0.0]])
    value, grad = jax.value_and_grad(lambda p: co_belief(p).sum())(sure)
    assert np.isfinite(value) and bool(jnp.isfinite(grad).all())
    np.testing.assert_allclose(
        energy_confidence(jnp.zeros((1, 2))), 0.0693147, rtol=1e-5
    )
