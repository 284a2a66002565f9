import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.devices import platform as target
from jaxact.layers.conv3d import (
    chosen_form,
    conv3d,
    depthwise_conv3d,
    max_pool3d,
    same_padding,
)

RANDOM = np.random.default_rng(3)


def normal(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("window", "strides"),
    [
        ((7, 7, 7), (2, 2, 2)),
        ((3, 3, 3), (1, 1, 1)),
        ((3, 1, 5), (2, 1, 3)),
        ((1, 1, 1), (1, 1, 1)),
        ((1, 1, 1), (1, 2, 2)),
        ((3, 1, 1), (1, 2, 1)),
    ],
    ids=str,
)
def test_both_forms_agree_in_value_and_gradients(window, strides):
    # Outputs about 1 in size: the cosine of large ones would magnify their rounding.
    x, kernel = normal(2, 9, 11, 13, 3), normal(*window, 3, 5)
    kernel /= np.sqrt(kernel[..., 0].size)
    padding = same_padding(x.shape[1:4], window, strides)

    def results(form):
        @jax.jit
        def run(x, kernel):
            y, pull = jax.vjp(
                lambda x, k: conv3d(x, k, strides, padding, form), x, kernel
            )
            return y, *pull(jnp.cos(y))

        return run(x, kernel)

    for ours, native in zip(results("taps"), results("native"), strict=True):
        assert ours.shape == native.shape
        scale = np.abs(native).max()
        np.testing.assert_allclose(ours / scale, native / scale, atol=1e-5)


@pytest.mark.parametrize(
    ("window", "strides"),
    [
        ((3, 3, 3), (1, 1, 1)),
        ((3, 3, 3), (2, 2, 2)),
        ((1, 3, 2), (1, 2, 3)),
        ((3, 1, 1), (2, 1, 1)),
    ],
    ids=str,
)
def test_both_poolings_agree_and_padding_never_wins(window, strides):
    x = normal(2, 7, 10, 13, 3) - 5.0  # all negative: a padding of zeros would win
    padding = same_padding(x.shape[1:4], window, strides)

    def results(form):
        @jax.jit
        def run(x):
            y, pull = jax.vjp(
                lambda x: max_pool3d(x, window, strides, padding, form), x
            )
            return y, *pull(jnp.cos(y))

        return run(x)

    for ours, native in zip(results("taps"), results("native"), strict=True):
        np.testing.assert_allclose(ours, native, rtol=1e-5, atol=1e-5)


def test_same_padding_by_hand():
    assert same_padding((224, 112, 8), (7, 3, 3), (2, 2, 2)) == ((2, 3), (0, 1), (0, 1))
    assert same_padding((225, 7, 1), (7, 3, 2), (2, 1, 2)) == ((3, 3), (1, 1), (0, 1))
    assert same_padding((5,), (1,), (2,)) == ((0, 0),)


def primitives(function, *arguments):
    return {eqn.primitive.name for eqn in jax.make_jaxpr(function)(*arguments).eqns}


@pytest.mark.parametrize(
    ("platform", "native"),
    [("cpu", set()), ("tpu", {"pool"}), ("gpu", {"convolution"})],
)
def test_the_form_is_chosen_by_platform(platform, native):
    x, kernel = normal(1, 4, 6, 6, 2), normal(3, 3, 3, 2, 2)
    places = ((1, 1),) * 3
    with target.compiling_for(platform):
        pooled = primitives(lambda x: max_pool3d(x, (3, 3, 3), (1, 1, 1), places), x)
        convolved = jax.make_jaxpr(lambda x, k: conv3d(x, k, (1, 1, 1), places))(
            x, kernel
        )
    assert ("reduce_window_max" in pooled) == ("pool" in native)
    [equation] = [
        equation
        for equation in convolved.eqns
        if equation.primitive.name == "conv_general_dilated"
    ]
    assert (equation.outvars[0].aval.ndim == 5) == ("convolution" in native)


@pytest.mark.parametrize("form", ["native", "taps"])
def test_one_place_is_a_matrix_product_in_every_form(form):
    x, kernel = normal(1, 4, 6, 6, 2), normal(1, 1, 1, 2, 2)
    used = primitives(
        lambda x, k: conv3d(x, k, (1, 1, 1), ((0, 0),) * 3, form), x, kernel
    )
    assert "conv_general_dilated" not in used


def test_a_form_can_be_named():
    assert chosen_form("native", []) == "native"
    assert chosen_form("taps", ["cpu"]) == "taps"
    with pytest.raises(ValueError, match="Got form 'fast'"):
        chosen_form("fast", [])


@pytest.mark.parametrize("strides", [(1, 1, 1), (2, 2, 2), (1, 2, 1)])
def test_both_forms_of_a_depthwise_convolution_agree(strides):
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 5, 7, 6, 3)).astype(np.float32)
    kernel = random.normal(size=(3, 3, 3, 3)).astype(np.float32)
    padding = ((1, 1),) * 3
    forms = [
        depthwise_conv3d(x, kernel, strides, padding, form)
        for form in ("native", "taps")
    ]
    np.testing.assert_allclose(forms[0], forms[1], atol=1e-5)
    # One value by hand: the first place sees the first two of everything.
    by_hand = (x[0, :2, :2, :2] * kernel[1:, 1:, 1:]).sum(axis=(0, 1, 2))
    np.testing.assert_allclose(forms[1][0, 0, 0, 0], by_hand, atol=1e-5)
