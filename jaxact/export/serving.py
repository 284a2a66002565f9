"""The function that leaves: streams of clips in, logits and scores out, by name."""

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxact import errors
from jaxact.config import Experiment, leaves, set_value
from jaxact.devices import platform
from jaxact.out import SCORES, SELECTION

Streams = Mapping[str, Any]
LOGITS = "logits"


@dataclasses.dataclass(frozen=True, eq=False)  # hashed by converters
class Served:
    """(variables, streams [b ...]) -> outputs [b ...] by name, to be traced.

    Attributes:
      module: computes in float32, convolutions of three axes as sums of those of two.
      inputs: one clip's streams, in their order.
      outputs: one clip's outputs: ``logits``, ``scores`` (softmax), and what the model
        looked at, where it tells.
      portable: whether what is traced holds nothing that a format lacks.
    """

    module: nn.Module
    inputs: Mapping[str, jax.ShapeDtypeStruct]
    outputs: Mapping[str, jax.ShapeDtypeStruct]
    portable: bool

    def __call__(self, variables: Any, streams: Streams) -> dict[str, jax.Array]:
        # What is portable does not depend on the device that happens to be here.
        with platform.compiling_for(platform.PORTABLE if self.portable else "cpu"):
            return _outputs(self.module.apply(variables, dict(streams), train=False))


def _outputs(out: Any) -> dict[str, jax.Array]:
    logits = out[LOGITS].astype(jnp.float32)
    found = {LOGITS: logits, SCORES: jax.nn.softmax(logits)}
    return found | {name: out[name] for name in SELECTION if name in out}


def serve(experiment: Experiment, variables: Any, portable: bool) -> Served:
    """Returns the function of an experiment's model.

    Raises:
      UserError: the model needs more than the streams of a clip.
    """
    changed = float32(experiment)
    for key, _ in leaves(changed.model):
        if key.rpartition(".")[2] == "conv3d":
            set_value(changed.model, key, "taps")
    module, inputs = changed.model.build(), dict(changed.model.inputs())
    plain = Served(module, inputs, {}, portable)
    one = {n: jax.ShapeDtypeStruct((1, *x.shape), x.dtype) for n, x in inputs.items()}
    try:
        found = jax.eval_shape(plain, variables, one)
    except KeyError as error:
        raise errors.UserError(
            f"The model needs more than its streams to say something ({error}); such a "
            "model cannot be exported."
        ) from error
    outputs = {
        name: jax.ShapeDtypeStruct(x.shape[1:], x.dtype) for name, x in found.items()
    }
    return dataclasses.replace(plain, outputs=outputs)


def float32(experiment: Experiment) -> Experiment:
    """Returns the experiment with a model that computes in float32."""
    changed = copy.deepcopy(experiment)
    changed.model.dtype = "float32"
    return changed


def logits_of_jax(experiment: Experiment, variables: Any, clips: Streams) -> np.ndarray:
    """Returns what the model itself says, in float32 and the forms it is trained in."""
    module = float32(experiment).model.build()

    def said(variables: Any, streams: Any) -> Any:
        out: Any = module.apply(variables, streams, train=False)
        return out[LOGITS]

    return np.asarray(jax.jit(said)(variables, dict(clips)), np.float32)
