"""Boxes of a grid by hand, and in the form that every export format holds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.devices import platform
from jaxact.layers.windows import from_windows, max_of_windows, to_windows

FORMS = pytest.mark.parametrize("form", ["cpu", platform.PORTABLE])


@FORMS
def test_windows_by_hand(form):
    x = jnp.arange(8.0).reshape(1, 1, 2, 4, 1, 1)  # rows 0 1 2 3 and 4 5 6 7
    with platform.compiling_for(form):
        windows = to_windows(x, (1, 2, 2))
        back = from_windows(windows, (1, 2, 4), (1, 2, 2))
        largest = max_of_windows(x[..., 0], (1, 2, 2))
    np.testing.assert_array_equal(windows[0, :, :, 0, 0], [[0, 1, 4, 5], [2, 3, 6, 7]])
    np.testing.assert_array_equal(back, x)
    np.testing.assert_array_equal(largest.ravel(), [5, 7])


@pytest.mark.parametrize("rest", [(), (5,), (5, 2)])
def test_both_forms_are_the_same(rest):
    window, grid = (2, 3, 5), (4, 9, 35)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, *grid, *rest)))
    found = {}
    for form in ("cpu", platform.PORTABLE):
        with platform.compiling_for(form):
            windows = to_windows(x, window)
            back = from_windows(windows, grid, window)
            found[form] = windows, back, max_of_windows(x, window)
    assert found["cpu"][0].shape == (2, 2 * 3 * 7, 30, *rest)
    np.testing.assert_array_equal(found["cpu"][1], x)
    jax.tree.map(np.testing.assert_array_equal, *found.values())


def test_the_portable_form_exchanges_two_axes_of_four():
    x = jax.ShapeDtypeStruct((2, 4, 6, 8, 3, 5), jnp.float32)

    def there_and_back(x):
        return from_windows(to_windows(x, (2, 3, 4)), (4, 6, 8), (2, 3, 4))

    def most(form):
        with platform.compiling_for(form):
            equations = jax.make_jaxpr(lambda x: there_and_back(x))(x).eqns
        axes = [e.invars[0].aval.ndim for e in equations if "transpose" in str(e)]
        return max(axes)

    assert most("cpu") > 6 and most(platform.PORTABLE) == 4
