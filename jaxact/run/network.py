"""A model on devices, ready to be evaluated: no optimiser, no schedule, no training."""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from jaxact import config as config_lib
from jaxact.devices import distributed
from jaxact.run import steps
from jaxact.state import Inputs, key_shape, rngs_at, stream_key


@dataclasses.dataclass(frozen=True)
class Network:
    """What evaluation needs of a model; nothing is computed before it is called.

    Attributes:
      module: see `ModelConfig.build`.
      inputs: its streams by name, in their order.
      reads: what else it asks of a batch, see `ModelConfig.reads`.
      mesh: the devices.
      init: random key -> variables, "params" and "batch_stats".
      abstract: shapes, dtypes and shardings of the variables.
      eval_step: (variables, batch) -> scores and more, see `steps.make_eval_step`.
    """

    module: nn.Module
    inputs: Inputs
    reads: tuple[str, ...]
    mesh: Mesh
    init: Callable[[jax.Array], dict[str, Any]]
    abstract: dict[str, Any]
    eval_step: steps.EvalStep


def make_network(model: config_lib.ModelConfig, mesh: Mesh) -> Network:
    """Builds a model on these devices.

    Raises:
      ConfigError: a value of the config cannot be used.
    """
    config_lib.check_sizes(model)
    try:
        inputs = model.inputs()
        module = model.build()
        init = initializer(module, inputs)
        shapes = jax.eval_shape(init, key_shape())  # layers check widths among others
    except ValueError as error:
        raise config_lib.ConfigError(f"The model cannot be built. {error}") from error
    abstract = distributed.abstract_on(shapes, mesh)
    eval_step = steps.make_eval_step(module, inputs, mesh=mesh)
    return Network(module, inputs, model.reads(), mesh, init, abstract, eval_step)


def initializer(
    module: nn.Module, inputs: Inputs
) -> Callable[[jax.Array], dict[str, Any]]:
    """Returns the function from a random key to the module's variables."""

    def init(key: jax.Array) -> dict[str, Any]:
        batch = {
            name: jnp.zeros((1, *spec.shape), spec.dtype)
            for name, spec in inputs.items()
        }
        batch |= {"label": jnp.zeros(1, jnp.int32), "mask": jnp.ones(1, bool)}
        rngs = {"params": stream_key(key, "params"), **rngs_at(key, 0)}
        variables = dict(module.init(rngs, batch, train=False))
        kept = {name: variables.pop(name, {}) for name in ("params", "batch_stats")}
        if variables:
            raise ValueError(
                f"{type(module).__name__} has collections {sorted(variables)}; only "
                "params and batch_stats are kept in the state."
            )
        return kept

    # Its trace, taken for the shapes, serves the program that computes it, too.
    return jax.jit(init, inline=True)
