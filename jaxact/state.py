"""The state of training, and the random streams that follow from it."""

import dataclasses
import zlib
from collections.abc import Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp

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
        """What the module is evaluated with: "params" and "batch_stats"."""
        return {"params": self.params, "batch_stats": self.batch_stats}

    def started(self) -> "State":
        """Returns the state of a training that begins with these weights."""
        return self

    def followed(self) -> "State":
        """Returns the state after a step, when averages have taken it into account."""
        return self


@flax.struct.dataclass
class AveragedState(State):
    """A state whose weights are averaged, too: what is evaluated are the averages.

    Attributes:
      ema: of "params" and "batch_stats", both alike: ``a = d a + (1 - d) x`` after
        every step. Batch statistics are averages already, of the batches that the
        trained weights saw; so timm averages them, too.
      decay: d at the end; after step n it is ``min(d, (1 + n) / (10 + n))``, as in
        TensorFlow's ExponentialMovingAverage, so that the start is forgotten.
    """

    ema: Any
    decay: float = flax.struct.field(pytree_node=False)

    @property
    def variables(self) -> dict[str, Any]:
        return self.ema

    def started(self) -> "AveragedState":
        # A step gives its arrays away: averages may not be the weights' own.
        return dataclasses.replace(self, ema=jax.tree.map(jnp.copy, super().variables))

    def followed(self) -> "AveragedState":
        n = self.step.astype(jnp.float32)
        share = 1 - jnp.minimum(self.decay, (1 + n) / (10 + n))
        ema = jax.tree.map(
            lambda a, x: a + share * (x - a), self.ema, super().variables
        )
        return dataclasses.replace(self, ema=ema)


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
