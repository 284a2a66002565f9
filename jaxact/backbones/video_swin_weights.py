"""Public weights of Video Swin Transformers, and how they fill `VideoSwin`.

The authors' code and mmaction2 share one naming, torchvision has another. Weights of
image Swin Transformers are inflated: a patch's kernel is divided over its frames, and
the table of biases is the same for all distances in time (Liu et al. 2022, sec. 3.3).
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxact.weights import keymap, rules
from jaxact.weights.keymap import KeyMap, Rule

NAMES = (
    "Video Swin, the authors' and mmaction2's names",
    "Video Swin, torchvision's names",
)
_PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.")
_LEFT_OUT = r"(cls_head|head)\.|.*\.(relative_position_index|attn_mask)$"
_FIRST = ("layers.0.blocks.0.", "features.0.0.")
_TABLE = "attn.relative_position_bias_table"


def clean(source: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the arrays under their names without what wrappers put around them."""
    stripped = keymap.strip_prefixes(source, _PREFIXES)
    # mmaction2 numbers the last norm by its stage.
    return {re.sub(r"^norm\d+\.", "norm.", name): x for name, x in stripped.items()}


def recognizes(source: Mapping[str, np.ndarray]) -> bool:
    """Says whether cleaned names are those of a Swin Transformer."""
    return any(first + _TABLE in source for first in _FIRST)


def find_backbones(params: Mapping[str, Any]) -> list[str]:
    """Returns the paths, with a closing ``/``, of the Video Swins among parameters."""
    end = "stage1_0/attention/relative_position_bias"
    return [path.removesuffix(end) for path in params if path.endswith(end)]


def key_map(source: Mapping[str, np.ndarray], params: Mapping[str, Any]) -> KeyMap:
    """Makes the rules that fill every Video Swin among the parameters.

    Raises:
      WeightsError: the model has none.
    """
    torchvision = _FIRST[1] + _TABLE in source
    roots = find_backbones(params)
    made = [
        rule for root in roots for rule in _rules(root, source, params, torchvision)
    ]
    made += rules.heads(source, params, ("cls_head.fc_cls", "head"))
    kind = NAMES[torchvision]
    return rules.key_map(kind, source, params, roots, made, _LEFT_OUT)


def _rules(
    root: str,
    source: Mapping[str, np.ndarray],
    params: Mapping[str, Any],
    torchvision: bool,
) -> list[Rule]:
    """Rules of one backbone: its stem, and whatever stages it has."""
    kernel = source.get("patch_embed.proj.weight")
    size = params[f"{root}patch_embed/kernel"].shape[0]
    frames = (
        size // int(np.prod(kernel.shape[-2:]) * kernel.shape[1])
        if (kernel is not None)
        else 1
    )
    stem = f"{root}patch_embed"
    made = rules.patches(stem, "patch_embed.proj", frames, params)
    made += rules.layer_norm(f"{root}patch_norm", "patch_embed.norm")
    made += rules.layer_norm(f"{root}final_norm", "norm")
    block = re.compile(re.escape(root) + r"stage(\d+)_(\d+)/mlp_norm/scale$")
    for found in filter(None, map(block.match, params)):
        stage, unit = int(found[1]) - 1, int(found[2])
        theirs = f"layers.{stage}.blocks.{unit}."
        first, second = "mlp.fc1", "mlp.fc2"
        if torchvision:
            theirs, first, second = f"features.{2 * stage}.{unit}.", "mlp.0", "mlp.3"
        ours = found[0].removesuffix("mlp_norm/scale")
        made += rules.layer_norm(f"{ours}attention_norm", f"{theirs}norm1")
        made += rules.dense(f"{ours}attention/in_proj/qkv", f"{theirs}attn.qkv")
        made += rules.dense(f"{ours}attention/out_proj", f"{theirs}attn.proj")
        made += rules.layer_norm(f"{ours}mlp_norm", f"{theirs}norm2")
        made += rules.dense(f"{ours}mlp/fc1", theirs + first)
        made += rules.dense(f"{ours}mlp/fc2", theirs + second)
        path = f"{ours}attention/relative_position_bias"
        made.append(_table(path, theirs + _TABLE, params[path].shape[0]))
    merging = re.compile(re.escape(root) + r"merging_(\d+)/norm/scale$")
    for found in filter(None, map(merging.match, params)):
        stage = int(found[1])
        theirs = f"layers.{stage - 1}.downsample."
        if torchvision:
            theirs = f"features.{2 * stage - 1}."
        ours = f"{root}merging_{stage}/"
        made += rules.layer_norm(f"{ours}norm", f"{theirs}norm")
        made += rules.dense(f"{ours}reduction", f"{theirs}reduction", bias=False)
    return made


def _table(path: str, name: str, rows: int) -> Rule:
    """The biases; those of an image network are repeated over the distances in time."""

    def table(array: np.ndarray) -> np.ndarray:
        times = rows // array.shape[0]
        return np.tile(array, (times, 1)) if times * array.shape[0] == rows else array

    return Rule(path, (name,), table)
