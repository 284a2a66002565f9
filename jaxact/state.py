"""The state of training, and the random streams that follow from it."""

import zlib
from collections.abc import Mapping
from typing import Any

import flax.struct
import jax

Inputs = Mapping[str, jax.ShapeDtypeStruct]


Metrics = dict[str, jax.Array]


RNG_STREAMS = ("dropout", "selection")


@flax.struct.dataclass
class State:
    """All that training carries from step to step; everything else is derived."""

    step: jax.Array
    params: Any
    batch_stats: Any
    opt_state: Any


def rngs_at(key: jax.Array, step: Any) -> dict[str, jax.Array]:
    """Returns a key a stream: fold_in(fold_in(key, stream), step)."""
    return {
        name: jax.random.fold_in(stream_key(key, name), step) for name in RNG_STREAMS
    }


def stream_key(key: jax.Array, name: str) -> jax.Array:
    """Folds a stream's name into the key; adding a stream leaves the others alone."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))
