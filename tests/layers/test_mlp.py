"""Stochastic depth and the exact GELU, by their definitions."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxact.devices import platform
from jaxact.layers import mlp
from jaxact.layers.mlp import DropPath, Mlp, TransformerDense, gelu


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


def test_the_portable_erf_is_as_exact_as_xlas():
    # Abramowitz and Stegun, table 7.1.
    x = jnp.array([-4.0, 0.0, 0.5, 1.0, 2.0])
    expected = [-1.0, 0.0, 0.5204998778, 0.8427007929, 0.9953222650]
    np.testing.assert_allclose(mlp.portable_erf(x), expected, rtol=4e-7)
    with platform.compiling_for(platform.PORTABLE):
        portable = gelu(x)
    np.testing.assert_allclose(portable, gelu(x), atol=5e-7)


def test_transformers_start_as_their_recipes_do():
    module = Mlp(dense=TransformerDense)
    params = module.init(jax.random.key(0), jnp.zeros((1, 64)), train=False)["params"]
    for layer in ("fc1", "fc2"):
        assert abs(params[layer]["kernel"].std() - 0.02) < 0.0005
        assert abs(params[layer]["kernel"]).max() > 0.06  # not cut at two deviations
        assert not params[layer]["bias"].any()
