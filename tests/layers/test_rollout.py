"""Attention rollout against products of matrices taken by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.layers.attention import attention_weights
from jaxact.layers.rollout import attention_rollout, class_rollout

LAYERS, BATCH, FRAMES, TOKENS, HEADS, WIDTH = 3, 2, 5, 7, 3, 11


def queries_and_keys():
    random = np.random.default_rng(0)
    shape = (LAYERS, BATCH, FRAMES, TOKENS, HEADS, WIDTH)
    queries, keys = 2 * random.normal(size=(2, *shape)).astype(np.float32)
    return tuple(map(jnp.asarray, queries)), tuple(map(jnp.asarray, keys))


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
