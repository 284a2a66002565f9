import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.layers.netvlad import NetVLAD, start_values

RANDOM = np.random.default_rng(7)
FEATURES = RANDOM.normal(size=(3, 13, 5)).astype(np.float32)  # b n d


def variables(centres, alpha):
    """As `start_values` has it, in numpy: nothing to compile."""
    centres = np.asarray(centres, np.float32)
    return {
        "params": {
            "centres": centres,
            "assignment": 2 * alpha * centres.T,
            "assignment_bias": -alpha * np.square(centres).sum(axis=-1),
            "alpha": np.float32(alpha),
        }
    }


def pool(module, variables, features):
    return jax.jit(module.apply)(variables, features)


def unit(x, axis=-1):
    return x / np.linalg.norm(x, axis=axis, keepdims=True)


def direct(features, centres, alpha):
    """Eq. 4 as it is printed, one sum after another, in float64."""
    result = []
    for video in features.astype(np.float64):
        total = np.zeros((len(centres), video.shape[-1]))
        for x in video:
            distances = np.array([((x - c) ** 2).sum() for c in centres])
            shares = np.exp(-alpha * (distances - distances.min()))
            shares /= shares.sum()
            total += shares[:, None] * (x - centres)
        result.append(unit(unit(total).ravel()))
    return np.array(result)


@pytest.mark.parametrize("alpha", [0.5, 10.0, 1000.0])
@pytest.mark.parametrize("normalize", [True, False])
def test_equals_equation_4(alpha, normalize):
    features = unit(FEATURES) if normalize else FEATURES
    # Near the features, so that at 1000 every cluster still has some of its own.
    centres = features[0, :7] + 0.1 * RANDOM.normal(size=(7, 5))
    pooled = pool(NetVLAD(7, alpha, normalize), variables(centres, alpha), FEATURES[:1])
    expected = direct(features[:1], centres.astype(np.float32), alpha)
    np.testing.assert_allclose(pooled.vector, expected, atol=1e-5)
    np.testing.assert_allclose(pooled.assignments.sum(axis=-1), 1.0, atol=1e-6)


def test_unit_norms():
    module = NetVLAD(7, alpha=2.0)
    pooled, params = jax.jit(module.init_with_output)(jax.random.key(0), FEATURES)
    again = start_values(params["params"]["centres"], 2.0)
    chex.assert_trees_all_equal(params["params"], dict(again))
    assert pooled.vector.shape == (3, 7 * 5) and pooled.vector.dtype == jnp.float32
    np.testing.assert_allclose(np.linalg.norm(pooled.vector, axis=-1), 1.0, atol=1e-6)
    columns = pooled.vector.reshape(3, 7, 5)
    lengths = np.linalg.norm(columns, axis=-1)
    np.testing.assert_allclose(lengths, 7**-0.5, atol=1e-6)


def test_two_clusters_by_hand():
    """Around (0, 0) and (10, 0): residuals add up to (1, 1) and (0, -2)."""
    features = jnp.array([[[1.0, 0.0], [0.0, 1.0], [10.0, -3.0], [10.0, 1.0]]])
    module = NetVLAD(2, alpha=1.0, normalize=False)
    pooled = pool(module, variables([[0, 0], [10, 0]], 1.0), features)
    np.testing.assert_allclose(
        pooled.assignments[0], [[1, 0], [1, 0], [0, 1], [0, 1]], atol=1e-6
    )
    # Each column has length 1, and both together.
    expected = [[0.5, 0.5, 0.0, -(0.5**0.5)]]
    np.testing.assert_allclose(pooled.vector, expected, atol=1e-6)


def test_gradients_reach_all_parameters_and_the_features():
    module = NetVLAD(7, alpha=3.0)
    towards = RANDOM.normal(size=(3, 35)).astype(np.float32)

    @jax.jit
    def score(params, x):
        return (module.apply({"params": params}, x).vector * towards).sum()

    params = variables(unit(FEATURES[0, :7]), 3.0)["params"]
    params_grad, x_grad = jax.jit(jax.grad(score, argnums=(0, 1)))(params, FEATURES)
    assert sorted(params_grad) == ["alpha", "assignment", "assignment_bias", "centres"]
    for leaf in jax.tree.leaves((params_grad, x_grad)):
        assert np.isfinite(leaf).all() and np.abs(leaf).max() > 1e-4
    # The slope along alpha, by a difference: it scales the logits.
    step = 1e-2
    more, less = (
        score(params | {"alpha": np.float32(3.0 + sign * step)}, FEATURES)
        for sign in (1, -1)
    )
    slope = (more - less) / (2 * step)
    np.testing.assert_allclose(params_grad["alpha"], slope, rtol=1e-2, atol=1e-4)


def test_float32_in_a_bfloat16_model():
    """No overflow at alpha = 1000, and assignments that bfloat16 could not tell."""
    features = FEATURES.astype(jnp.bfloat16)
    seen = unit(features.astype(np.float32))
    # Two centres so near each other that 1000 |x - c|^2 is the same in bfloat16.
    centres = np.stack([seen[0, 0] + 0.002, seen[0, 0] - 0.002, seen[1, 1]])
    module = NetVLAD(3)
    params = variables(centres, 1000.0)

    @jax.jit
    def pooled_and_grad(x):
        pooled, pull = jax.vjp(lambda x: module.apply(params, x), x)
        return pooled, pull(jax.tree.map(jnp.ones_like, pooled))[0]

    pooled, grad = pooled_and_grad(features)
    assert {leaf.dtype for leaf in pooled} == {jnp.dtype(jnp.float32)}
    expected = direct(seen, centres.astype(np.float32), 1000.0)
    np.testing.assert_allclose(pooled.vector, expected, atol=1e-4)
    assert grad.dtype == jnp.bfloat16 and np.isfinite(grad.astype(np.float32)).all()


def test_residuals_of_zero_give_zeros_and_finite_gradients():
    """Every feature is a centre, and one cluster has none at all."""
    centres = np.eye(3, 5, dtype=np.float32)
    features = np.stack([centres[:2], np.zeros((2, 5), np.float32)])  # no direction

    @jax.jit
    def vector_and_grads(params, x):
        vector, pull = jax.vjp(lambda p, x: NetVLAD(3).apply(p, x).vector, params, x)
        return vector, pull(jnp.ones_like(vector))

    vector, grads = vector_and_grads(variables(centres, 1000.0), features)
    np.testing.assert_array_equal(vector[0], np.zeros(15))
    np.testing.assert_array_equal(grads[1], np.zeros_like(features))
    chex.assert_tree_all_finite((vector, grads))


def test_contributions_add_up_to_the_class_score():
    module = NetVLAD(7, alpha=2.0)
    weights = RANDOM.normal(size=(3, 35)).astype(np.float32)

    @jax.jit
    def both(params):
        pooled = module.apply(params, FEATURES)
        return pooled, pooled.contributions(weights)

    pooled, shares = both(variables(FEATURES[0, :7], 2.0))
    assert shares.shape == (3, 13)
    np.testing.assert_allclose(
        shares.sum(axis=-1), (pooled.vector * weights).sum(axis=-1), atol=1e-5
    )


def test_wrong_features_are_refused():
    with pytest.raises(ValueError, match=r"expected \[b n d\]"):
        NetVLAD(3).init(jax.random.key(0), jnp.zeros((1, 2, 3, 4)))
