"""Stochastic depth and the exact GELU, by their definitions."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxact.layers.mlp import DropPath, gelu


def test_drop_path_keeps_the_expectation():
    x = jnp.ones((20000, 1))
    out = DropPath(0.25).apply({}, x, train=True, rngs={"dropout": jax.random.key(0)})
    assert set(np.unique(out)) == {0.0, np.float32(1 / 0.75)}
    assert abs(out.mean() - 1.0) < 0.02
    np.testing.assert_array_equal(DropPath(0.25).apply({}, x, train=False), x)


def test_gelu_is_exact_in_value_and_slope():
    x = jnp.linspace(-8.0, 8.0, 1001)
    expected = [0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x.tolist()]
    np.testing.assert_allclose(gelu(x), expected, atol=1e-6)
    slope = jax.vmap(jax.grad(lambda v: jax.nn.gelu(v, approximate=False)))(x)
    np.testing.assert_allclose(jax.vmap(jax.grad(gelu))(x), slope, atol=1e-6)
    assert gelu(x.astype(jnp.bfloat16)).dtype == jnp.bfloat16
