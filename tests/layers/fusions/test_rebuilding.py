"""Dropped streams: which, and how they are rebuilt."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxact.layers.fusions.rebuilding import ActionMAE, keep_some

TOKENS = jnp.asarray(np.random.default_rng(3).normal(size=(2, 3, 4)), jnp.float32)
KEY = jax.random.key(5)
FUSION = ActionMAE(heads=2)
PARAMS = jax.jit(FUSION.init)(KEY, {"tokens": TOKENS})["params"]
# A decoder that rebuilds (1, 2, 3, 4), whatever it is given.
SAME = PARAMS | {"rebuild": {"kernel": jnp.zeros((4, 4)), "bias": jnp.arange(1.0, 5.0)}}


@functools.partial(jax.jit, static_argnames="train")
def apply(params, tokens, present, key, train):
    streams, rngs = {"tokens": tokens}, {"dropout": key}
    return FUSION.apply({"params": params}, streams, present, train=train, rngs=rngs)


def fuse(present=None, params=PARAMS, tokens=TOKENS, key=KEY, train=False):
    if present is None:
        present = jnp.ones(tokens.shape[:2], bool)
    return apply(params, tokens, present, key, train)


def test_as_many_are_left_out_as_may_be():
    """Of three, 0, 1 or 2 equally often, each as often as another; of two, 0 or 1."""
    rows = 6000
    present = jnp.concatenate([jnp.ones((rows, 3), bool)] * 2).at[rows:, 1].set(False)
    kept = np.asarray(keep_some(jax.random.key(1), present))
    assert not kept[rows:, 1].any()
    left = kept.sum(axis=1)
    for part, choices in ((left[:rows], (1, 2, 3)), (left[rows:], (1, 2))):
        shares = [np.mean(part == n) for n in choices]
        np.testing.assert_allclose(shares, 1 / len(choices), atol=0.03)
    np.testing.assert_allclose(kept[:rows].mean(axis=0), 2 / 3, atol=0.03)
    nothing = keep_some(jax.random.key(1), jnp.zeros((2, 3), bool))
    assert not nothing.any()


def test_in_testing_nothing_is_left_out():
    out = fuse()
    np.testing.assert_array_equal(out["reconstruction_error"], [0, 0])
    np.testing.assert_array_equal(fuse(params=SAME)["token"], out["token"])


def test_a_missing_stream_is_rebuilt():
    """With (1, 2, 3, 4) in its place the token is that of a clip which had it."""
    present = jnp.array([[True, True, False], [True, True, True]])
    spoilt = TOKENS.at[0, 2].set(jnp.nan)
    had = TOKENS.at[0, 2].set(jnp.arange(1.0, 5.0))
    np.testing.assert_allclose(
        fuse(present, SAME, spoilt)["token"], fuse(None, SAME, had)["token"], atol=1e-6
    )


def test_the_error_by_hand():
    """The mean, over what was left out, of the mean of (token - (1, 2, 3, 4))^2."""
    tokens = jnp.broadcast_to(jnp.arange(1.0, 5.0), (64, 3, 4))
    tokens = tokens + jnp.array([1.0, 2.0, 3.0])[None, :, None]
    out = fuse(params=SAME, tokens=tokens, train=True)
    error = np.asarray(out["reconstruction_error"])
    # One left out: 1, 4 or 9; two: the mean of two of them; none: 0.
    np.testing.assert_allclose(
        np.unique(error.round(4)), [0, 1, 2.5, 4, 5, 6.5, 9], atol=1e-4
    )
