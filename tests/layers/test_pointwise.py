import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.devices import platform
from jaxact.layers.pointwise import pointwise


@pytest.mark.parametrize("channels", [(3, 11), (11, 3), (7, 7)], ids=str)
def test_value_and_gradients_are_those_of_the_plain_product(channels):
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 5, 3, 13, channels[0])).astype(np.float32)
    kernel = random.normal(size=channels).astype(np.float32)

    def plain(x, kernel):
        return jnp.einsum("bthwi,io->bthwo", x, kernel)

    def results(product):
        y, pull = jax.vjp(product, x, kernel)
        return y, *pull(jnp.cos(y))

    for ours, expected in zip(results(pointwise), results(plain), strict=True):
        assert ours.shape == expected.shape
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)


def test_gradients_by_hand():
    # One place, one channel in, two out: y = x k, so dk = x dy and dx = k . dy.
    x, kernel = jnp.full((1, 1, 1, 1, 1), 3.0), jnp.array([[5.0, 7.0]])
    y, pull = jax.vjp(pointwise, x, kernel)
    dx, dkernel = pull(jnp.array([1.0, 10.0]).reshape(y.shape))
    assert y.ravel().tolist() == [15.0, 21.0]
    assert dx.item() == 75.0 and dkernel.tolist() == [[3.0, 30.0]]


def test_bfloat16_stays_bfloat16():
    x, kernel = jnp.ones((1, 2, 3, 5, 7), jnp.bfloat16), jnp.ones((7, 2), jnp.bfloat16)
    y, pull = jax.vjp(pointwise, x, kernel)
    assert {y.dtype, *(part.dtype for part in pull(y))} == {jnp.dtype("bfloat16")}


def test_the_portable_product_is_the_same():
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 3, 5, 7, 4)).astype("f4")
    kernel = random.normal(size=(4, 11)).astype("f4")
    with platform.compiling_for(platform.PORTABLE):
        y = pointwise(x, kernel)
    np.testing.assert_allclose(y, x @ kernel, atol=1e-5)
