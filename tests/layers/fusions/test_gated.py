"""Gated fusion by hand."""

import jax.numpy as jnp
import numpy as np

from jaxact.layers.fusions.gated import Gated
from tests.layers.fusions.test_confident import ALL, FIRST


def test_gates_by_hand():
    tokens = jnp.array([[[0.5, -1.0], [2.0, 0.25]]])
    eye, zero = jnp.eye(2), jnp.zeros(2)
    params = {
        "hidden_0": {"kernel": eye, "bias": zero},
        "hidden_1": {"kernel": eye, "bias": zero},
        "gate": {"kernel": jnp.zeros((4, 2)), "bias": jnp.log(jnp.array([3.0, 1.0]))},
    }
    for present in (None, ALL):
        out = Gated().apply({"params": params}, {"tokens": tokens}, present)
        first, second = np.tanh(np.asarray(tokens[0]))
        expected = [0.75, 0.5] * first + [0.25, 0.5] * second
        np.testing.assert_allclose(out["token"][0], expected, rtol=1e-5)
    alone = Gated().apply({"params": params}, {"tokens": tokens}, FIRST)
    np.testing.assert_allclose(alone["token"][0], first, rtol=1e-5)
