"""Public weights of Hiera on video, and how they fill `Hiera`.

Files of pre-training hold the same encoder; their decoder is left out, and the last
norm, which they keep for themselves, is fresh. Positions of another number of frames or
size of frames are resized.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import einops
import numpy as np

from jaxact.weights import keymap, rules
from jaxact.weights.keymap import KeyMap, Rule

NAMES = ("Hiera, the authors' names",)
_PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.")
_LEFT_OUT = r"(head|decoder\w*|encoder_norm|multi_scale_fusion_heads)(\.|$)|mask_token$"


def clean(source: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the arrays under their names without what wrappers put before them."""
    return keymap.strip_prefixes(source, _PREFIXES)


def recognizes(source: Mapping[str, np.ndarray]) -> bool:
    """Says whether cleaned names are a Hiera's: positions, but no class token."""
    wanted = {"pos_embed_spatial", "pos_embed_temporal", "blocks.0.attn.qkv.weight"}
    return wanted <= source.keys() and "cls_token" not in source


def find_backbones(params: Mapping[str, Any]) -> list[str]:
    """Returns the paths, with a closing ``/``, of the Hieras among parameters."""
    ends = ("stage1_0/attention/qkv/kernel", "position", "time")
    roots = [p.removesuffix(ends[0]) for p in params if p.endswith(ends[0])]
    return [root for root in roots if all(root + end in params for end in ends)]


def key_map(source: Mapping[str, np.ndarray], params: Mapping[str, Any]) -> KeyMap:
    """Makes the rules that fill every Hiera among the parameters.

    Raises:
      WeightsError: the model has none.
    """
    roots = find_backbones(params)
    made = [rule for root in roots for rule in _rules(root, source, params)]
    made += rules.heads(source, params, ("head.projection",))
    found = rules.key_map(
        NAMES[0], source, params, roots, made, _LEFT_OUT, resize=resize
    )
    if "norm.weight" in source:
        return found
    norms = {f"{root}final_norm/{leaf}" for root in roots for leaf in ("scale", "bias")}
    return dataclasses.replace(found, fresh=found.fresh | norms)


def _rules(
    root: str, source: Mapping[str, np.ndarray], params: Mapping[str, Any]
) -> list[Rule]:
    """Rules of one backbone; the authors number blocks through all stages."""

    def kernel(array: np.ndarray) -> np.ndarray:
        return einops.rearrange(array, "o i t h w -> t h w i o")

    made = rules.stems(f"{root}patch_embed", "patch_embed.proj", kernel, params)
    made.append(Rule(f"{root}position", ("pos_embed_spatial",), _without_batch))
    made.append(Rule(f"{root}time", ("pos_embed_temporal",), _without_batch))
    if "norm.weight" in source:
        made += rules.layer_norm(f"{root}final_norm", "norm")
    block = re.compile(re.escape(root) + r"stage(\d+)_(\d+)/mlp_norm/scale$")
    places = [(int(m[1]), int(m[2])) for m in map(block.match, params) if m]
    for number, (stage, unit) in enumerate(sorted(places)):
        ours, theirs = f"{root}stage{stage}_{unit}/", f"blocks.{number}."
        made += rules.layer_norm(f"{ours}attention_norm", f"{theirs}norm1")
        made += rules.dense(f"{ours}attention/qkv", f"{theirs}attn.qkv")
        made += rules.dense(f"{ours}attention/out_proj", f"{theirs}attn.proj")
        made += rules.layer_norm(f"{ours}mlp_norm", f"{theirs}norm2")
        made += rules.dense(f"{ours}mlp/fc1", f"{theirs}mlp.fc1")
        made += rules.dense(f"{ours}mlp/fc2", f"{theirs}mlp.fc2")
        if f"{ours}skip/kernel" in params:
            made += rules.dense(f"{ours}skip", f"{theirs}proj")
    return made


def _without_batch(array: np.ndarray) -> np.ndarray:
    return einops.rearrange(array, "1 n c -> n c")


def resize(target: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """Fits positions to other frames, linearly in time, as a square image in space."""
    if array.ndim != 2 or array.shape[1:] != shape[1:]:
        return None
    if target.endswith("/time"):
        return rules.resized_line(array, shape[0])
    if target.endswith("/position"):
        return rules.resized_square(array, shape[0])
    return None
