"""The weights of a model folder (`jaxact.model_folder`), written, and read strictly."""

import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax import traverse_util
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from jaxact import config as config_lib
from jaxact import errors, model_folder
from jaxact.checkpoints import trees


class FolderWeights:
    """Stands for `manager.Checkpoints` of one step, for whoever reads weights."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder

    def meta(self, step: int) -> dict[str, Any]:
        """Returns the config of the training as text, under "config"."""
        del step
        experiment = config_lib.load_experiment(str(self.folder))
        return {"config": config_lib.config_text(experiment)}

    def restore_weights(self, step: int, abstract: Mapping[str, Any]) -> dict[str, Any]:
        """Returns "params" and "batch_stats", placed as ``abstract`` says.

        Raises:
          UserError: the weights are damaged or of another model.
        """
        del step
        flat = read(self.folder)
        nested = traverse_util.unflatten_dict(flat, sep="/")
        trees.check_same_shapes(nested, abstract, str(self.folder))
        found = {"params": {}, "batch_stats": {}} | nested
        return jax.tree.map(
            lambda x, like: jax.device_put(x.astype(like.dtype), like.sharding),
            found,
            {name: abstract[name] for name in found},
        )

    def close(self) -> None:
        """Holds nothing open."""


def read(folder: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns the arrays of a model folder by path, "params/head/kernel".

    Raises:
      ConfigError: the folder is damaged.
      UserError: the file is, or an array is not finite.
    """
    file = model_folder.weights_file(folder)
    try:
        arrays = load_file(file)
    except SafetensorError as error:
        raise errors.UserError(
            f"{file} is no safetensors file ({error}). Copy or download it again."
        ) from None
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise errors.UserError(
                f"{name} in {file} is not finite; such a model says nothing."
            )
    return {name.replace(".", "/"): array for name, array in arrays.items()}


def write(folder: pathlib.Path, variables: Mapping[str, Any]) -> pathlib.Path:
    """Writes "params" and "batch_stats" as ``params.head.kernel``; returns the file."""
    flat = traverse_util.flatten_dict(dict(variables), sep=".")
    arrays = {
        name: np.array(jax.device_get(array), order="C")
        for name, array in sorted(flat.items())
    }
    file = folder / model_folder.WEIGHTS_FILE
    save_file(arrays, file, metadata={"format": "flax"})
    return file
