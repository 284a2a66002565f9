"""Parts of a model by the names of its parameters: own rates, and what stands still."""

import contextlib
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxact import config as config_lib

SHOWN = 12


def rates(params: Any, optim: config_lib.OptimConfig) -> Any:
    """Returns by what each parameter's rate is multiplied, as a tree of floats.

    That of the longest part of `OptimConfig.part_lr` that it is in, else 1; 0 where it
    is frozen.

    Raises:
      ConfigError: a part is none of the model's, or a factor none.
    """
    factors = {_split(name): factor for name, factor in optim.part_lr}
    frozen = [_split(name) for name in optim.freeze]
    _check(params, "optim.part_lr", list(factors))
    _check(params, "optim.freeze", frozen)
    for name, factor in optim.part_lr:
        if not 0 <= factor < float("inf"):
            raise config_lib.ConfigError(
                f"optim.part_lr multiplies the rate of {name} by {factor:g}; expected "
                "0 or more, and an end."
            )

    def rate(path: tuple[Any, ...], _: Any) -> float:
        names = _names(path)
        if any(_within(names, part) for part in frozen):
            return 0.0
        mine = [part for part in factors if _within(names, part)]
        return factors[max(mine, key=len)] if mine else 1.0

    return jax.tree_util.tree_map_with_path(rate, params)


def scale_by_part(optim: config_lib.OptimConfig) -> optax.GradientTransformation:
    """Multiplies updates by `rates`; a frozen part has none, whatever they are."""

    def init(params: Any) -> optax.EmptyState:
        rates(params, optim)  # raises what it cannot do
        return optax.EmptyState()

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        factors = rates(updates, optim)
        scaled = jax.tree.map(
            lambda u, f: u * f if f else jnp.zeros_like(u), updates, factors
        )
        return scaled, state

    return optax.GradientTransformation(init, update)


def without_gradient(params: Any, freeze: Sequence[str]) -> Any:
    """Lets no gradient reach frozen parts: what leads to them alone is not computed."""
    frozen = [_split(name) for name in freeze]

    def still(path: tuple[Any, ...], leaf: Any) -> Any:
        if any(_within(_names(path), part) for part in frozen):
            return jax.lax.stop_gradient(leaf)
        return leaf

    return jax.tree_util.tree_map_with_path(still, params)


@contextlib.contextmanager
def still(freeze: Sequence[str]) -> Iterator[None]:
    """Has frozen parts computed as in evaluation, while a module is applied.

    Their batch norms take the stored statistics and leave them; nothing is dropped.
    """
    frozen = [_split(name) for name in freeze]

    def evaluated(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        module = context.module
        path = tuple(module.path)
        if context.method_name != "__call__" or not any(
            _within(path, part) for part in frozen
        ):
            return call(*args, **kwargs)
        if isinstance(module, nn.BatchNorm):
            object.__setattr__(module, "use_running_average", True)
        signature = inspect.signature(type(module).__call__)
        if "train" in signature.parameters:
            bound = signature.bind(module, *args, **kwargs)
            bound.arguments["train"] = False
            args, kwargs = bound.args[1:], bound.kwargs
        return call(*args, **kwargs)

    if not frozen:
        yield
        return
    with nn.intercept_methods(evaluated):
        yield


def _check(params: Any, field: str, parts: Sequence[tuple[str, ...]]) -> None:
    """Raises ConfigError if a part is none, with those that there are."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    paths = [_names(path) for path, _ in leaves]
    for part in parts:
        if any(_within(path, part) for path in paths):
            continue
        # Those that are in what there is of the part, or else the outermost two names.
        inside = part[:-1] if any(_within(path, part[:-1]) for path in paths) else ()
        names = sorted({_next(path, inside) for path in paths if _within(path, inside)})
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        raise config_lib.ConfigError(
            f"{field} names {'/'.join(part)!r}, which is no part of this model; it has "
            f"{', '.join(names[:SHOWN])}{more}, and parts of these as PART/PART."
        )


def _next(path: Sequence[str], inside: Sequence[str]) -> str:
    """Returns the names of a path up to the one behind ``inside``."""
    if not inside:
        return "/".join(path[:-1][:2])
    size = len(inside)
    start = next(i for i in range(len(path)) if tuple(path[i : i + size]) == inside)
    return "/".join(path[start : start + size + 1])


def _within(path: Sequence[str], part: Sequence[str]) -> bool:
    """Whether the names of a part stand in a path, one after another, anywhere."""
    size = len(part)
    starts = range(len(path) - size + 1)
    return any(tuple(path[i : i + size]) == tuple(part) for i in starts)


def _split(name: str) -> tuple[str, ...]:
    return tuple(name.strip("/").split("/"))


def _names(path: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(str(getattr(key, "key", key)) for key in path)
