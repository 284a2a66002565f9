"""The random keys of a step: a function of key, stream and step alone."""

import dataclasses
import zlib

import jax
import jax.numpy as jnp
import numpy as np

from jaxact.state import RNG_STREAMS, AveragedState, key_shape, rngs_at, stream_key


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


def test_averages_follow_by_the_warmed_up_decay():
    """After step n by min(d, (1 + n) / (10 + n)): 2/11, then 3/12; statistics alike."""
    state = AveragedState(
        step=jnp.array(0),
        params={"w": jnp.array(1.0)},
        batch_stats={"m": jnp.array(10.0)},
        opt_state=(),
        ema={},
        decay=0.2,
    ).started()
    assert state.variables == {"params": {"w": 1.0}, "batch_stats": {"m": 10.0}}
    assert state.ema["params"]["w"] is not state.params["w"]
    expected = 1.0
    for step, decay, value in ((1, 2 / 11, 3.0), (2, 0.2, 5.0), (3, 0.2, 5.0)):
        given = {"params": {"w": jnp.array(value)}, "step": jnp.array(step)}
        given["batch_stats"] = {"m": jnp.array(10 * value)}
        state = dataclasses.replace(state, **given).followed()
        expected = decay * expected + (1 - decay) * value
        np.testing.assert_allclose(state.variables["params"]["w"], expected, rtol=1e-6)
        np.testing.assert_allclose(
            state.variables["batch_stats"]["m"], 10 * expected, rtol=1e-6
        )
    assert state.params["w"] == 5.0  # what is trained is not touched
