import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.layers.masking import masked_attention

FRAMES, PATCHES, WIDTH, HEADS = 7, 11, 15, 3


def tokens(seed=0, dtype=jnp.float32):
    shape = (2, 11, HEADS, 5)
    random = np.random.default_rng(seed)
    return tuple(jnp.asarray(random.normal(size=shape), dtype) for _ in range(3))


def test_masked_attention_equals_attention_among_the_kept():
    query, key, value = tokens()
    keep = jnp.array([[1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0], [0, 1] * 5 + [1]], bool)
    out = masked_attention(query, key, value, keep)
    for b in range(2):
        kept = np.flatnonzero(np.asarray(keep[b]))
        for a in range(HEADS):
            q, k, v = (np.asarray(x[b, kept, a], np.float64) for x in tokens())
            logits = np.exp(q @ k.T / np.sqrt(5))
            expected = logits / logits.sum(-1, keepdims=True) @ v
            np.testing.assert_allclose(out[b, kept, a], expected, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(out)[~np.asarray(keep)], 0.0)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_nothing_kept_gives_zeros_without_nan(dtype):
    query, key, value = tokens(dtype=dtype)
    keep = jnp.zeros((2, 11), bool).at[1, 3].set(True)

    def total(*qkv):
        return masked_attention(*qkv, keep).astype(jnp.float32).sum()

    out = masked_attention(query, key, value, keep)
    assert out.dtype == dtype
    np.testing.assert_array_equal(out[0].astype(jnp.float32), 0.0)
    np.testing.assert_array_equal(
        out[1, 3].astype(jnp.float32), value[1, 3].astype(jnp.float32)
    )
    grads = jax.grad(total, argnums=(0, 1, 2))(query, key, value)
    chex.assert_tree_all_finite(grads)
    np.testing.assert_array_equal(grads[2][1, 3].astype(jnp.float32), 1.0)


def test_dropped_tokens_cannot_influence_anything():
    query, key, value = tokens()
    keep = jnp.array([[True, False] * 5 + [True]] * 2)
    drop = ~keep[..., None, None]

    @jax.jit
    def value_and_grads(*inputs):
        def total(*inputs):
            out = masked_attention(*inputs, keep)
            return (out**2).sum(), out

        grads, out = jax.grad(total, argnums=(0, 1, 2), has_aux=True)(*inputs)
        return out, *grads

    expected = value_and_grads(query, key, value)
    for poison in (1e30, jnp.nan, jnp.inf):
        changed = [jnp.where(drop, poison, x) for x in (query, key, value)]
        for found, want in zip(value_and_grads(*changed), expected, strict=True):
            np.testing.assert_array_equal(found, want)
