import jax.numpy as jnp
import numpy as np

from jaxact.layers.class_activation import class_activation_maps, of_classes


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
    params = {"head": {"fc": {"kernel": kernel, "bias": bias}}}
    out = {"features": jnp.asarray(features), "logits": jnp.asarray(logits)}
    best = logits.argmax(axis=1)
    maps = of_classes(out, params, best)
    assert maps is not None and maps.shape == (3, 2, 5, 4)
    np.testing.assert_allclose(
        maps.mean(axis=(1, 2, 3)) + bias[best], logits.max(axis=1), atol=1e-5
    )


def test_models_without_a_map_have_none():
    kernel = {"head": {"fc": {"kernel": jnp.zeros((7, 2))}}}
    logits, label = jnp.zeros((1, 2)), jnp.zeros(1, int)
    assert of_classes({"logits": logits}, kernel, label) is None
    other = {"logits": logits, "features": jnp.zeros((1, 2, 3, 3, 5))}
    assert of_classes(other, kernel, label) is None
    assert of_classes(other, {"heads": {}}, label) is None
