"""Whether the arrays of a checkpoint's trees fit a model."""

from typing import Any

import jax

from jaxact import errors


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
