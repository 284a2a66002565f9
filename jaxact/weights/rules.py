"""Rules for the layers that most networks are made of, from torch's names and layouts.

Each returns rules for one layer: ``path`` is ours, without a closing ``/``; ``name`` is
the public one, without a closing dot.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import einops
import jax
import numpy as np

from jaxact.weights.keymap import KeyMap, Resize, Rule, WeightsError, no_resize

_STATISTICS = {
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}


def same(array: np.ndarray) -> np.ndarray:
    """Returns the array as it is."""
    return array


def dense(path: str, name: str, bias: bool = True) -> list[Rule]:
    """A linear layer: ``[o i]`` to ``[i o]``."""
    rules = [Rule(f"{path}/kernel", (f"{name}.weight",), np.transpose)]
    return rules + [Rule(f"{path}/bias", (f"{name}.bias",), same)] * bias


def layer_norm(path: str, name: str) -> list[Rule]:
    """A layer norm, or a batch norm without statistics."""
    return [
        Rule(f"{path}/{ours}", (f"{name}.{theirs}",), same)
        for ours, theirs in (("scale", "weight"), ("bias", "bias"))
    ]


def batch_norm(path: str, name: str) -> list[Rule]:
    """A batch norm with its running statistics."""
    return [
        Rule(f"{path}/{ours}", (f"{name}.{theirs}",), same)
        for ours, theirs in _STATISTICS.items()
    ]


def patches(path: str, name: str, frames: int, params: Mapping[str, Any]) -> list[Rule]:
    """A convolution without overlap as a dense layer over ``(t h w c)`` patches.

    Args:
      frames: how many a patch spans; the kernel ``[o i h w]`` of an image network is
        divided by it and repeated, so that a still clip gives what the image gave.
      params: of the model; see `stems`.
    """

    def kernel(array: np.ndarray) -> np.ndarray:
        if array.ndim == 4:
            array = np.repeat(array[:, :, None] / frames, frames, axis=2)
        return einops.rearrange(array, "o i t h w -> (t h w i) o")

    return stems(path, name, kernel, params)


def stems(
    path: str,
    name: str,
    kernel: Callable[[np.ndarray], np.ndarray],
    params: Mapping[str, Any],
) -> list[Rule]:
    """A first layer with a bias, and those of clips with other numbers of channels.

    That of a single channel starts as the mean over the file's channels.

    Args:
      kernel: turns ``[o i ...]`` into our layout.
      params: of the model, where further stems are called ``path_CHANNELS``.
    """

    def grey(array: np.ndarray) -> np.ndarray:
        return kernel(array.mean(axis=1, keepdims=True))

    stem = re.compile(re.escape(path) + r"(_\d+)?/kernel$")
    made = []
    for found in filter(None, map(stem.match, params)):
        each = found[0].removesuffix("/kernel")
        transform = grey if found[1] == "_1" else kernel
        made.append(Rule(f"{each}/kernel", (f"{name}.weight",), transform))
        made.append(Rule(f"{each}/bias", (f"{name}.bias",), same))
    return made


def depthwise(path: str, name: str) -> Rule:
    """A convolution of each channel by itself: ``[c 1 t h w]`` to ``[t h w c]``."""

    def kernel(array: np.ndarray) -> np.ndarray:
        return einops.rearrange(array, "c 1 t h w -> t h w c")

    return Rule(f"{path}/kernel", (f"{name}.weight",), kernel)


def convolution(path: str, name: str, rank: int) -> Rule:
    """A convolution without bias, ``[o i t h w]`` or ``[o i h w]``, into our forms.

    Args:
      rank: of ours: 2 for 1x1x1 ``[i o]``; 3 along time ``[t i o]``; 4 in frames
        ``[h w i o]`` or, of each channel by itself, ``[t h w c]``; 5 for all axes
        ``[t h w i o]``. One that does not fit stays as it is and is reported.
    """

    def kernel(array: np.ndarray) -> np.ndarray:
        if array.ndim == 4:
            array = array[:, :, None]
        _, i, t, h, w = array.shape
        if rank == 2 and (t, h, w) == (1, 1, 1):
            return einops.rearrange(array, "o i 1 1 1 -> i o")
        if rank == 3 and (h, w) == (1, 1):
            return einops.rearrange(array, "o i t 1 1 -> t i o")
        if rank == 4 and i == 1 and t > 1:
            return einops.rearrange(array, "c 1 t h w -> t h w c")
        if rank == 4 and t == 1:
            return einops.rearrange(array, "o i 1 h w -> h w i o")
        if rank == 5:
            return einops.rearrange(array, "o i t h w -> t h w i o")
        return array

    return Rule(f"{path}/kernel", (f"{name}.weight",), kernel)


def resized_line(array: np.ndarray, rows: int, antialias: bool = True) -> np.ndarray:
    """Resizes positions along one axis, ``[t c]``, linearly."""
    x, shape = array.astype(np.float32), (rows, array.shape[1])
    return np.asarray(jax.image.resize(x, shape, "linear", antialias=antialias))


def resized_square(array: np.ndarray, rows: int) -> np.ndarray | None:
    """Resizes positions ``[hw c]`` of a square frame to one of so many rows.

    By Keys' cubic kernel, a = -1/2, with antialiasing; None if one is not a square.
    """
    old, new = math.isqrt(len(array)), math.isqrt(rows)
    if old**2 != len(array) or new**2 != rows:
        return None
    x = einops.rearrange(array.astype(np.float32), "(h w) c -> h w c", h=old)
    x = jax.image.resize(x, (new, new, x.shape[-1]), "cubic")
    return einops.rearrange(np.asarray(x), "h w c -> (h w) c")


def heads(
    source: Mapping[str, np.ndarray], params: Mapping[str, Any], names: Iterable[str]
) -> list[Rule]:
    """Rules of every classifier among the parameters of the file's width and classes.

    Args:
      names: what a classifier may be called in the file.
    """
    found = [name for name in names if f"{name}.weight" in source]
    if not found:
        return []
    size = source[f"{found[0]}.weight"].shape[::-1]
    return [
        rule
        for path, value in params.items()
        if re.search(r"(^|/)\w*head\w*/(fc/)?kernel$", path) and value.shape == size
        for rule in dense(path.removesuffix("/kernel"), found[0])
    ]


def key_map(
    kind: str,
    source: Mapping[str, np.ndarray],
    params: Mapping[str, Any],
    roots: list[str],
    rules: list[Rule],
    left_out: str,
    network: str = "such backbone",
    resize: Resize = no_resize,
) -> KeyMap:
    """Puts rules together: what is outside the backbones stays fresh.

    Args:
      kind: of the file, for people.
      roots: paths of the backbones that the rules fill, with a closing ``/``.
      left_out: pattern of names in the file that are not used on purpose, where no rule
        uses them.
      network: what the model must have, for people.
      resize: see `KeyMap`.

    Raises:
      WeightsError: the model has no such backbone.
    """
    if not roots:
        raise WeightsError(
            f"The weights are of {kind}, but the model has no {network}; its "
            f"parameters begin with {', '.join(sorted(params)[:3])}."
        )
    used = {name for rule in rules for name in rule.sources}
    ignored = re.compile(left_out)
    return KeyMap(
        kind,
        tuple(rules),
        frozenset(name for name in source.keys() - used if ignored.match(name)),
        frozenset(path for path in params if not path.startswith(tuple(roots))),
        resize,
    )
