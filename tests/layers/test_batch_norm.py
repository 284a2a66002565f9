"""Batch normalisation by hand."""

import jax.numpy as jnp
import numpy as np

from jaxact.layers.batch_norm import BatchNorm


def test_batch_norm_by_hand():
    x = jnp.array([[1.0, 10.0], [3.0, 30.0]])
    variables = {
        "params": {"scale": jnp.array([2.0, 1.0]), "bias": jnp.array([0.5, 0.0])},
        "batch_stats": {"mean": jnp.array([1.0, 0.0]), "var": jnp.array([4.0, 1.0])},
    }
    stored = BatchNorm().apply(variables, x, train=False)
    np.testing.assert_allclose(stored, [[0.5, 10.0], [2.5, 30.0]], rtol=1e-5)
    out, updated = BatchNorm().apply(variables, x, train=True, mutable="batch_stats")
    np.testing.assert_allclose(out, [[-1.5, -1.0], [2.5, 1.0]], rtol=1e-4)
    stats = updated["batch_stats"]
    np.testing.assert_allclose(stats["mean"], [1.1, 2.0], rtol=1e-6)  # 0.9 old + 0.1
    np.testing.assert_allclose(stats["var"], [3.7, 10.9], rtol=1e-6)
