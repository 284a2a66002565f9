"""Which arrays of a checkpoint's trees belong to a model, and whether they fit."""

from typing import Any

import jax
from flax import traverse_util

from jaxact import errors

Path = tuple[str, ...]  # names down to a module or a parameter


def part_of(tree: Any, part: str, modules: set[Path] | None = None) -> Any:
    """Returns the leaves below modules named backbone..., or all of them.

    With ``modules``, paths of such modules, below these only.
    """
    if part == "all":
        return tree
    flat = {
        path: leaf
        for path, leaf in traverse_util.flatten_dict(tree).items()
        if (module := _module(path, part)) and (modules is None or module in modules)
    }
    return traverse_util.unflatten_dict(flat)


def modules_of(tree: Any, part: str) -> set[Path]:
    """Returns the paths of the modules of this name that hold the tree's leaves."""
    return {_module(path, part) for path in traverse_util.flatten_dict(tree)}


def _module(path: Path, part: str) -> Path:
    """Returns the path down to the first name that begins so; () where none does."""
    found = [i for i, name in enumerate(path, 1) if name.startswith(part)]
    return path[: found[0]] if found else ()


def check_same_shapes(stored: Any, wanted: Any, where: str) -> None:
    """Compares parameters and batch statistics with those of the model.

    Both are dicts with the trees "params" and "batch_stats".

    Raises:
      UserError: they differ; the message lists the first differences.
    """
    differences = []
    for name in ("params", "batch_stats"):
        have = _shapes(stored.get(name) or {})
        want = _shapes(wanted[name])
        for path in sorted(have.keys() | want.keys()):
            old, new = have.get(path, "missing"), want.get(path, "missing")
            if old != new:
                differences.append(f"  {name}/{path}: checkpoint {old}, model {new}")
    if differences:
        rest = len(differences) - 5
        listed = differences[:5] + ([f"  and {rest} more"] if rest > 0 else [])
        raise errors.UserError(
            f"{where} is a checkpoint of another model; these differ:\n"
            + "\n".join(listed)
            + "\nGive the config (and the overrides) it was trained with, or train "
            "anew in another --workdir."
        )


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    flat, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): tuple(leaf.shape)
        for path, leaf in flat
    }
