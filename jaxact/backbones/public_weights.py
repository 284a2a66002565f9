"""Public weights into parameters: files read safely, every name accounted for."""

import pathlib
from typing import Any

from flax import traverse_util

from jaxact.backbones import (
    hiera_weights,
    i3d_weights,
    mvit_weights,
    resnet3d_weights,
    resnet_weights,
    timesformer_weights,
    video_focalnet_weights,
    video_swin_weights,
    videomae_weights,
)
from jaxact.weights.keymap import KeyMap, Report, Rule, WeightsError, convert
from jaxact.weights.readers import read, read_weights

__all__ = [
    "KeyMap",
    "Report",
    "Rule",
    "WeightsError",
    "convert",
    "initialize_from",
    "read_weights",
]

# Kinds of public weights. Each module says what wrappers put around the names
# (`clean`), whether a file's names are its own (`recognizes`), how they fill a model's
# parameters and statistics (`key_map`), and what it is called (`NAMES`).
# A file is of the first kind that knows it: those whose names are among ViT's, with
# others beside them, stand before ViT.
KINDS: tuple[Any, ...] = (
    videomae_weights,
    hiera_weights,
    mvit_weights,
    timesformer_weights,
    resnet3d_weights,
    resnet_weights,
    i3d_weights,
    video_swin_weights,
    video_focalnet_weights,
)


def initialize_from(
    path: str | pathlib.Path,
    params: Any,
    batch_stats: Any = None,
) -> tuple[Any, Any, Report]:
    """Fills a model's parameters from a file of public weights, strictly.

    The file's kind is found by its names. Every backbone of the kind is filled, so two
    unshared ones start alike; what is outside the backbones keeps its values.

    Args:
      path: a ``.safetensors`` file, a torch checkpoint, a pickle of numpy arrays, or
        an index of shards; ``#ema`` behind it takes averages (`weights.averages`).
      params: the model's parameters, nested.
      batch_stats: the running statistics, nested, or None.

    Returns:
      Parameters and statistics of the same structure, and the report, which prints
      what was loaded, resized, left fresh and not used.

    Raises:
      WeightsError: the file cannot be read, or does not fit the model.
    """
    params = traverse_util.flatten_dict(params, sep="/")
    stats = traverse_util.flatten_dict(batch_stats or {}, sep="/")
    target = params | stats  # a layer's statistics have names of their own
    try:
        arrays, said = read(path)
        source, kind = _find_kind(arrays)
        keymap = kind.key_map(source, target)
        filled, report = convert(source, target, keymap)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None
    report.source, report.notes = f"{path} ({keymap.name})", [*said, *keymap.notes]
    new_params, new_stats = (
        traverse_util.unflatten_dict({name: filled[name] for name in part}, sep="/")
        for part in (params, stats)
    )
    return new_params, new_stats if stats else batch_stats, report


def _find_kind(arrays: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Returns the arrays under the names of the kind that knows them, and the kind."""
    for kind in KINDS:
        source = kind.clean(arrays)
        if kind.recognizes(source):
            return source, kind
    shown = ", ".join(f"{k} {list(v.shape)}" for k, v in list(arrays.items())[:4])
    known = "; ".join(name for kind in KINDS for name in kind.NAMES)
    raise WeightsError(
        f"The weights file is of no known kind; it holds {shown}, ... "
        f"({len(arrays)} arrays). Known: {known}."
    )
