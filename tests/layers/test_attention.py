import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.layers.attention import QKV, attend, attention_weights
from jaxact.layers.mlp import DropPath, gelu
from jaxact.layers.rollout import attention_rollout, class_rollout

LAYERS, BATCH, FRAMES, TOKENS, HEADS, WIDTH = 3, 2, 5, 7, 3, 11


def queries_and_keys():
    random = np.random.default_rng(0)
    shape = (LAYERS, BATCH, FRAMES, TOKENS, HEADS, WIDTH)
    queries, keys = 2 * random.normal(size=(2, *shape)).astype(np.float32)
    return tuple(map(jnp.asarray, queries)), tuple(map(jnp.asarray, keys))


def test_attention_by_hand():
    # One head of width 4, so logits are halved: keys equal to the query win 2 : 0.
    query = jnp.array([[[2.0, 0, 0, 0]]])
    key = jnp.array([[[2.0, 0, 0, 0]], [[0, 2.0, 0, 0]]])
    weights = attention_weights(query, key)
    expected = np.exp(2) / (np.exp(2) + 1)
    np.testing.assert_allclose(weights[0, 0], [expected, 1 - expected], rtol=1e-6)
    value = jnp.array([[[1.0]], [[0.0]]])
    np.testing.assert_allclose(attend(query, key, value)[0, 0], [expected], rtol=1e-6)


def test_qkv_is_ordered_query_key_value_then_heads():
    x = jnp.ones((1, 1, 6))
    kernel = jnp.zeros((6, 18)).at[0].set(jnp.arange(18.0))
    params = {"params": {"qkv": {"kernel": kernel, "bias": jnp.zeros(18)}}}
    query, key, value = QKV(heads=3).apply(params, x)
    np.testing.assert_array_equal(query[0, 0], [[0, 1], [2, 3], [4, 5]])
    np.testing.assert_array_equal(key[0, 0], [[6, 7], [8, 9], [10, 11]])
    np.testing.assert_array_equal(value[0, 0], [[12, 13], [14, 15], [16, 17]])


def test_qkv_refuses_heads_that_do_not_divide_the_width():
    with pytest.raises(ValueError, match="Got width 7 and 3 heads"):
        QKV(heads=3).init(jax.random.key(0), jnp.ones((1, 2, 7)))


def test_rollout_by_hand():
    first = jnp.array([[[0.5, 0.5], [1.0, 0.0]]])  # one head
    second = jnp.array([[[0.2, 0.8], [0.6, 0.4]]])
    plain = attention_rollout([first, second], residual=False)
    np.testing.assert_allclose(plain, [[0.9, 0.1], [0.7, 0.3]], rtol=1e-6)
    residual = attention_rollout([first, second])
    # (0.5 A2 + 0.5 I)(0.5 A1 + 0.5 I)
    left = np.array([[0.6, 0.4], [0.3, 0.7]])
    right = np.array([[0.75, 0.25], [0.5, 0.5]])
    np.testing.assert_allclose(residual, left @ right, rtol=1e-6)


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("heads", ["product", "mean"])
def test_class_rollout_is_a_row_of_the_full_product(residual, heads):
    queries, keys = queries_and_keys()
    maps = [attention_weights(q, k) for q, k in zip(queries, keys, strict=True)]
    full = attention_rollout(maps, residual, heads)
    assert full.shape == (BATCH, FRAMES, TOKENS, TOKENS)
    row = class_rollout(queries, keys, residual, heads)
    np.testing.assert_allclose(row, full[..., 0, 1:], atol=1e-6)
    np.testing.assert_allclose(full.sum(axis=-1), 1.0, atol=1e-5)


def test_head_orders_differ():
    queries, keys = queries_and_keys()
    product, mean = (
        class_rollout(queries, keys, heads=heads) for heads in ("product", "mean")
    )
    assert jnp.abs(product - mean).max() > 1e-3


def test_rollout_has_no_gradient():
    queries, keys = queries_and_keys()
    grad = jax.grad(lambda q: class_rollout(q, keys).sum())(queries)
    assert all(not np.any(leaf) for leaf in grad)


def test_rollout_refuses_what_it_cannot_do():
    queries, keys = queries_and_keys()
    with pytest.raises(ValueError, match="heads='max'; expected 'product' or 'mean'"):
        class_rollout(queries, keys, heads="max")
    with pytest.raises(ValueError, match="queries of 3 layers and keys of 2"):
        class_rollout(queries, keys[:2])
    with pytest.raises(ValueError, match="no attention maps"):
        attention_rollout([])


def test_drop_path_keeps_the_expectation():
    x = jnp.ones((20000, 1))
    out = DropPath(0.25).apply({}, x, train=True, rngs={"dropout": jax.random.key(0)})
    assert set(np.unique(out)) == {0.0, np.float32(1 / 0.75)}
    assert abs(out.mean() - 1.0) < 0.02
    np.testing.assert_array_equal(DropPath(0.25).apply({}, x, train=False), x)


@pytest.mark.parametrize(
    ("scale", "tolerance"),
    [
        (1.0, 1e-5),
        # Logits of some hundreds: exp() of them alone would overflow, and their own
        # rounding in float32, some 1e-5, is that of the weights.
        (20.0, 1e-4),
    ],
)
def test_attend_is_softmax_times_values_in_value_and_gradient(scale, tolerance):
    keys = jax.random.split(jax.random.key(3), 3)
    args = [scale * jax.random.normal(key, (2, 3, 7, 5, 11)) for key in keys]

    def plain(query, key, value):
        weights = attention_weights(query, key)
        return jnp.einsum("...aqk,...kad->...qad", weights, value)

    def value_and_gradients(f):
        loss = jax.grad(lambda *xs: (f(*xs) ** 2).sum(), argnums=(0, 1, 2))
        return f(*args), *loss(*args)

    both = value_and_gradients(attend), value_and_gradients(plain)
    for one, two in zip(*both, strict=True):
        atol = tolerance * float(jnp.abs(two).max())
        np.testing.assert_allclose(one, two, rtol=0, atol=atol)


def test_gelu_is_exact_in_value_and_slope():
    x = jnp.linspace(-8.0, 8.0, 1001)
    expected = [0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x.tolist()]
    np.testing.assert_allclose(gelu(x), expected, atol=1e-6)
    slope = jax.vmap(jax.grad(lambda v: jax.nn.gelu(v, approximate=False)))(x)
    np.testing.assert_allclose(jax.vmap(jax.grad(gelu))(x), slope, atol=1e-6)
    assert gelu(x.astype(jnp.bfloat16)).dtype == jnp.bfloat16
