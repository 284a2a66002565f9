"""Public weights of residual networks, and how they fill `ResNet`.

torchvision and timm give their ResNets the same names; files made for TSM differ by
wrappers alone. Those of images fill C2D as they are. Where a convolution spans frames
(C3D) every tap starts as the image's kernel divided by the number of taps, so that a
still clip gives what the image gave. A first convolution of another number of channels
starts as the mean over RGB, repeated.
"""

import re
from collections.abc import Mapping
from typing import Any

import einops
import numpy as np

from jaxact.weights import keymap, rules
from jaxact.weights.keymap import KeyMap, Rule

NAMES = ("ResNet, names of torchvision, timm, mmaction2, TSM or TANet",)

# What wrappers put before the names: DataParallel, torch.compile, the model classes.
_PREFIXES = ("module.", "_orig_mod.", "model.", "base_model.", "backbone.", "resnet.")
_LAYERS = {  # of a unit: our name of convolution and norm, and theirs
    ("conv1", "norm1"): ("conv1", "bn1"),
    ("conv2", "norm2"): ("conv2", "bn2"),
    ("conv3", "norm3"): ("conv3", "bn3"),
    ("project", "project_norm"): ("downsample.0", "downsample.1"),
}


def clean(source: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the arrays under their names without what wrappers put around them."""
    stripped = keymap.strip_prefixes(source, _PREFIXES)
    return {_plain(name): array for name, array in stripped.items()}


def _plain(name: str) -> str:
    """Returns torchvision's name for one of mmaction2's or TSM's; others stay."""
    # TSM's files wrap the convolutions that it shifts before: "conv1.net.weight";
    # TANet's put a unit's layers into "block", beside its module.
    name = name.replace(".net.", ".").replace(".block.", ".")
    name = name.replace("cls_head.fc_cls.", "fc.")
    name = name.replace("downsample.conv.", "downsample.0.")
    name = name.replace("downsample.bn.", "downsample.1.")
    name = re.sub(r"\bconv(\d)\.conv\.", r"conv\1.", name)
    return re.sub(r"\bconv(\d)\.bn\.", r"bn\1.", name)


def recognizes(source: Mapping[str, np.ndarray]) -> bool:
    """Says whether cleaned names are those of a ResNet of bottlenecks."""
    return {"conv1.weight", "layer1.0.conv3.weight"} <= source.keys()


def find_backbones(params: Mapping[str, Any]) -> list[str]:
    """Returns the paths, with a closing ``/``, of the ResNets among parameters."""
    end = "res1_1/conv3/kernel"
    return [path.removesuffix(end) for path in params if path.endswith(end)]


def key_map(
    source: Mapping[str, np.ndarray],
    params: Mapping[str, Any],
) -> KeyMap:
    """Makes the rules that fill every ResNet among the parameters.

    The classifier is filled where it has the file's classes; otherwise it is fresh, as
    everything outside the backbones is.

    Args:
      source: a cleaned state dict.
      params: parameters and running statistics by path.

    Raises:
      WeightsError: nothing in the model matches.
    """
    roots = find_backbones(params)
    made = [rule for root in roots for rule in _rules(root, params)]
    # A classifier without a bias is none of ours.
    made += rules.heads(source, params, ("fc",) if "fc.bias" in source else ())
    left_out = r"(fc|new_fc)\.|.*\.num_batches_tracked$"
    return rules.key_map(
        NAMES[0], source, params, roots, made, left_out, "ResNet", resize
    )


def _rules(root: str, params: Mapping[str, Any]) -> list[Rule]:
    """Rules of one backbone: its stems, and whatever its units have."""
    made = _pair(f"{root}conv1", f"{root}norm1", "conv1", "bn1", params)
    further = re.compile(re.escape(root) + r"conv1_\d+/kernel$")  # of other channels
    for path in filter(further.match, params):
        made.append(Rule(path, ("conv1.weight",), lambda x: _kernel(x, ())))
    unit = re.compile(re.escape(root) + r"res(\d+)_(\d+)/conv1/kernel$")
    for found in filter(None, map(unit.match, params)):
        ours = found[0].removesuffix("conv1/kernel")
        theirs = f"layer{found[1]}.{int(found[2]) - 1}."
        for (conv, norm), (their_conv, their_norm) in _LAYERS.items():
            if f"{ours}{conv}/kernel" in params:
                made += _pair(
                    ours + conv,
                    ours + norm,
                    theirs + their_conv,
                    theirs + their_norm,
                    params,
                )
        if f"{ours}after_first/global_1/kernel" in params:
            made += _adaptive(f"{ours}after_first/", f"{theirs}tam.")
    return made


def _adaptive(ours: str, theirs: str) -> list[Rule]:
    """Rules of a temporal adaptive module: its local convolutions are dense layers."""
    local = Rule(
        f"{ours}local_1/kernel",
        (f"{theirs}L.0.weight",),
        lambda x: einops.rearrange(x, "o i k -> (k i) o"),
    )
    last = Rule(
        f"{ours}local_2/kernel",
        (f"{theirs}L.3.weight",),
        lambda x: einops.rearrange(x, "o i 1 -> i o"),
    )
    return [
        *rules.dense(f"{ours}global_1", f"{theirs}G.0", bias=False),
        *rules.batch_norm(f"{ours}global_norm", f"{theirs}G.1"),
        *rules.dense(f"{ours}global_2", f"{theirs}G.3", bias=False),
        local,
        *rules.batch_norm(f"{ours}local_norm", f"{theirs}L.1"),
        last,
    ]


def _pair(
    conv: str, norm: str, their_conv: str, their_norm: str, params: Mapping[str, Any]
) -> list[Rule]:
    """Rules of a convolution and the norm behind it."""
    path = f"{conv}/kernel"
    shape = tuple(params[path].shape)
    kernel = Rule(path, (f"{their_conv}.weight",), lambda x: _kernel(x, shape))
    return [kernel, *rules.batch_norm(norm, their_norm)]


def _kernel(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Torch keeps ``[o i h w]``, of a convolution in time ``[o i t h w]``.

    Args:
      array: the file's kernel.
      shape: ours: ``[h w i o]``, ``[i o]`` or, along time, ``[t i o]``.
    """
    if array.ndim == 5 and array.shape[2] == 1:
        array = array[:, :, 0]
    pointwise = array.shape[-2:] == (1, 1)
    if array.ndim == 5 and pointwise:
        return einops.rearrange(array, "o i t 1 1 -> t i o")
    if array.ndim != 4:
        return array  # of no form we have: the shapes will be reported
    if not pointwise:
        return einops.rearrange(array, "o i h w -> h w i o")
    kernel = einops.rearrange(array, "o i 1 1 -> i o")
    if len(shape) == 3:
        return einops.repeat(kernel / shape[0], "i o -> t i o", t=shape[0])
    return kernel


def resize(target: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """Fits a first convolution ``[h w 3 o]`` to another number of channels.

    Returns:
      The mean over RGB, repeated, or None where this does not apply.
    """
    fits = array.ndim == len(shape) == 4 and array.shape[2] == 3
    if not fits or (*array.shape[:2], array.shape[3]) != (*shape[:2], shape[3]):
        return None
    mean = array.astype(np.float32).mean(axis=2)
    return einops.repeat(mean, "h w o -> h w c o", c=shape[2])
