"""Public weights of MViT v1 and v2, and how they fill `MViT`.

Four namings: torchvision's, mmaction2's, PySlowFast's and pytorchvideo's. Tables of
relative positions are resized linearly to the clip's grid, as the public code does it
at run time; v1's absolute ones linearly in time, as a square image in space.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import einops
import numpy as np

from jaxact.weights import keymap, rules
from jaxact.weights.keymap import KeyMap, Rule

_PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.")
_LEFT_OUT = r"(cls_head|head)\."
_CLASSIFIERS = ("head.1", "cls_head.fc_cls", "head.projection", "head.proj")


@dataclasses.dataclass(frozen=True)
class Naming:
    """The names one code base gives to the parts; {} is one of q, k and v.

    ``positions`` are v1's: the class token, then that of the class token, of space and
    of time.
    """

    name: str
    patch: str
    positions: tuple[str, str, str, str]
    final_norm: str
    pool: str = "attn.pool_{}"
    pool_norm: str = "attn.norm_{}"
    out: str = "attn.proj"
    mlp: tuple[str, str] = ("mlp.fc1", "mlp.fc2")
    skip: str = "proj"


def _separable(start: str = "") -> tuple[str, str, str, str]:
    first, *others = ("cls_token", "class", "spatial", "temporal")
    class_, space, time = (f"{start}pos_embed_{name}" for name in others)
    return start + first, class_, space, time


NAMINGS = (
    Naming(
        "MViT, torchvision's names",
        "conv_proj",
        (
            "pos_encoding.class_token",
            "pos_encoding.class_pos",
            "pos_encoding.spatial_pos",
            "pos_encoding.temporal_pos",
        ),
        "norm",
        "attn.pool_{}.pool",
        "attn.pool_{}.norm_act.0",
        "attn.project.0",
        ("mlp.0", "mlp.3"),
        "project",
    ),
    Naming("MViT, mmaction2's names", "patch_embed.projection", _separable(), "norm"),
    Naming("MViT, PySlowFast's names", "patch_embed.proj", _separable(), "norm"),
    Naming(
        "MViT, pytorchvideo's names",
        "patch_embed.patch_model",
        _separable("cls_positional_encoding."),
        "norm_embed",
    ),
)
NAMES = tuple(naming.name for naming in NAMINGS)


def clean(source: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the arrays under their names without what wrappers put around them."""
    stripped = keymap.strip_prefixes(source, _PREFIXES)
    # mmaction2 numbers the last norm by its stage.
    return {re.sub(r"^norm\d+\.", "norm.", name): x for name, x in stripped.items()}


def recognizes(source: Mapping[str, np.ndarray]) -> bool:
    """Says whether cleaned names are those of an MViT."""
    return _find_naming(source) is not None


def _find_naming(source: Mapping[str, np.ndarray]) -> Naming | None:
    for naming in NAMINGS:
        pool = f"blocks.0.{naming.pool.format('k')}.weight"
        if {pool, f"{naming.patch}.weight"} <= source.keys():
            return naming
    return None


def find_backbones(params: Mapping[str, Any]) -> list[str]:
    """Returns the paths, with a closing ``/``, of the MViTs among parameters."""
    end = "blocks_0/attention/pool_key/kernel"
    return [path.removesuffix(end) for path in params if path.endswith(end)]


def key_map(source: Mapping[str, np.ndarray], params: Mapping[str, Any]) -> KeyMap:
    """Makes the rules that fill every MViT among the parameters.

    Raises:
      WeightsError: the model has none.
    """
    naming, roots = _find_naming(source), find_backbones(params)
    assert naming is not None, "recognizes() said so"
    made = [rule for root in roots for rule in _rules(root, naming, source, params)]
    made += rules.heads(source, params, _CLASSIFIERS)
    return rules.key_map(
        naming.name, source, params, roots, made, _LEFT_OUT, resize=resize
    )


def _rules(
    root: str,
    naming: Naming,
    source: Mapping[str, np.ndarray],
    params: Mapping[str, Any],
) -> list[Rule]:
    """Rules of one backbone, of what its version has."""

    def kernel(array: np.ndarray) -> np.ndarray:
        return einops.rearrange(array, "o i t h w -> t h w i o")

    made = rules.stems(f"{root}patch_embed", naming.patch, kernel, params)
    paths = ("class_token", "class_position", "position", "time")
    for path, name in zip(paths, naming.positions, strict=True):
        if root + path in params:
            made.append(Rule(root + path, (name,), _rows))
    made += rules.layer_norm(f"{root}final_norm", naming.final_norm)
    block = re.compile(re.escape(root) + r"blocks_(\d+)/mlp_norm/scale$")
    for found in filter(None, map(block.match, params)):
        ours = found[0].removesuffix("mlp_norm/scale")
        made += _block(ours, f"blocks.{found[1]}.", naming, source, params)
    return made


def _block(
    ours: str,
    theirs: str,
    naming: Naming,
    source: Mapping[str, np.ndarray],
    params: Mapping[str, Any],
) -> list[Rule]:
    made = rules.layer_norm(f"{ours}attention_norm", f"{theirs}norm1")
    made += rules.layer_norm(f"{ours}mlp_norm", f"{theirs}norm2")
    parts: tuple[str, ...] = (f"{theirs}attn.qkv",)
    if f"{theirs}attn.q.weight" in source:
        parts = tuple(f"{theirs}attn.{part}" for part in "qkv")
    path = f"{ours}attention/qkv"
    kernels, biases = (
        tuple(f"{part}.{leaf}" for part in parts) for leaf in ("weight", "bias")
    )
    made.append(Rule(f"{path}/kernel", kernels, lambda *x: np.concatenate(x).T))
    made.append(Rule(f"{path}/bias", biases, lambda *x: np.concatenate(x)))
    made += rules.dense(f"{ours}attention/out_proj", theirs + naming.out)
    for path, name in zip(("mlp/fc1", "mlp/fc2"), naming.mlp, strict=True):
        made += rules.dense(ours + path, theirs + name)
    for name in ("query", "key", "value"):
        path = f"{ours}attention/pool_{name}"
        if f"{path}/kernel" in params:
            made.append(rules.depthwise(path, theirs + naming.pool.format(name[0])))
            norm = theirs + naming.pool_norm.format(name[0])
            made += rules.layer_norm(f"{path}/norm", norm)
    for axis in "thw":
        path = f"{ours}attention/relative_{axis}"
        if path in params:
            made.append(Rule(path, (f"{theirs}attn.rel_pos_{axis}",), rules.same))
    if f"{ours}skip/kernel" in params:
        made += rules.dense(f"{ours}skip", theirs + naming.skip)
    return made


def _rows(array: np.ndarray) -> np.ndarray:
    """Positions ``[n c]`` of ``[1 n c]``, ``[n c]`` or ``[c]``."""
    return array.reshape(-1, array.shape[-1])


def resize(target: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """Fits positions to another grid; see the module."""
    if array.ndim != 2 or array.shape[1:] != shape[1:]:
        return None
    if re.search(r"/relative_[thw]$", target):
        return rules.resized_line(array, shape[0], antialias=False)
    if target.endswith("/time"):
        return rules.resized_line(array, shape[0])
    if target.endswith("/position"):
        return rules.resized_square(array, shape[0])
    return None
