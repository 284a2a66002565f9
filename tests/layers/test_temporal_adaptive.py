"""TANet's kernel along time, by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxact.layers.temporal_adaptive import TAM


def test_a_fresh_kernel_along_time_by_hand():
    """All weights 0: factors 1/2, taps 1/3 each; of 6, 6, 6 that is 2, 3 and 2."""
    x = jnp.full((1, 3, 2, 2, 4), 6.0)
    variables = TAM().init(jax.random.key(0), x)
    params = jax.tree.map(jnp.zeros_like, variables["params"])
    out = TAM().apply(variables | {"params": params}, x)
    expected = np.array([2.0, 3.0, 2.0]).reshape(1, 3, 1, 1, 1) * np.ones(x.shape)
    np.testing.assert_allclose(out, expected, rtol=1e-6)
