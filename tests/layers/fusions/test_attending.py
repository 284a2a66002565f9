"""Cross-attention by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.layers.fusions.attending import CrossAttention
from tests.layers.fusions.test_confident import ALL, FIRST

# Tokens of width 2, which a layer norm makes (1, -1) or (-1, 1).
STREAMS = {
    "tokens": jnp.array([[[3.0, 1.0], [5.0, 2.0]]]),
    "patches": (jnp.array([[[0.0, 8.0]]]), jnp.array([[[1.0, 9.0]]])),
}
ONE_HEAD = CrossAttention(heads=1)


def with_identities():
    """Projections that change nothing, without biases; the MLP stays at zero."""
    params = jax.jit(ONE_HEAD.init)(jax.random.key(0), STREAMS)["params"]
    eye = {"kernel": jnp.eye(2), "bias": jnp.zeros(2)}
    names = [
        f"{part}_0_{i}" for part in ("query", "key", "value", "out") for i in (0, 1)
    ]
    return {"params": params | dict.fromkeys(names, eye)}


def test_a_fresh_module_averages_the_vectors():
    params = jax.jit(ONE_HEAD.init)(jax.random.key(0), STREAMS)
    for present, expected in ((None, [4, 1.5]), (ALL, [4, 1.5]), (FIRST, [3, 1])):
        token = ONE_HEAD.apply(params, STREAMS, present)["token"]
        np.testing.assert_allclose(token, [expected], atol=1e-6)


def test_attention_by_hand():
    """A query (1, -1) and keys (1, -1), (-1, 1): weights softmax(+-sqrt 2).

    What is heard is tanh(sqrt 2) (1, -1) = .888386 (1, -1), by either stream.
    """
    out = ONE_HEAD.apply(with_identities(), STREAMS, ALL)
    heard = np.tanh(np.sqrt(2))
    np.testing.assert_allclose(heard, 0.888386, atol=1e-6)
    np.testing.assert_allclose(out["token"], [[4 + heard, 1.5 - heard]], atol=1e-5)


def test_a_missing_stream_answers_nobody():
    alone = ONE_HEAD.apply(with_identities(), STREAMS, FIRST)["token"]
    np.testing.assert_allclose(alone, [[3, 1]], atol=1e-6)
    first, second = STREAMS["patches"]
    spoilt = {
        "tokens": STREAMS["tokens"].at[:, 1].set(jnp.nan),
        "patches": (first, jnp.full_like(second, jnp.nan)),
    }
    np.testing.assert_array_equal(
        ONE_HEAD.apply(with_identities(), spoilt, FIRST)["token"], alone
    )


def test_maps_may_have_unlike_sizes():
    """A stream without places is heard by its vector alone, (1, -1) when normed."""
    streams = STREAMS | {"patches": (STREAMS["patches"][0], jnp.zeros((1, 0, 2)))}
    heard = np.tanh(np.sqrt(2))
    out = ONE_HEAD.apply(with_identities(), streams, ALL)["token"]
    np.testing.assert_allclose(
        out, [[4 + (1 + heard) / 2, 1.5 - (1 + heard) / 2]], atol=1e-5
    )


def test_heads_divide_the_width():
    with pytest.raises(ValueError, match="Got vectors of width 2 and 4 heads"):
        CrossAttention().init(jax.random.key(0), STREAMS)
