"""Bottleneck tokens: what passes through them, and when."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxact.layers.fusions.bottleneck import Bottleneck

RANDOM = np.random.default_rng(3)
STREAMS = {
    "tokens": jnp.asarray(RANDOM.normal(size=(1, 3, 4)), jnp.float32),
    # Maps of unlike sizes; the last stream has its vector alone.
    "patches": tuple(
        jnp.asarray(RANDOM.normal(size=(1, n, 4)), jnp.float32) for n in (5, 3, 0)
    ),
}
FUSION = Bottleneck(layers=2, tokens=2, heads=2)
PARAMS = jax.jit(FUSION.init)(jax.random.key(0), STREAMS)


def token(streams, present=None, fusion=FUSION, params=PARAMS):
    return jax.jit(fusion.apply)(params, streams, present)["token"]


def test_its_size():
    """A block: q, k, v, out and an MLP of 4 d, biases, two norms; B tokens of d."""
    d = 4
    block = 4 * (d * d + d) + 2 * 4 * d * d + 5 * d + 2 * 2 * d
    count = sum(x.size for x in jax.tree.leaves(PARAMS))
    assert count == 2 * 3 * block + 2 * d + 3 * 2 * d


def test_streams_meet_in_the_bottleneck_alone():
    """In one layer a stream changes its own third of the mean, and nothing else."""
    changed = STREAMS | {
        "tokens": STREAMS["tokens"].at[:, 0].set(RANDOM.normal(size=4))
    }
    first = jnp.array([[True, False, False]])

    def beyond_its_own(layers):
        fusion = Bottleneck(layers=layers, tokens=2, heads=2)
        whole = token(changed, None, fusion) - token(STREAMS, None, fusion)
        own = token(changed, first, fusion) - token(STREAMS, first, fusion)
        assert np.abs(own).max() > 0.1
        return np.abs(3 * whole - own).max()

    assert beyond_its_own(1) < 1e-5 < 1e-4 < beyond_its_own(2)


def test_a_missing_stream_is_as_if_it_had_never_been():
    """Of the streams 0 and 2: what two streams with these weights give."""
    present = jnp.array([[True, False, True]])
    maps = STREAMS["patches"]
    some = {"tokens": STREAMS["tokens"][:, ::2], "patches": maps[::2]}
    own = {k: v for k, v in PARAMS["params"].items() if not k.endswith("_1")}
    own = {(k[:-1] + "1" if k.endswith("_2") else k): v for k, v in own.items()}
    expected = token(some, params={"params": own})
    np.testing.assert_allclose(token(STREAMS, present), expected, atol=1e-6)
    spoilt = {
        "tokens": STREAMS["tokens"].at[:, 1].set(jnp.nan),
        "patches": (maps[0], jnp.full_like(maps[1], jnp.nan), maps[2]),
    }
    np.testing.assert_allclose(token(spoilt, present), expected, atol=1e-6)
