"""Fingerprints: known by hand, changed by every bit, the same on all devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from jaxact.checkpoints import fingerprint
from tests import tiny


def test_by_hand():
    # Weights of a vector are 2 (2654435761 + i) + 1 modulo 2**32.
    first = (2 * 2654435761 + 1) % 2**32
    expected = (3 * first + 5 * (first + 2)) % 2**32
    assert fingerprint.of_tree({"a": jnp.array([3, 5], jnp.int32)}) == {"a": expected}
    assert fingerprint.of_tree({}) == {}


@pytest.mark.parametrize("dtype", ["float32", "int32", "bfloat16", "uint8", "bool"])
def test_every_bit_counts(dtype):
    array = jnp.zeros((2, 3), dtype)
    stored = fingerprint.of_tree({"x": {"y": array}})
    assert fingerprint.differing({"x": {"y": array}}, stored) == []
    host = np.array(array)
    view = host.reshape(-1).view(np.uint8)
    for bit in (0,) if dtype == "bool" else (0, 3, 7):
        for place in (0, len(view) - 1):
            view[place] ^= np.uint8(1 << bit)
            changed = {"x": {"y": jnp.asarray(host)}}
            assert fingerprint.differing(changed, stored) == ["x/y"]
            view[place] ^= np.uint8(1 << bit)


def test_places_count_and_devices_do_not():
    array = np.random.default_rng(0).normal(size=(4, 7)).astype(np.float32)
    stored = fingerprint.of_tree({"x": jnp.asarray(array)})
    assert fingerprint.differing({"x": jnp.asarray(array[::-1])}, stored) == ["x"]
    sharding = NamedSharding(tiny.mesh_of(4), PartitionSpec("data"))
    spread = {"x": jax.device_put(array, sharding)}
    assert fingerprint.of_tree(spread) == stored
