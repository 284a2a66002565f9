import jax.numpy as jnp
import numpy as np

from jaxact.layers.class_activation import class_activation_maps


def test_maps_by_hand():
    features = jnp.zeros((1, 2, 1, 2, 3)).at[0, 1, 0, 1].set(jnp.array([1.0, 2.0, 3.0]))
    kernel = jnp.array([[1.0, 10.0], [1.0, 100.0], [1.0, -1.0]])
    maps = class_activation_maps(features, kernel, jnp.array([1]))
    expected = np.zeros((1, 2, 1, 2))
    expected[0, 1, 0, 1] = 1 * 10 + 2 * 100 - 3
    np.testing.assert_array_equal(maps, expected)


def test_the_mean_of_the_map_is_the_logit():
    random = np.random.default_rng(0)
    features = random.normal(size=(3, 2, 5, 4, 7)).astype(np.float32)
    kernel = random.normal(size=(7, 11)).astype(np.float32)
    bias = random.normal(size=11).astype(np.float32)
    logits = features.mean(axis=(1, 2, 3)) @ kernel + bias
    best = logits.argmax(axis=1)
    maps = class_activation_maps(features, kernel, best)
    assert maps.shape == (3, 2, 5, 4)
    np.testing.assert_allclose(
        maps.mean(axis=(1, 2, 3)) + bias[best], logits.max(axis=1), atol=1e-5
    )
