import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.devices import platform
from jaxact.layers import attention
from jaxact.layers.attention import QKV, attend, attention_weights


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


@pytest.mark.parametrize("with_pairs", [False, True])
@pytest.mark.parametrize("bias_shape", [None, (1, 1, 5, 7, 6), (2, 1, 1, 7, 6)])
def test_heads_one_by_one_are_all_heads_in_value_and_gradient(
    monkeypatch, with_pairs, bias_shape
):
    keys = iter(jax.random.split(jax.random.key(4), 5))
    query = jax.random.normal(next(keys), (2, 3, 7, 5, 11))
    key, value = (jax.random.normal(next(keys), (2, 3, 6, 5, 11)) for _ in "kv")
    bias = None if bias_shape is None else jax.random.normal(next(keys), bias_shape)
    pairs = jax.random.bernoulli(next(keys), 0.5, (1, 3, 7, 6)).at[0, 0, 0].set(False)
    pairs = pairs if with_pairs else None

    def gradients(*args):
        # A function of its own for each form: what was traced once is kept.
        loss = lambda *xs: (attend(*xs[:3], pairs, xs[3]) ** 2).sum()  # noqa: E731
        argnums = (0, 1, 2) if bias is None else (0, 1, 2, 3)
        return jax.value_and_grad(loss, argnums)(*args)

    def text(*args):
        return str(jax.make_jaxpr(lambda *xs: attend(*xs[:3], pairs, xs[3]))(*args))

    args = (query, key, value, bias)
    assert "scan" not in text(*args)
    at_once = gradients(*args)
    monkeypatch.setattr(attention, "ONE_BY_ONE", 0)
    assert "scan" in text(*args)
    chex.assert_trees_all_close(gradients(*args), at_once, rtol=1e-5, atol=1e-5)
    with platform.compiling_for("tpu"):
        assert "scan" not in text(*args)


def test_an_export_of_any_batch_attends_to_all_heads_at_once():
    batch = jax.export.symbolic_shape("b")[0]
    clips = jax.ShapeDtypeStruct((batch, 5, 2, 3), jnp.float32)
    exported = jax.export.export(jax.jit(lambda x: attend(x, x, x)))(clips)
    x = jax.random.normal(jax.random.key(0), (4, 5, 2, 3))
    chex.assert_trees_all_close(exported.call(x), attend(x, x, x), rtol=1e-5, atol=1e-6)
