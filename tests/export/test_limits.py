"""What a format has not is refused before it is converted, by its name."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from jaxact import errors
from jaxact.export import convert, limits
from tests.export.test_convert import export, model  # noqa: F401


def met(function, shape, which=limits.TFLITE):
    """The first limit that a function of an array runs into."""
    traced = jax.make_jaxpr(jax.jit(function))(jax.ShapeDtypeStruct(shape, jnp.float32))
    found = (
        limit.about
        for equation in limits.equations(traced.jaxpr)
        for limit in which
        if limit.meets(equation)
    )
    return next(found, "")


@pytest.mark.parametrize(
    ("function", "shape", "about"),
    [
        (lambda x: x[..., ::-1] + 1, (3, 2), ""),
        (jnp.sort, (3, 2), "sorting"),
        (lambda x: jax.lax.top_k(x, 2)[0], (3, 2), "sorting"),
        (lambda x: x.transpose(0, 2, 4, 6, 1, 3, 5), (2,) * 7, "exchanges of more"),
        # Seven axes, of which the last two stay together, or one has one place.
        (lambda x: x.transpose(0, 2, 4, 1, 3, 5, 6), (2,) * 7, ""),
        (lambda x: x.transpose(0, 2, 4, 6, 1, 3, 5), (1, *(2,) * 6), ""),
    ],
)
def test_what_litert_has_not(function, shape, about):
    found = met(function, shape)
    assert found.startswith(about) and bool(found) == bool(about)


@pytest.mark.parametrize("groups", [1, 2])
def test_convolutions_of_three_axes(groups):
    kernel = jnp.ones((1, 2, 2, 4 // groups, 4))

    def convolved(x):
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            (1, 1, 1),
            "VALID",
            dimension_numbers=("NDHWC", "DHWIO", "NDHWC"),
            feature_group_count=groups,
        )

    shape = (1, 2, 3, 3, 4)
    assert met(convolved, shape, limits.ONNX) == "convolutions of three axes"
    assert bool(met(convolved, shape)) == (groups > 1)


def test_it_is_refused_before_anything_is_written(model, tmp_path, monkeypatch):  # noqa: F811
    def never(*_):
        raise AssertionError("it was converted")

    limit = limits.Limit("dividing", lambda e: e.primitive.name == "div")
    chosen = dataclasses.replace(
        convert.FORMATS["stablehlo"], write=never, lacks=(limit,)
    )
    monkeypatch.setitem(convert.FORMATS, "stablehlo", chosen)
    with pytest.raises(errors.UserError, match="stablehlo has no dividing, which this"):
        export(model, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
