"""Loss terms against numbers worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact import losses
from jaxact.layers import distillation
from jaxact.layers.confidence import ConfidenceLoss
from jaxact.layers.evidence import EvidentialLoss
from jaxact.layers.fusions.confident import StreamCrossEntropy

# Three classes with odds 1 : 2 : 5, so the softmax is 1/8, 2/8, 5/8.
LOGITS = jnp.log(jnp.array([[1.0, 2.0, 5.0], [1.0, 2.0, 5.0]]))


def test_cross_entropy_is_minus_log_of_the_labels_share():
    batch = {"label": jnp.array([2, 0])}
    loss = losses.CrossEntropy()({"logits": LOGITS}, batch)
    np.testing.assert_allclose(loss, [np.log(8 / 5), np.log(8)], rtol=1e-6)


def test_a_soft_label_counts_for_each_of_its_classes():
    target = jnp.array([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]])
    loss = losses.CrossEntropy()({"logits": LOGITS}, {"target": target})
    expected = [0.25 * np.log(4) + 0.75 * np.log(8 / 5), np.log(8)]
    np.testing.assert_allclose(loss, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("term", "out"),
    [
        (losses.CrossEntropy(), {"logits": LOGITS}),
        (StreamCrossEntropy(), {"stream_logits": jnp.stack([LOGITS, 2 * LOGITS], 1)}),
        (
            ConfidenceLoss(),
            {
                "stream_logits": jnp.stack([LOGITS, 2 * LOGITS], 1),
                "confidence": jnp.full((2, 2), 0.9),
            },
        ),
        (
            EvidentialLoss(),
            {
                "evidence": jnp.exp(LOGITS),
                "stream_evidence": jnp.exp(jnp.stack([LOGITS, 2 * LOGITS], 1)),
            },
        ),
        (
            losses.ScoreFunction(),
            {"logits": LOGITS, "log_choice": jnp.array([-1.0, -2.0])},
        ),
    ],
)
def test_every_loss_reads_a_one_hot_target_as_the_label(term, out):
    label = jnp.array([2, 0])
    hard = term(out, {"label": label})
    soft = term(out, {"target": jax.nn.one_hot(label, 3)})
    np.testing.assert_allclose(soft, hard, rtol=1e-5)
    # And one that is half of each class is another loss.
    half = term(out, {"target": jnp.full((2, 3), 1 / 3)})
    assert not np.allclose(half, hard, rtol=1e-3)


def test_cross_entropy_reads_the_logits_it_names():
    out = {"logits": LOGITS, "teacher_logits": LOGITS[:, ::-1]}
    term = losses.CrossEntropy(name="teacher", logits="teacher_logits")
    loss = term(out, {"label": jnp.array([0, 0])})
    np.testing.assert_allclose(loss, np.log([8 / 5, 8 / 5]), rtol=1e-6)


def test_cross_entropy_is_float32_for_bfloat16_logits():
    out = {"logits": LOGITS.astype(jnp.bfloat16)}
    assert losses.CrossEntropy()(out, {"label": jnp.array([0, 1])}).dtype == "float32"


def test_prediction_distillation_is_kl_from_teacher_to_student():
    out = {
        "teacher_logits": jnp.log(jnp.array([[0.5, 0.5]])),
        "logits": jnp.log(jnp.array([[0.25, 0.75]])),
    }
    loss = distillation.PredictionDistillation()(out, {})
    expected = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    np.testing.assert_allclose(loss, [expected], rtol=1e-5)


def test_region_distillation_counts_kept_tokens_only():
    # One clip, one frame, three tokens of two channels; tokens 0 and 2 are kept.
    teacher = jnp.array([[[[1.0, 1.0], [9.0, 9.0], [0.0, 2.0]]]])
    student = jnp.array([[[[0.0, 1.0], [0.0, 0.0], [0.0, 5.0]]]])
    keep = jnp.array([[[True, False, True]]])
    out = {"teacher_patches": teacher, "student_patches": student, "keep": keep}
    loss = distillation.RegionDistillation()(out, {})
    np.testing.assert_allclose(loss, [(1 + 9) / 2 / 2], rtol=1e-6)


@pytest.mark.parametrize(
    "term",
    [
        losses.CrossEntropy(),
        distillation.RegionDistillation(),
        distillation.PredictionDistillation(),
    ],
)
def test_terms_are_values_that_cannot_be_changed(term):
    with pytest.raises(AttributeError):
        term.weight = 2.0
    assert hash(term) == hash(type(term)())


def test_a_stream_s_loss_is_of_the_clips_that_have_it():
    batch = {
        "label": jnp.zeros(2, jnp.int32),
        "present": jnp.array([[True, False], [True, True]]),
    }
    out = {"ir_logits": jnp.zeros((2, 4))}
    of_ir = losses.CrossEntropy(logits="ir_logits", stream=1)(out, batch)
    np.testing.assert_allclose(of_ir, [0.0, np.log(4)], rtol=1e-6)
    of_all = losses.CrossEntropy(logits="ir_logits")(out, batch)
    np.testing.assert_allclose(of_all, np.log([4, 4]), rtol=1e-6)


def test_the_score_function_s_baseline_is_the_mean_of_the_other_real_clips():
    """Costs ln 4, ln 2, 0, one of padding: (2 - .5) ln 2, (1 - 1) ln 2, -1.5 ln 2."""
    rows = [[0.25, 0.75], [0.5, 0.5], [1.0, 1e-9], [1e-9, 1.0]]
    batch = {
        "label": jnp.zeros(4, jnp.int32),
        "mask": jnp.array([True, True, True, False]),
    }

    def loss(log_p):
        out = {"logits": jnp.log(jnp.array(rows)), "log_choice": log_p}
        return losses.ScoreFunction()(out, batch)[:3].sum()

    grad = jax.grad(loss)(jnp.full(4, -1.0))
    np.testing.assert_allclose(
        grad, np.log(2) * np.array([1.5, 0.0, -1.5, 0.0]), atol=1e-5
    )
