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

    @property
    def variables(self) -> dict[str, Any]:
        """What the module is applied to: "params" and "batch_stats"."""
        return {"params": self.params, "batch_stats": self.batch_stats}


def rngs_at(key: jax.Array, step: Any) -> dict[str, jax.Array]:
    """Returns a key a stream: fold_in(fold_in(key, stream), step)."""
    return {
        name: jax.random.fold_in(stream_key(key, name), step) for name in RNG_STREAMS
    }


def stream_key(key: jax.Array, name: str) -> jax.Array:
    """Folds a stream's name into the key; adding a stream leaves the others alone."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def key_shape() -> Any:
    """Returns what a random key looks like, without making one."""
    return jax.eval_shape(lambda: jax.random.key(0))
