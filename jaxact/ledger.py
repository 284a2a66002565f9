"""Parameters and multiply-accumulates of a model, in all and by part.

The papers' "GFLOPs" are GMAC. Multiply-accumulates are counted in the traced program
itself: every dot product and convolution of the forward pass, attributed to the Flax
modules that asked for it. Nothing is computed and no device is touched.
"""

import collections
import dataclasses
import functools
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax
from flax import traverse_util

from jaxact.batch import example_batch

# The scope (`jax.named_scope`) of products by elements that are a convolution written
# out: they count as its multiply-accumulates. Those elsewhere count as nothing.
BY_ELEMENT = "convolution_by_element"


@dataclasses.dataclass(frozen=True)
class Part:
    """One line of a ledger."""

    parameters: int
    macs: int


@dataclasses.dataclass(frozen=True)
class Ledger:
    """Parameters and multiply-accumulates for one example.

    Attributes:
      parameters, macs: of the whole model.
      norm_elements: how many numbers enter its batch and layer norms.
      parts: by module path, down to ``depth`` levels; they add up to the whole.
    """

    parameters: int
    macs: int
    parts: dict[str, Part]
    norm_elements: int = 0

    @property
    def counted_gflops(self) -> float:
        """What a common counter says: GMAC, and 5 for each element entering a norm.

        fvcore's and mmengine's, of a model in training; activations, sums and pooling
        are free.
        """
        return (self.macs + 5 * self.norm_elements) / 1e9

    @property
    def gmacs(self) -> float:
        """Multiply-accumulates in billions, the papers' "GFLOPs"."""
        return self.macs / 1e9

    def __str__(self) -> str:
        width = max(len(name) for name in [*self.parts, "total"])
        head = f"{'part':<{width}}  {'parameters':>13}  {'GMAC':>9}"
        lines = [head, "-" * len(head)]
        total = Part(self.parameters, self.macs)
        for name, part in [*self.parts.items(), ("total", total)]:
            lines.append(
                f"{name:<{width}}  {part.parameters:>13,}  {part.macs / 1e9:>9.3f}"
            )
        return "\n".join(lines)


def ledger(experiment: Any, depth: int = 2) -> Ledger:
    """Counts an experiment's model at its real size, for one example in testing.

    Args:
      experiment: a `jaxact.config.Experiment`.
      depth: how many levels of module names the parts have.
    """
    module = experiment.model.build()
    batch = example_batch(experiment, batch_size=1)
    batch = {name: batch[name] for name in batch if name not in ("label", "mask", "id")}
    variables = jax.eval_shape(
        lambda: module.init(jax.random.key(0), batch, train=False)
    )
    norms: list[int] = []
    with nn.intercept_methods(functools.partial(_note_norm, norms)):
        jaxpr = jax.make_jaxpr(lambda v, b: module.apply(v, b, train=False))(
            variables, batch
        )
    flat = traverse_util.flatten_dict(variables["params"])
    sizes: collections.Counter[str] = collections.Counter()
    for path, leaf in flat.items():
        sizes["/".join(path[:-1][:depth]) or path[-1]] += math.prod(leaf.shape)
    macs: collections.Counter[str] = collections.Counter()
    modules = {path[:-1] for path in flat}
    for names, number in _products(jaxpr.jaxpr):
        macs[_part_name(names, modules, depth)] += number
    for name in [name for name in sizes if not macs[name]]:
        above = name.rpartition("/")[0]
        if macs[above]:  # a matrix or a norm of the module that computes with it
            sizes[above] += sizes.pop(name)
            del macs[name]
    parts = {
        name: Part(sizes[name], macs[name])
        for name in sorted({*sizes, *macs}, key=_natural)
    }
    return Ledger(sum(sizes.values()), sum(macs.values()), parts, sum(norms))


def _note_norm(
    sizes: list[int], run: Any, arguments: Any, named: Any, context: Any
) -> Any:
    """Runs a module's method; writes down the size of what enters a norm."""
    if "Norm" in type(context.module).__name__ and context.method_name == "__call__":
        sizes.append(math.prod(arguments[0].shape))
    return run(*arguments, **named)


def multiply_accumulates(function: Callable[..., Any], *arguments: Any) -> int:
    """Returns how many a function's products need, of arrays or of their shapes."""
    traced = jax.make_jaxpr(function)(*arguments)
    return sum(number for _, number in _products(traced.jaxpr))


def _natural(name: str) -> list[Any]:
    """Sorts blocks_10 behind blocks_9."""
    return [
        (0, int(word), "") if word.isdigit() else (1, 0, word)
        for word in re.findall(r"\d+|\D+", name)
    ]


def _part_name(
    names: tuple[str, ...], modules: set[tuple[str, ...]], depth: int
) -> str:
    """Returns the part a product belongs to: the innermost module of its scopes.

    Scopes also hold names of transformations and functions; only those count that
    extend a path of modules with parameters. A module called within another that is
    not its parent (a block of the model between units of its trunk) has its own path,
    from the nearest module above that has a child of this name.
    """
    prefixes = {module[:i] for module in modules for i in range(len(module) + 1)}
    path: tuple[str, ...] = ()
    for name in names:
        above = (path[:depth] for depth in range(len(path), -1, -1))
        path = next(((*p, name) for p in above if (*p, name) in prefixes), path)
    # Outside of all modules with parameters, the scope below the model says what it is.
    return "/".join(path[:depth]) or (names[1:] or ("(no scope)",))[0]


def _products(
    jaxpr: Any, scope: tuple[str, ...] = (), times: int = 1
) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yields (scope names, multiply-accumulates) of each product in a jaxpr."""
    for equation in jaxpr.eqns:
        stack = str(equation.source_info.name_stack)
        # Flax writes module.method for all methods but __call__.
        words = [word.partition(".")[0] for word in stack.split("/")]
        here = (*scope, *(word for word in words if word.isidentifier()))
        name = equation.primitive.name
        if name == "dot_general":
            (contract, _), _ = equation.params["dimension_numbers"]
            lhs = equation.invars[0].aval.shape
            inner = math.prod(lhs[axis] for axis in contract)
            yield here, times * inner * math.prod(equation.outvars[0].aval.shape)
        elif name == "conv_general_dilated":
            numbers = equation.params["dimension_numbers"]
            kernel = equation.invars[1].aval.shape
            # out channels are counted in the output; groups are in the kernel's shape
            taps = math.prod(kernel) // kernel[numbers.rhs_spec[0]]
            yield here, times * taps * math.prod(equation.outvars[0].aval.shape)
        elif name == "mul" and BY_ELEMENT in words:
            yield here, times * math.prod(equation.outvars[0].aval.shape)
        else:
            repeat = equation.params.get("length", 1) if name == "scan" else 1
            for inner_jaxpr in _inner(equation.params.values()):
                yield from _products(inner_jaxpr, here, times * int(repeat))


def _inner(values: Any) -> Iterator[Any]:
    """Yields the jaxprs among an equation's parameters."""
    for value in values:
        if hasattr(value, "eqns"):
            yield value
        elif hasattr(value, "jaxpr") and hasattr(value.jaxpr, "eqns"):
            yield value.jaxpr
        elif isinstance(value, tuple | list):
            yield from _inner(value)
