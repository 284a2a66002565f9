"""Public weights of TimeSformer and ViT, and how they fill `TimeSformer`.

TimeSformer files come in two namings, the original code's and Hugging Face's; ViT files
(image models, the usual start of a TimeSformer) in timm's and in two of Hugging Face's.
From a ViT, temporal attention and its norm start as copies of the spatial ones, as in
the original TimeSformer; the time embedding and the projection after temporal attention
keep the model's own initialisation, zero in all blocks but the first.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

import einops
import numpy as np

from jaxact.weights.keymap import (
    KeyMap,
    Rule,
    WeightsError,
    strip_prefixes,
)
from jaxact.weights.rules import heads, resized_line, resized_square

# What wrappers put before the names: DataParallel, torch.compile, the model classes.
_PREFIXES = ("module.", "_orig_mod.", "model.", "timesformer.", "vit.", "backbone.")


@dataclasses.dataclass(frozen=True)
class Naming:
    """The names one code base gives to the parts; None is a part it does not have.

    Layers of a block are given by our path; three names are query, key and value.
    """

    name: str
    token: str
    position: str
    time: str | None
    patch: str
    final_norm: str
    head: str
    block: str  # of block {}
    layers: dict[str, tuple[str, ...] | None]
    ignore: tuple[str, ...] = ()  # beginnings of names without a counterpart here


def _layers(
    spatial_norm: str,
    spatial_in: tuple[str, ...],
    spatial_out: str,
    mlp_norm: str,
    fc1: str,
    fc2: str,
    temporal: tuple[str, str, str, str] | None = None,
) -> dict[str, tuple[str, ...] | None]:
    """Our layers of a block by their foreign names.

    ``temporal`` has norm, in, out, and the projection after; without it the temporal
    attention is filled with the spatial one.
    """
    norm, first, last = spatial_norm, spatial_in, spatial_out
    after: tuple[str, ...] | None = None
    if temporal is not None:
        norm, first, last, after = temporal[0], temporal[1:2], temporal[2], temporal[3:]
    return {
        "temporal_norm": (norm,),
        "temporal_attention/in_proj/qkv": first,
        "temporal_attention/out_proj": (last,),
        "temporal_fc": after,
        "spatial_norm": (spatial_norm,),
        "spatial_attention/in_proj/qkv": spatial_in,
        "spatial_attention/out_proj": (spatial_out,),
        "mlp_norm": (mlp_norm,),
        "mlp/fc1": (fc1,),
        "mlp/fc2": (fc2,),
    }


_EMBEDDINGS: dict[str, Any] = dict(
    token="embeddings.cls_token",
    position="embeddings.position_embeddings",
    patch="embeddings.patch_embeddings.projection",
    final_norm="layernorm",
    head="classifier",
)
_TIMM: dict[str, Any] = dict(
    token="cls_token",
    position="pos_embed",
    patch="patch_embed.proj",
    final_norm="norm",
    head="head",
    block="blocks.{}.",
)
_TIMM_BLOCK = ("norm1", ("attn.qkv",), "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")

NAMINGS = (  # those with temporal attention first: the others' names are among theirs
    Naming(
        "TimeSformer, Hugging Face names",
        **_EMBEDDINGS,
        time="embeddings.time_embeddings",
        block="encoder.layer.{}.",
        layers=_layers(
            "layernorm_before",
            ("attention.attention.qkv",),
            "attention.output.dense",
            "layernorm_after",
            "intermediate.dense",
            "output.dense",
            (
                "temporal_layernorm",
                "temporal_attention.attention.qkv",
                "temporal_attention.output.dense",
                "temporal_dense",
            ),
        ),
    ),
    Naming(
        "TimeSformer, original names",
        **_TIMM,
        time="time_embed",
        layers=_layers(
            *_TIMM_BLOCK,
            (
                "temporal_norm1",
                "temporal_attn.qkv",
                "temporal_attn.proj",
                "temporal_fc",
            ),
        ),
    ),
    Naming(
        "ViT, timm names",
        **_TIMM,
        time=None,
        layers=_layers(*_TIMM_BLOCK),
        ignore=("pre_logits.",),
    ),
    Naming(
        "ViT, Hugging Face names",
        **_EMBEDDINGS,
        time=None,
        block="encoder.layer.{}.",
        layers=_layers(
            "layernorm_before",
            tuple(f"attention.attention.{name}" for name in ("query", "key", "value")),
            "attention.output.dense",
            "layernorm_after",
            "intermediate.dense",
            "output.dense",
        ),
        ignore=("pooler.",),
    ),
    Naming(
        "ViT, Hugging Face names since version 5",
        **_EMBEDDINGS,
        time=None,
        block="layers.{}.",
        layers=_layers(
            "layernorm_before",
            tuple(f"attention.{name}" for name in ("q_proj", "k_proj", "v_proj")),
            "attention.o_proj",
            "layernorm_after",
            "mlp.fc1",
            "mlp.fc2",
        ),
        ignore=("pooler.",),
    ),
)
NAMES = tuple(naming.name for naming in NAMINGS)
OF_IMAGES = (
    "A ViT's weights expect images normalised as it was trained; those of ImageNet-21k "
    "by --config.model.mean='(0.5,)' --config.model.std='(0.5,)'."
)


def clean(source: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the arrays under their names without what wrappers put before them."""
    return strip_prefixes(source, _PREFIXES)


