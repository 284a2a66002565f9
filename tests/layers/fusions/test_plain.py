"""Plain fusions by hand: all streams there, one of them, none (a row of padding)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.layers.fusions import mean_of_present
from jaxact.layers.fusions.plain import Add, Average, Concat

TOKENS = jnp.array([[[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]]])
ALL, ONE = jnp.array([[True, True, True]]), jnp.array([[False, True, False]])
NONE = jnp.zeros((1, 3), bool)
HALVES = jnp.log(jnp.array([[[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]]))


def fuse(fusion, present=None, **streams):
    (value,) = fusion.apply({}, streams, present).values()
    return np.asarray(value)


def test_sums_keep_their_size():
    for present in (None, ALL):
        np.testing.assert_allclose(fuse(Add(), present, tokens=TOKENS), [[111, 222]])
    np.testing.assert_allclose(fuse(Add(), ONE, tokens=TOKENS), [[30, 60]])
    two = jnp.array([[True, True, False]])
    np.testing.assert_allclose(fuse(Add(), two, tokens=TOKENS), [[16.5, 33]])
    np.testing.assert_array_equal(fuse(Add(), NONE, tokens=TOKENS), [[0, 0]])


def test_side_by_side_with_zeros_for_the_missing():
    for present in (None, ALL):
        found = fuse(Concat(), present, tokens=TOKENS)
        np.testing.assert_array_equal(found, [[1, 2, 10, 20, 100, 200]])
    found = fuse(Concat(), ONE, tokens=TOKENS)
    np.testing.assert_array_equal(found, [[0, 0, 10, 20, 0, 0]])


def test_averages_of_logits_and_of_probabilities():
    both, first = jnp.array([[True, True]]), jnp.array([[True, False]])
    logits = jnp.array([[[4.0, 0.0], [0.0, 2.0]]])
    for present in (None, both):
        np.testing.assert_allclose(fuse(Average(), present, logits=logits), [[2, 1]])
        weighed = fuse(Average(weights=(3.0, 1.0)), present, logits=logits)
        np.testing.assert_allclose(weighed, [[3, 0.5]])
        out = fuse(Average(True, (3.0, 1.0)), present, logits=HALVES)
        # .75 x .7 + .25 x .1, ...: the logarithm of just those scores
        np.testing.assert_allclose(np.exp(out), [[0.55, 0.225, 0.225]], rtol=1e-6)
    for fusion in (Average(), Average(weights=(3.0, 1.0)), Average(True, (3.0, 1.0))):
        alone = fuse(fusion, first, logits=HALVES)
        np.testing.assert_allclose(jax.nn.softmax(alone), [[0.7, 0.2, 0.1]], rtol=1e-6)


@pytest.mark.parametrize(
    "fusion",
    [Add(), Concat(), Average(), Average(True), Average(True, (1.0, 2.0, 3.0))],
)
def test_what_is_missing_cannot_spoil_anything(fusion):
    """Whatever stands there, in value and gradient; a row of padding has nothing."""
    name = "logits" if fusion.of_scores else "tokens"
    present = jnp.concatenate([ONE, NONE])

    def total(x):
        return sum(
            value.sum() for value in fusion.apply({}, {name: x}, present).values()
        )

    clean = jnp.tile(TOKENS, (2, 1, 1))
    spoilt = jnp.where(present[..., None], clean, jnp.nan)
    value, grad = jax.value_and_grad(total)(spoilt)
    np.testing.assert_allclose(value, total(clean), rtol=1e-6)
    assert np.isfinite(grad).all()
    assert not np.any(np.where(present[..., None], 0.0, grad))
    assert np.any(grad[0, 1] != 0) or isinstance(fusion, Average)


def test_order_of_streams_means_nothing_but_to_concatenation():
    turned = TOKENS[:, ::-1]
    np.testing.assert_array_equal(
        fuse(Add(), ONE, tokens=TOKENS), fuse(Add(), ONE[:, ::-1], tokens=turned)
    )
    assert (fuse(Concat(), tokens=TOKENS) != fuse(Concat(), tokens=turned)).any()


def test_the_mean_of_nothing_is_zero():
    np.testing.assert_array_equal(mean_of_present(TOKENS, NONE), [[0, 0]])
