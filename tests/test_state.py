"""The random keys of a step: a function of key, stream and step alone."""

import zlib

import jax
import numpy as np

from jaxact.state import RNG_STREAMS, key_shape, rngs_at, stream_key


def test_keys_are_the_equation_s():
    key = jax.random.key(3)
    found = rngs_at(key, 5)
    assert set(found) == set(RNG_STREAMS)
    for name, got in found.items():
        by_hand = jax.random.fold_in(key, zlib.crc32(name.encode()))
        by_hand = jax.random.fold_in(by_hand, 5)
        np.testing.assert_array_equal(
            jax.random.key_data(got), jax.random.key_data(by_hand)
        )


def test_steps_and_streams_differ():
    key = jax.random.key(3)
    keys = [stream_key(key, "a"), stream_key(key, "b")]
    keys += [rngs_at(key, step)[RNG_STREAMS[0]] for step in (0, 1)]
    assert len({tuple(np.asarray(jax.random.key_data(k))) for k in keys}) == 4
    assert key_shape().dtype == key.dtype and key_shape().shape == ()