def recognizes(source: Mapping[str, np.ndarray]) -> bool:
    """Says whether cleaned names are those of a TimeSformer or ViT."""
    return find_naming(source) is not None


def find_naming(source: Mapping[str, np.ndarray]) -> Naming | None:
    """Returns the naming a stripped state dict follows, or None."""
    for naming in NAMINGS:
        first = naming.layers["temporal_attention/in_proj/qkv"]
        assert first is not None
        if f"{naming.block.format(0)}{first[0]}.weight" in source:
            return naming
    return None


def find_backbones(params: Mapping[str, Any]) -> list[str]:
    """Returns the paths, with a closing ``/``, of the TimeSformers among parameters."""
    ends = ("class_token", "position", "time", "blocks_0/temporal_fc/kernel")
    roots = [p.removesuffix(ends[0]) for p in params if p.endswith(ends[0])]
    return [root for root in roots if all(root + end in params for end in ends)]


def key_map(
    source: Mapping[str, np.ndarray],
    params: Mapping[str, Any],
) -> KeyMap:
    """Makes the rules that fill every TimeSformer among the parameters.

    The classifier is filled where it has the file's classes; otherwise it is fresh, as
    everything outside the backbones is. Blocks of the file beyond the model's depth are
    left out, and so is a ViT's classifier, whose classes are those of images.

    Args:
      source: a cleaned state dict that `recognizes` knows.
      params: the model's parameters by path.

    Raises:
      WeightsError: nothing in the model matches.
    """
    naming, roots = find_naming(source), find_backbones(params)
    assert naming is not None, "recognizes() said so"
    if not roots:
        raise WeightsError(
            f"The weights are of {naming.name}, but the model has no TimeSformer; its "
            f"parameters begin with {', '.join(sorted(params)[:3])}."
        )
    rules = [rule for root in roots for rule in _rules(naming, root, params)]
    if naming.time is not None:
        # A classifier without a bias is none of ours.
        known = f"{naming.head}.bias" in source
        rules += heads(source, params, (naming.head,) if known else ())
    used = {name for rule in rules for name in rule.sources}
    filled = {rule.target for rule in rules}
    deep = max(_depth(root, params) for root in roots)
    return KeyMap(
        naming.name,
        tuple(rules),
        frozenset(n for n in source.keys() - used if _left_out(n, naming, deep)),
        frozenset(p for p in params.keys() - filled if _is_fresh(p, naming, roots)),
        resize,
        (OF_IMAGES,) if naming.time is None else (),
    )


def _depth(root: str, params: Mapping[str, Any]) -> int:
    start = re.compile(re.escape(f"{root}blocks_") + r"(\d+)/")
    return 1 + max(int(found[1]) for found in map(start.match, params) if found)


