import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.layers.salience import FrameCrossEntropy, FrameRanking
from tests.models.test_stafusion import (
    RNGS,
    batch_of,
    gradients,
    run,
    small,
    variables_of,
)

# Two classes; the label's probability by frames alone: .5 .8 .2 and .9.
CHANCES = np.float32([[0.5, 0.8, 0.2, 0.9]])
OUT = {
    "frame_classes": jnp.log(jnp.stack([1 - CHANCES, CHANCES], axis=-1)),
    "raw_scores": jnp.zeros((1, 4)),
}
BATCH = {"label": jnp.array([1])}


def test_cross_entropy_is_the_mean_over_frames_that_are_there():
    every = -np.log(CHANCES).mean()
    np.testing.assert_allclose(FrameCrossEntropy()(OUT, BATCH), [every], rtol=1e-5)
    batch = BATCH | {"present": jnp.array([[True, False]])}
    some = -np.log(CHANCES[:, :2]).mean()
    np.testing.assert_allclose(FrameCrossEntropy()(OUT, batch), [some], rtol=1e-5)


@pytest.mark.parametrize("groups", [1, 2])
def test_ranking_is_least_where_scores_are_in_the_order_of_the_labels_chances(groups):
    """Equal scores cost log n; the gradient is softmax(s) - q, in each group."""
    loss = FrameRanking(groups=groups)
    np.testing.assert_allclose(loss(OUT, BATCH), [np.log(4 / groups)], rtol=1e-5)
    grad = jax.grad(lambda s: loss(OUT | {"raw_scores": s}, BATCH).sum())
    parts = CHANCES.reshape(groups, -1)
    wanted = parts / parts.sum(axis=1, keepdims=True)
    expected = (1 / parts.shape[1] - wanted).reshape(1, 4) / groups
    np.testing.assert_allclose(grad(OUT["raw_scores"]), expected, atol=1e-6)
    best = jnp.log(CHANCES)
    np.testing.assert_allclose(grad(best), np.zeros((1, 4)), atol=1e-6)


def test_ranking_does_not_change_what_it_ranks_by_and_leaves_missing_streams_out():
    loss = FrameRanking()
    grad = jax.grad(lambda x: loss(OUT | {"frame_classes": x}, BATCH).sum())
    np.testing.assert_array_equal(grad(OUT["frame_classes"]), 0)
    batch = BATCH | {"present": jnp.array([[True, False]])}
    np.testing.assert_allclose(loss(OUT, batch), [np.log(2)], rtol=1e-5)
    # Mixed labels: what is ranked by is the mean of both labels' log chances.
    mixed = {"label": BATCH["label"], "target": jnp.array([[0.5, 0.5]])}
    scores = jnp.arange(4.0)[None]
    q = np.sqrt(CHANCES * (1 - CHANCES))
    q /= q.sum()
    expected = -(q * np.asarray(jax.nn.log_softmax(scores))).sum()
    got = loss(OUT | {"raw_scores": scores}, mixed)
    np.testing.assert_allclose(got, [expected], rtol=1e-5)


def test_ranking_trains_the_scorer_and_its_frame_head_by_the_labels_alone():
    """Without an estimator nothing else reaches the scorer; the backbone gets no
    gradient of what the head says of single frames; no test asks the head."""
    fields = dict(ranking_weight=1.0, estimator="none", compete="stream")
    config = small(**fields)
    variables, batch = variables_of(tuple(fields.items())), batch_of(config)
    grads = gradients(config, variables, batch, train=True, rngs=RNGS)
    assert np.any(grads["scorer/fc2/kernel"] != 0)
    assert np.any(grads["frame_heads/ir/kernel"] != 0)
    plain = small(estimator="none", compete="stream")
    without = {"params": {**variables["params"]}}
    del without["params"]["frame_heads"]
    out, same = run(config, variables, batch), run(plain, without, batch)
    np.testing.assert_allclose(out["logits"], same["logits"], rtol=1e-6)
    assert "frame_classes" not in out
    kept = np.asarray(out["frame_marks"] > 0).reshape(2, 2, 4).sum(-1)
    np.testing.assert_array_equal(kept, 2)

    @jax.jit
    @jax.grad
    def of_frames(v):
        out = config.build().apply(v, batch, train=True, rngs=RNGS)
        return FrameCrossEntropy()(out, batch).sum()

    parts = of_frames(variables)["params"]
    learning = {
        name for name, x in parts.items() if any(map(np.any, jax.tree.leaves(x)))
    }
    assert learning == {"frame_heads"}
