"""What a model takes and says, in words and numbers for programs without this library.

Stands in a model folder's config.json and beside every exported model.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxact.batch import STREAMS
from jaxact.config import Experiment, leaves

_AXES = {"video": "t h w c", "joints": "m t v c"}
_VALUES = {
    "uint8": "intensities, 0 to 255",
    "int16": "differences of successive frames' intensities, -255 to 255",
    "uint16": "distances in millimetres, 0 where nothing was measured",
    "float32": "metres: x to the side, y upward, z away from the camera",
}
# Fields of a data config that say which frames and places of a clip a model is shown,
# and of how many such views evaluation averages the scores.
_SAMPLING = (
    "window",
    "test_resize",
    "test_skeleton_crop",
    "shared_time",
    "shared_crop",
    "eval_views_time",
    "eval_views_space",
    "eval_flip",
)


def inputs_of(experiment: Experiment) -> dict[str, dict[str, Any]]:
    """Returns shape, axes, dtype and meaning of each stream of one clip, in order."""
    return {
        name: {
            "shape": list(spec.shape),
            "axes": _AXES[STREAMS[name].kind] if name in STREAMS else "",
            "dtype": np.dtype(spec.dtype).name,
            "values": _VALUES.get(np.dtype(spec.dtype).name, ""),
        }
        for name, spec in experiment.model.inputs().items()
    }


def preprocessing_of(experiment: Experiment) -> dict[str, Any]:
    """Returns how clips are sampled, and what the model itself does with their values.

    ``normalisation`` (mean, deviation; of intensities in [0, 1]) is part of the model:
    it takes values as they are.
    """
    inside = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in leaves(experiment.model)
        if re.search(r"(^|\.)(mean|std)$", key)
    }
    outside = {
        name: getattr(experiment.data, name)
        for name in _SAMPLING
        if hasattr(experiment.data, name)
    }
    return {"sampling": outside, "normalisation": inside}


def table(rows: Sequence[Sequence[Any]], heads: Sequence[str]) -> str:
    """Returns a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def inputs_table(inputs: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the streams as a table in Markdown."""
    rows = [
        [f"`{name}`", x["dtype"], f"`[{x['axes']}]`", _times(x["shape"]), x["values"]]
        for name, x in inputs.items()
    ]
    return table(rows, ["stream", "type", "axes", "size", "values"])


def _times(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
