"""Public weights of Video-FocalNet and FocalNet, and how they fill `VideoFocalNet`.

An image FocalNet, the usual start, has no modulation over time: that stays fresh, and
patches of several frames are inflated.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import einops
import numpy as np

from jaxact.weights import keymap, rules
from jaxact.weights.keymap import KeyMap, Rule

NAMES = ("Video-FocalNet, the authors' names", "FocalNet of images, the authors' names")
_PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.")
_LEFT_OUT = r"head\."
_FIRST = "layers.0.blocks.0.modulation."
_DENSE = {
    "space_in": "f",
    "space_out": "h",
    "time_in": "f_temporal",
    "time_out": "h_temporal",
    "out_proj": "proj",
}


def clean(source: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the arrays under their names without what wrappers put before them."""
    return keymap.strip_prefixes(source, _PREFIXES)


def recognizes(source: Mapping[str, np.ndarray]) -> bool:
    """Says whether cleaned names are those of a FocalNet."""
    return f"{_FIRST}f.weight" in source


def find_backbones(params: Mapping[str, Any]) -> list[str]:
    """Returns the paths, with a closing ``/``, of the Video-FocalNets among them."""
    end = "stage1_0/modulation/space_in/kernel"
    return [path.removesuffix(end) for path in params if path.endswith(end)]


def key_map(source: Mapping[str, np.ndarray], params: Mapping[str, Any]) -> KeyMap:
    """Makes the rules that fill every Video-FocalNet among the parameters.

    Raises:
      WeightsError: the model has none.
    """
    roots = find_backbones(params)
    image = f"{_FIRST}f_temporal.weight" not in source
    made = [
        rule for root in roots for rule in _rules(root, source, params, image=image)
    ]
    made += rules.heads(source, params, ("head",))
    found = rules.key_map(NAMES[image], source, params, roots, made, _LEFT_OUT)
    if not image:
        return found
    fresh = {path for path in params if re.search(r"/modulation/time_\w+/", path)}
    return dataclasses.replace(found, fresh=found.fresh | fresh)


def _rules(
    root: str,
    source: Mapping[str, np.ndarray],
    params: Mapping[str, Any],
    image: bool,
) -> list[Rule]:
    """Rules of one backbone."""
    kernel = source.get("patch_embed.proj.weight")
    frames = 1
    if kernel is not None:
        size = params[f"{root}patch_embed/kernel"].shape[0]
        frames = size // int(np.prod(kernel.shape[-2:]) * kernel.shape[1])
    stem = f"{root}patch_embed"
    made = rules.patches(stem, "patch_embed.proj", frames, params)
    made += rules.layer_norm(f"{root}patch_norm", "patch_embed.norm")
    made += rules.layer_norm(f"{root}final_norm", "norm")
    merging = re.compile(re.escape(root) + r"merging_(\d+)/kernel$")
    for found in filter(None, map(merging.match, params)):
        theirs = f"layers.{int(found[1]) - 1}.downsample."
        path = f"{root}merging_{found[1]}"
        made += rules.patches(path, f"{theirs}proj", 1, {f"{path}/kernel": None})
        made += rules.layer_norm(f"{root}merging_norm_{found[1]}", f"{theirs}norm")
    block = re.compile(re.escape(root) + r"stage(\d+)_(\d+)/mlp_norm/scale$")
    for found in filter(None, map(block.match, params)):
        theirs = f"layers.{int(found[1]) - 1}.blocks.{found[2]}."
        ours = found[0].removesuffix("mlp_norm/scale")
        made += rules.layer_norm(f"{ours}modulation_norm", f"{theirs}norm1")
        made += rules.layer_norm(f"{ours}mlp_norm", f"{theirs}norm2")
        made += rules.dense(f"{ours}mlp/fc1", f"{theirs}mlp.fc1")
        made += rules.dense(f"{ours}mlp/fc2", f"{theirs}mlp.fc2")
        made += _modulation(f"{ours}modulation/", f"{theirs}modulation.", params)
    return [rule for rule in made if not (image and "/modulation/time_" in rule.target)]


def _modulation(ours: str, theirs: str, params: Mapping[str, Any]) -> list[Rule]:
    """Linear layers, of which some are convolutions of one place, and the levels'."""
    made = []
    for path, name in _DENSE.items():
        names = (f"{theirs}{name}.weight",)
        made.append(Rule(f"{ours}{path}/kernel", names, _matrix))
        names = (f"{theirs}{name}.bias",)
        made.append(Rule(f"{ours}{path}/bias", names, rules.same))
    level = re.compile(re.escape(ours) + r"(space|time)_(\d+)/kernel$")
    for found in filter(None, map(level.match, params)):
        layers = "focal_layers" + "_temporal" * (found[1] == "time")
        name = f"{theirs}{layers}.{found[2]}.0.weight"
        transform = _over_time if found[1] == "time" else _in_frames
        made.append(Rule(found[0], (name,), transform))
    return made


def _matrix(array: np.ndarray) -> np.ndarray:
    """``[o i]``, or ``[o i 1]`` or ``[o i 1 1]``, to ``[i o]``."""
    return array.reshape(array.shape[:2]).T if array[0, 0].size == 1 else array


def _in_frames(array: np.ndarray) -> np.ndarray:
    return einops.rearrange(array, "c 1 h w -> 1 h w c")


def _over_time(array: np.ndarray) -> np.ndarray:
    return einops.rearrange(array, "o i t -> t 1 1 i o")
