"""Public weights of SlowFast and CSN, and how they fill `SlowFast` and `CSN`.

mmaction2 has one naming for both, PyTorchVideo another, which is translated first.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxact.weights import keymap, rules
from jaxact.weights.keymap import KeyMap, Rule

NAMES = ("SlowFast or CSN, mmaction2's and PyTorchVideo's names",)
_PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.")
_LEFT_OUT = r"cls_head\.|.*\.num_batches_tracked$"
_PATHS = ("slow_path.", "fast_path.")
# PyTorchVideo's names of a unit's layers, and mmaction2's.
_UNIT = {
    "branch1_conv": "downsample.conv",
    "branch1_norm": "downsample.bn",
    "branch2.conv_a": "conv1.conv",
    "branch2.norm_a": "conv1.bn",
    "branch2.conv_b": "conv2.conv",
    "branch2.norm_b": "conv2.bn",
    "branch2.conv_c": "conv3.conv",
    "branch2.norm_c": "conv3.bn",
}
# Ours, and mmaction2's, of a unit's convolution and its norm.
_LAYERS = {
    "conv1": "conv1",
    "conv2": "conv2",
    "conv3": "conv3",
    "project": "downsample",
}


def clean(source: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the arrays under mmaction2's names, without what wrappers put around."""
    stripped = keymap.strip_prefixes(source, _PREFIXES)
    return {_translated(name): array for name, array in stripped.items()}


def _translated(name: str) -> str:
    """Returns mmaction2's name for one of PyTorchVideo's; others stay."""
    found = re.match(r"blocks\.(\d+)\.(?:multipathway_blocks\.([01])\.)?(.+)", name)
    if not found:
        # A depthwise convolution has a number in mmaction2: ip-CSN has another first.
        return re.sub(r"\.conv2\.0\.(conv|bn)\.", r".conv2.first.\1.", name)
    block, path, rest = int(found[1]), found[2], found[3]
    prefix = "" if path is None else _PATHS[int(path)]
    layer = "conv1" if block == 0 else f"layer{block}"
    if lateral := re.match(r"multipathway_fusion\.(conv_fast_to_slow|norm)\.", rest):
        part = "bn" if lateral[1] == "norm" else "conv"
        return f"slow_path.{layer}_lateral.{part}.{rest[lateral.end() :]}"
    if rest.startswith("proj."):
        return f"cls_head.fc_cls.{rest.removeprefix('proj.')}"
    if unit := re.match(r"res_blocks\.(\d+)\.(\w+(?:\.\w+)?)\.(\w+)$", rest):
        ours = _UNIT.get(unit[2], unit[2])
        if prefix == "" and ours.startswith("conv2."):
            ours = ours.replace("conv2.", "conv2.first.")
        return f"{prefix}{layer}.{unit[1]}.{ours}.{unit[3]}"
    stem = {"conv": "conv1.conv", "norm": "conv1.bn"}
    head, _, tail = rest.partition(".")
    return f"{prefix}{stem.get(head, head)}.{tail}"


def recognizes(source: Mapping[str, np.ndarray]) -> bool:
    """Says whether cleaned names are those of a SlowFast or a CSN."""
    slow_fast = "slow_path.conv1_lateral.conv.weight" in source
    return slow_fast or "layer1.0.conv2.first.conv.weight" in source


def find_backbones(params: Mapping[str, Any]) -> list[str]:
    """Returns the paths, with a closing ``/``, of SlowFasts and CSNs."""
    # A CSN's first convolution spans frames; a depthwise one has a kernel of four axes.
    slow = [p.removesuffix("lateral_0/kernel") for p in params if "lateral_0/k" in p]
    end = "res1_1/conv2/kernel"
    csn = [p.removesuffix(end) for p in params if p.endswith(f"/{end}") or p == end]
    return slow + [root for root in csn if params[f"{root}conv1/kernel"].ndim == 5]


def key_map(source: Mapping[str, np.ndarray], params: Mapping[str, Any]) -> KeyMap:
    """Makes the rules that fill every SlowFast and CSN among the parameters.

    Raises:
      WeightsError: the model has none.
    """
    roots = find_backbones(params)
    made = [rule for root in roots for rule in _rules(root, source, params)]
    made += rules.heads(source, params, ("cls_head.fc_cls",))
    return rules.key_map(NAMES[0], source, params, roots, made, _LEFT_OUT)


def _rules(
    root: str, source: Mapping[str, np.ndarray], params: Mapping[str, Any]
) -> list[Rule]:
    def pair(conv: str, norm: str, name: str, part: str = "") -> list[Rule]:
        rule = rules.convolution(
            root + conv, f"{name}{part}.conv", params[f"{root}{conv}/kernel"].ndim
        )
        has_norm = f"{root}{norm}/scale" in params
        norms = rules.batch_norm(root + norm, f"{name}{part}.bn") if has_norm else []
        return [rule, *norms]

    made = []
    for path in params:
        if not path.startswith(root) or not path.endswith("/kernel"):
            continue
        ours = path.removeprefix(root).removesuffix("/kernel")
        if stem := re.fullmatch(r"(?:(slow|fast)_)?conv1", ours):
            prefix = f"{stem[1]}_path." if stem[1] else ""
            norm = ours.replace("conv1", "norm1")
            made += pair(ours, norm, f"{prefix}conv1")
        elif lateral := re.fullmatch(r"lateral_(\d+)", ours):
            stage = int(lateral[1])
            layer = f"layer{stage}" if stage else "conv1"
            made += pair(ours, f"lateral_norm_{stage}", f"slow_path.{layer}_lateral")
        elif unit := re.fullmatch(r"(?:(slow|fast)_)?res(\d+)_(\d+)/(\w+)", ours):
            prefix = f"{unit[1]}_path." if unit[1] else ""
            name = f"{prefix}layer{unit[2]}.{int(unit[3]) - 1}."
            made += _unit_layer(ours, unit[4], name, source, pair)
    return made


def _unit_layer(
    ours: str, layer: str, name: str, source: Mapping[str, np.ndarray], pair: Any
) -> list[Rule]:
    """Rules of one convolution of a unit and its norm."""
    norm = ours.removesuffix(layer)
    if layer == "interaction":
        return pair(ours, f"{norm}interaction_norm", f"{name}conv2", ".first")
    their = name + _LAYERS[layer]
    ends = {"project": "project_norm"}
    norm += ends.get(layer, layer.replace("conv", "norm"))
    if layer == "conv2" and f"{their}.first.conv.weight" in source:
        second = f"{their}.1.conv.weight" in source
        return pair(ours, norm, their, ".1" if second else ".first")
    return pair(ours, norm, their)
