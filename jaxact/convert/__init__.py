"""Public weights into parameters: files read safely, every name accounted for."""

import pathlib
from typing import Any

from flax import traverse_util

from jaxact.backbones import timesformer_weights
from jaxact.convert.readers import read_weights
from jaxact.keymaps import KeyMap, Report, Rule, WeightsError, convert

__all__ = [
    "KeyMap",
    "Report",
    "Rule",
    "WeightsError",
    "convert",
    "initialize_from",
    "load_timesformer",
    "read_weights",
]


def initialize_from(
    path: str | pathlib.Path,
    params: Any,
    batch_stats: Any = None,
    *,
    grid: tuple[int, int] | None = None,
) -> tuple[Any, Any, Report]:
    """Fills a model's parameters from a file of public weights, strictly.

    The file's kind is found by its names. Every backbone of the kind is filled, so two
    unshared ones start alike; what is outside the backbones keeps its values.

    Args:
      path: a ``.safetensors`` file or a torch checkpoint.
      params: the model's parameters, nested.
      batch_stats: the running statistics, nested; returned as they are unless the
        file's kind has such.
      grid: rows and columns of the model's patches, if they are not square.

    Returns:
      Parameters and statistics of the same structure, and the report, which prints
      what was loaded, resized, left fresh and not used.

    Raises:
      WeightsError: the file cannot be read, or does not fit the model.
    """
    source = timesformer_weights.strip_prefixes(read_weights(path))
    flat = traverse_util.flatten_dict(params, sep="/")
    try:
        keymap = timesformer_weights.key_map(source, flat, grid)
        filled, report = convert(source, flat, keymap)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None
    report.source = f"{path} ({keymap.name})"
    return traverse_util.unflatten_dict(filled, sep="/"), batch_stats, report


def load_timesformer(
    path: str | pathlib.Path,
    variables: Any,
    *,
    grid: tuple[int, int] | None = None,
) -> tuple[Any, Report]:
    """Fills the parameters among ``variables``; see `initialize_from`."""
    params, _, report = initialize_from(path, variables["params"], grid=grid)
    return {**variables, "params": params}, report
