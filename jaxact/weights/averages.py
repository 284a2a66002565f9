"""Averages of weights over training (EMA): which of a file's two copies is taken.

Training scripts keep them beside the weights, under keys or names of their own. A plain
path takes the weights that a file calls so, or its averages if it has nothing else;
``FILE#ema`` takes the averages. Which it was is always said.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxact.weights.keymap import WeightsError

SUFFIX = "#ema"
# Keys of a whole state dict of averages: timm, DeiT and VideoMAE, BasicSR, others.
KEYS = (
    *("state_dict_ema", "model_ema", "ema_state_dict", "model_ema_state_dict"),
    *("ema_model", "ema_model_state_dict", "params_ema", "ema"),
    *("model_state_ema", "ema_weights"),
)
# What stands before the names of averages among those of weights, and in its place.
_BEFORE = {
    "model_ema.": "model.",
    "ema_model.": "model.",
    "ema.": "",
    "ema_params/": "params/",
}
# mmcv names the average of a.b.c ema_a_b_c.
_MMCV = "ema_"


def of_tree(
    tree: Mapping[str, Any], wanted: bool, plain: Mapping[str, Any] | None
) -> tuple[Mapping[str, Any] | None, str]:
    """Chooses between a checkpoint's weights and their averages by its keys.

    Args:
      tree: of the checkpoint.
      wanted: whether the averages are asked for.
      plain: the weights that were found in it, if any.

    Returns:
      The chosen one, None if there are no averages and no weights, and what to say.
    """
    keys = [key for key in KEYS if isinstance(tree.get(key), Mapping)]
    if not keys:
        return plain, ""
    key = keys[0]
    if key == "ema_state_dict" and plain is not None and "meta" in tree:
        # mmengine exchanges the two whenever it saves.
        if wanted:
            return plain, "mmengine stores the averages (EMA) as state_dict: taken."
        return plain, (
            "state_dict is taken, where mmengine stores the averages (EMA) of weights."
        )
    if wanted or plain is None:
        return tree[key], f"The averages (EMA) of weights under {key!r} are taken."
    return plain, (
        f"The file holds averages (EMA) of weights, too, under {key!r}; they are left "
        f"out. FILE{SUFFIX} takes them."
    )


def of_names(
    arrays: Mapping[str, np.ndarray], wanted: bool
) -> tuple[dict[str, np.ndarray], str]:
    """Chooses between weights and their averages by the names of a state dict.

    Returns:
      The arrays of one of them, under the names of weights, and what to say.

    Raises:
      WeightsError: the averages are asked for, but there are none.
    """
    copies = _copies(arrays)
    of_torch = "n_averaged" in arrays  # torch.optim.swa_utils.AveragedModel
    kept = {
        name: array
        for name, array in arrays.items()
        if name not in copies and name != "n_averaged"
    }
    said = "The weights are averages (AveragedModel)." if of_torch else ""
    if not copies:
        if wanted and not of_torch:
            raise WeightsError(f"it holds no averages of weights, which {SUFFIX} asks.")
        return kept, said
    averages = {copies[name]: arrays[name] for name in copies}
    example = next(iter(copies))
    floats = {n for n, a in kept.items() if a.dtype.kind not in "iub"}
    if wanted or not floats:
        text = f"The averages (EMA) of weights, as {example!r}, are taken."
        # Counters and the like are not averaged.
        return {n: a for n, a in kept.items() if n not in floats} | averages, text
    return kept, (
        f"The file holds averages (EMA) of weights, too, as {example!r}; they are left "
        f"out. FILE{SUFFIX} takes them."
    )


def _copies(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Returns the names of averages, and the names of what they are averages of."""
    for before, instead in _BEFORE.items():
        found = {
            name: instead + name.removeprefix(before)
            for name in arrays
            if name.startswith(before)
        }
        if found:
            return found
    plain = {
        _MMCV + re.sub(r"\.", "_", n): n for n in arrays if not n.startswith(_MMCV)
    }
    found = {name: plain[name] for name in arrays if name in plain}
    if found:
        return found
    if arrays and all(name.startswith(_MMCV) for name in arrays):
        return {name: name.removeprefix(_MMCV) for name in arrays}
    return {}