def _left_out(name: str, naming: Naming, depth: int) -> bool:
    """Whether a name of the file has no counterpart here on purpose."""
    before, after = naming.block.split("{}")
    block = re.match(re.escape(before) + r"(\d+)" + re.escape(after), name)
    if block is not None:
        return int(block[1]) >= depth
    return name.startswith((f"{naming.head}.", *naming.ignore))


def _is_fresh(path: str, naming: Naming, roots: list[str]) -> bool:
    """Whether a parameter without a rule keeps its initialisation on purpose."""
    if not path.startswith(tuple(roots)):
        return True
    if naming.time is not None:
        return False
    return path.endswith("/time") or "/temporal_fc/" in path


def _rules(naming: Naming, root: str, params: Mapping[str, Any]) -> list[Rule]:
    rules = [
        Rule(f"{root}class_token", (naming.token,), _drop_batch),
        Rule(f"{root}position", (naming.position,), _drop_batch),
        *_layer_rules(f"{root}final_norm", (naming.final_norm,)),
    ]
    if naming.time is not None:
        rules.append(Rule(f"{root}time", (naming.time,), _drop_batch))
    # Streams with another number of channels have a patch embedding of their own.
    embed = re.compile(re.escape(root) + r"patch_embed(_\d+)?/proj/(kernel|bias)$")
    for found in filter(None, map(embed.match, params)):
        if found[2] == "kernel":
            rules.append(Rule(found[0], (f"{naming.patch}.weight",), _patches))
        else:
            rules.append(Rule(found[0], (f"{naming.patch}.bias",), _same))
    for index in range(_depth(root, params)):
        for layer, names in naming.layers.items():
            if names is not None:
                names = tuple(naming.block.format(index) + name for name in names)
                rules += _layer_rules(f"{root}blocks_{index}/{layer}", names)
    return rules


def _layer_rules(path: str, names: tuple[str, ...]) -> list[Rule]:
    """Rules of a norm or of a linear layer, given in one part or in three."""
    weights = tuple(f"{name}.weight" for name in names)
    biases = tuple(f"{name}.bias" for name in names)
    leaf = "kernel"
    transform: Callable[..., np.ndarray] = _linear
    if path.endswith("norm"):
        leaf, transform = ("scale", _same)
    return [
        Rule(f"{path}/{leaf}", weights, transform),
        Rule(f"{path}/bias", biases, lambda *parts: np.concatenate(parts)),
    ]


def _same(array: np.ndarray) -> np.ndarray:
    return array


def _drop_batch(array: np.ndarray) -> np.ndarray:
    return einops.rearrange(array, "1 n d -> n d")


def _linear(*parts: np.ndarray) -> np.ndarray:
    """Torch keeps ``[out in]``; query, key and value follow one another in ``out``."""
    return einops.rearrange(np.concatenate(parts), "o i -> i o")


def _patches(array: np.ndarray) -> np.ndarray:
    """Torch keeps the patches' convolution as ``[d c p q]``."""
    return einops.rearrange(array, "d c p q -> (p q c) d")


def resize(
    target: str,
    array: np.ndarray,
    shape: tuple[int, ...],
) -> np.ndarray | None:
    """Fits embeddings to another number of patches, frames or channels.

    Positions are resized as a square image (Keys' cubic kernel, a = -1/2), time
    linearly, both with antialiasing; a patch embedding of three channels becomes one of
    one channel by its mean.

    Args:
      target: the parameter's path.
      array: what the file holds, in our layout.
      shape: what the model expects.

    Returns:
      The array in that shape, or None where none of this applies.
    """
    if array.ndim != 2 or array.shape[1] != shape[1]:
        return None
    x = array.astype(np.float32)
    if target.endswith("/time"):
        return resized_line(x, shape[0])
    if target.endswith("/position"):
        patches = resized_square(x[1:], shape[0] - 1)
        return None if patches is None else np.concatenate([x[:1], patches])
    if re.search("patch_embed_1/proj/kernel$", target) and shape[0] * 3 == len(x):
        return einops.reduce(x, "(pq c) d -> pq d", "mean", c=3)
    return None
