"""What a format is known not to hold, seen in what is traced before it is converted."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax

from jaxact.export.serving import Served


@dataclasses.dataclass(frozen=True)
class Limit:
    """What a format has not: in words, and whether an equation of a program is that."""

    about: str
    meets: Callable[[Any], bool]


def first(served: Served, variables: Any, limits: tuple[Limit, ...], clips: int) -> str:
    """Returns the first of these that a model runs into, in words; "": none.

    Args:
      clips: of a call.
    """
    some = {
        name: jax.ShapeDtypeStruct((clips, *x.shape), x.dtype)
        for name, x in served.inputs.items()
    }
    traced = jax.make_jaxpr(served)(variables, some)
    for equation in equations(traced.jaxpr):
        for limit in limits:
            if limit.meets(equation):
                return limit.about
    return ""


def equations(jaxpr: Any) -> Iterator[Any]:
    """Yields all operations of a program, those inside of calls too."""
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            for part in value if isinstance(value, tuple | list) else (value,):
                inner = getattr(part, "jaxpr", part)
                if hasattr(inner, "eqns"):
                    yield from equations(inner)


def _sorts(equation: Any) -> bool:
    return equation.primitive.name in ("sort", "top_k", "approx_top_k")


def _exchanges_more_than_six(equation: Any) -> bool:
    if equation.primitive.name != "transpose":
        return False
    # Axes of one place are none, and those that stay side by side are one.
    shape, order = equation.invars[0].aval.shape, equation.params["permutation"]
    kept = [axis for axis in order if shape[axis] != 1]
    place = {axis: i for i, axis in enumerate(sorted(kept))}
    moved = [place[axis] for axis in kept]
    steps = zip(moved, moved[1:], strict=False)
    return len(kept) - sum(b == a + 1 for a, b in steps) > 6


def _convolves_three_axes(equation: Any) -> bool:
    name = equation.primitive.name
    return name == "conv_general_dilated" and equation.invars[0].aval.ndim == 5


def _convolves_groups_of_three_axes(equation: Any) -> bool:
    groups = equation.params.get("feature_group_count", 1)
    return _convolves_three_axes(equation) and groups > 1


# As they were tried: see the table in docs/export.md.
TFLITE = (
    Limit("sorting", _sorts),
    Limit("exchanges of more than six axes", _exchanges_more_than_six),
    Limit(
        "convolutions of three axes in groups of channels",
        _convolves_groups_of_three_axes,
    ),
)
ONNX = (Limit("convolutions of three axes", _convolves_three_axes),)
