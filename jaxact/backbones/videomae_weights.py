"""Public weights of VideoMAE, and how they fill `VideoMAE`.

Three namings: the authors', mmaction2's and Hugging Face's. Files of pre-training hold
the same encoder; their decoder is left out, and the last norm, which they lack, is
fresh. The fixed positions that some files carry are compared with ours.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxact.backbones.videomae import sinusoids
from jaxact.weights import keymap, rules
from jaxact.weights.keymap import KeyMap, Rule, WeightsError

_PREFIXES = (
    "module.",
    "_orig_mod.",
    "model.",
    "backbone.",
    "videomae.",
    "encoder.",  # of pre-training, and of Hugging Face
)
# The encoder's own last norm and the mask's token belong to pre-training.
_LEFT_OUT = (
    r"(cls_head|head|classifier|decoder|encoder_to_decoder)\.|mask_token$|pos_embed$|"
    r"(norm|layernorm)\.(weight|bias)$"
)
_BIASES = {
    "query_bias": ("q_bias", "query.bias"),
    "value_bias": ("v_bias", "value.bias"),
}


@dataclasses.dataclass(frozen=True)
class Naming:
    """The names one code base gives to the parts; those of a block are within it."""

    name: str
    patch: str
    block: str
    attention: str  # where the biases of query and value are
    qkv: tuple[str, ...]
    layers: dict[str, str]
    norms: tuple[str, str]


def _official(name: str, patch: str, fc1: str, fc2: str) -> Naming:
    layers = {"attention/out_proj": "attn.proj", "mlp/fc1": fc1, "mlp/fc2": fc2}
    norms = ("norm1", "norm2")
    return Naming(name, patch, "blocks.{}.", "attn.", ("attn.qkv",), layers, norms)


NAMINGS = (
    _official("VideoMAE, the authors' names", "patch_embed.proj", "mlp.fc1", "mlp.fc2"),
    _official(
        "VideoMAE, mmaction2's names",
        "patch_embed.projection",
        "mlp.layers.0.0",
        "mlp.layers.1",
    ),
    Naming(
        "VideoMAE, Hugging Face names",
        "embeddings.patch_embeddings.projection",
        "layer.{}.",
        "attention.attention.",
        tuple(f"attention.attention.{name}" for name in ("query", "key", "value")),
        {
            "attention/out_proj": "attention.output.dense",
            "mlp/fc1": "intermediate.dense",
            "mlp/fc2": "output.dense",
        },
        ("layernorm_before", "layernorm_after"),
    ),
)
NAMES = tuple(naming.name for naming in NAMINGS)


def clean(source: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the arrays under their names without what wrappers put before them."""
    return keymap.strip_prefixes(source, _PREFIXES)


def recognizes(source: Mapping[str, np.ndarray]) -> bool:
    """Says whether cleaned names are those of a VideoMAE."""
    return _find_naming(source) is not None


def _find_naming(source: Mapping[str, np.ndarray]) -> Naming | None:
    """Returns the naming of a file with patches of several frames and no key's bias."""
    for naming in NAMINGS:
        kernel = source.get(f"{naming.patch}.weight")
        if kernel is not None and kernel.ndim == 5 and _bias(source, naming, 0):
            return naming
    return None


def _bias(source: Mapping[str, np.ndarray], naming: Naming, block: int) -> bool:
    start = naming.block.format(block) + naming.attention
    return any(start + name in source for name in _BIASES["query_bias"])


def find_backbones(params: Mapping[str, Any]) -> list[str]:
    """Returns the paths, with a closing ``/``, of the VideoMAEs among parameters."""
    end = "blocks_0/attention/query_bias"
    return [path.removesuffix(end) for path in params if path.endswith(end)]


def key_map(source: Mapping[str, np.ndarray], params: Mapping[str, Any]) -> KeyMap:
    """Makes the rules that fill every VideoMAE among the parameters.

    Raises:
      WeightsError: the model has none, or the file's positions are not the fixed ones.
    """
    naming, roots = _find_naming(source), find_backbones(params)
    assert naming is not None, "recognizes() said so"
    if "pos_embed" in source:
        _check_positions(source["pos_embed"])
    made = [rule for root in roots for rule in _rules(root, naming, source, params)]
    made += rules.heads(source, params, ("cls_head.fc_cls", "head", "classifier"))
    found = rules.key_map(naming.name, source, params, roots, made, _LEFT_OUT)
    if "fc_norm.weight" in source:
        return found
    norms = {f"{root}final_norm/{leaf}" for root in roots for leaf in ("scale", "bias")}
    return dataclasses.replace(found, fresh=found.fresh | norms)


def _check_positions(array: np.ndarray) -> None:
    """Refuses positions that were learnt: this network has fixed ones."""
    ours = sinusoids(*array.shape[-2:])
    if np.abs(array[0].astype(np.float32) - ours).max() > 1e-2:
        raise WeightsError(
            f"Got positions pos_embed {list(array.shape)} that are not the fixed sines "
            "and cosines of VideoMAE: this file was trained with learnt positions, "
            "which the network has not. Take a file of the published recipe."
        )


def _rules(
    root: str,
    naming: Naming,
    source: Mapping[str, np.ndarray],
    params: Mapping[str, Any],
) -> list[Rule]:
    """Rules of one backbone."""
    made = rules.patches(f"{root}patch_embed", naming.patch, 1, params)
    if "fc_norm.weight" in source:
        made += rules.layer_norm(f"{root}final_norm", "fc_norm")
    block = re.compile(re.escape(root) + r"blocks_(\d+)/mlp_norm/scale$")
    for found in filter(None, map(block.match, params)):
        ours = found[0].removesuffix("mlp_norm/scale")
        theirs = naming.block.format(found[1])
        names = tuple(f"{theirs}{name}.weight" for name in naming.qkv)
        made.append(Rule(f"{ours}attention/qkv/kernel", names, _stacked))
        for path, choices in _BIASES.items():
            names = tuple(theirs + naming.attention + name for name in choices)
            name = next((name for name in names if name in source), names[0])
            made.append(Rule(f"{ours}attention/{path}", (name,), rules.same))
        for path, name in naming.layers.items():
            made += rules.dense(ours + path, theirs + name)
        for path, name in zip(
            ("attention_norm", "mlp_norm"), naming.norms, strict=True
        ):
            made += rules.layer_norm(ours + path, theirs + name)
    return made


def _stacked(*parts: np.ndarray) -> np.ndarray:
    """Query, key and value one after another: ``[o i]`` each, to ``[i 3o]``."""
    return np.concatenate(parts).T
