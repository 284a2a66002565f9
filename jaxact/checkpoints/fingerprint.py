"""A number for every array, by which a flipped bit is noticed.

Computed where the arrays are, without moving or gathering them, and the same however
they are divided over devices: a sum of whole numbers does not depend on the order.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding

from jaxact.devices import distributed


def of_tree(tree: Any) -> dict[str, int]:
    """Returns the fingerprint of every array by its path, "params/head/kernel".

    It is sum_i bits_i * w_i modulo 2**32, with odd w_i that depend on the place: one
    flipped bit always changes it, anything else but one time in 2**32.
    """
    flat = jax.tree_util.tree_leaves_with_path(tree)
    names = [jax.tree_util.keystr(p, simple=True, separator="/") for p, _ in flat]
    leaves = [leaf for _, leaf in flat]
    if not leaves:
        return {}
    meshes = [x.sharding.mesh for x in leaves if _on_mesh(x)]
    whole = distributed.replicated(meshes[0]) if meshes else None
    with jax.transfer_guard("allow"):
        numbers = jax.jit(_all, out_shardings=whole)(leaves)
        return dict(zip(names, jax.device_get(numbers).tolist(), strict=True))


def differing(tree: Any, stored: Mapping[str, int]) -> list[str]:
    """Returns the paths of the arrays that are not those whose numbers were stored."""
    found = of_tree(tree)
    return [name for name in found if stored.get(name) != found[name]]


def _on_mesh(leaf: Any) -> bool:
    return isinstance(getattr(leaf, "sharding", None), NamedSharding)


def _all(leaves: Sequence[jax.Array]) -> jax.Array:
    return jnp.stack([_one(leaf) for leaf in leaves])


def _one(x: jax.Array) -> jax.Array:
    if x.dtype == jnp.bool_:
        bits = x.astype(jnp.uint32)
    else:
        kind = np.dtype(f"u{x.dtype.itemsize}")
        bits = jax.lax.bitcast_convert_type(x, kind).astype(jnp.uint32)
    weight = jnp.full(x.shape, 1, jnp.uint32)
    for axis in range(x.ndim):
        place = jax.lax.broadcasted_iota(jnp.uint32, x.shape, axis)
        weight = weight * jnp.uint32(2654435761) + place
    return (bits * (weight * jnp.uint32(2) + jnp.uint32(1))).sum(dtype=jnp.uint32)
