"""A folder of checkpoints as it lies on the disk: steps, metadata, metrics.

A step's folder holds ``meta/metadata``, JSON sealed by a digest: "meta" (what the run
says of itself) and "arrays", their fingerprints; of earlier versions "metrics", too.
"""

import contextlib
import hashlib
import itertools
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from jaxact import errors, model_folder
from jaxact.devices import distributed

# In a step's folder, once it is evaluated.
METRICS_FILE = "evaluation.json"


def find(
    path: pathlib.Path | str, which: str = "last", metric: str = "top1"
) -> tuple[pathlib.Path, int]:
    """Finds a checkpoint from what a person typed.

    Args:
      path: a run's folder, its ``checkpoints`` folder, one step's folder, or a model
        folder, see `jaxact.model_folder`.
      which: "best" or, whatever else it says, the last, where the path is no step.
      metric: by which one is best.

    Returns:
      (folder of checkpoints or model folder, step).

    Raises:
      UserError: there is none.
      ConfigError: it is a model folder, and damaged.
    """
    path = pathlib.Path(path).absolute()
    found = distributed.broadcast_from_main(_find(path, which, metric))
    if found is not None:
        return pathlib.Path(found[0]), found[1]
    raise errors.UserError(
        f"There is no checkpoint in {path}. Give the folder of a run (it contains "
        "checkpoints/), or of one step (checkpoints/STEP); `python train.py --config "
        "FILE` makes one."
    )


def step_folder(folder: pathlib.Path, step: int) -> pathlib.Path:
    """Returns where a step lies: a model folder holds but one."""
    return folder if model_folder.is_ours(folder) else folder / str(step)


def _find(path: pathlib.Path, which: str, metric: str) -> tuple[str, int] | None:
    """`find` as this process sees it."""
    if model_folder.is_ours(path):
        return str(path), model_folder.read(path)["step"]
    if (path / "state").is_dir() and path.name.isdecimal():
        return str(path.parent), int(path.name)
    folder = path / "checkpoints" if (path / "checkpoints").is_dir() else path
    steps = steps_in(folder)
    if not steps:
        return None
    found = best({step: read_metrics(folder, step) for step in steps}, metric)
    return str(folder), found if which == "best" and found is not None else steps[-1]


def steps_in(folder: pathlib.Path) -> list[int]:
    """Returns the steps that this process sees, in order."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal())


def read_sealed(folder: pathlib.Path, step: int) -> dict[str, Any]:
    """Returns "meta", "arrays" and "metrics", which earlier versions kept there.

    Raises:
      ValueError, OSError: it is damaged.
    """
    sealed = json.loads((folder / str(step) / "meta" / "metadata").read_text())
    if "digest" not in sealed and "step" in sealed:  # of an earlier version
        sealed = {"meta": sealed, "arrays": None}
    elif sealed.pop("digest", None) != digest_of(sealed):
        raise ValueError("its metadata are not those that were stored")
    return {"metrics": sealed["meta"].get("metrics", {})} | sealed


def digest_of(meta: Mapping[str, Any]) -> str:
    """Returns the checksum of what JSON gives back as it was."""
    return hashlib.sha256(json.dumps(meta, sort_keys=True).encode()).hexdigest()


def read_metrics(folder: pathlib.Path, step: int) -> dict[str, float]:
    """Returns a step's metrics; none where they cannot be read."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        found = json.loads((folder / str(step) / METRICS_FILE).read_text())
        return {str(name): float(value) for name, value in found.items()}
    with contextlib.suppress(Exception):  # whatever it is, it is not the best one
        return read_sealed(folder, step)["metrics"]
    return {}


def evaluated_split(folder: pathlib.Path, step: int) -> str:
    """Returns the split on which training evaluated a step; "": it does not say."""
    with contextlib.suppress(Exception):
        return str(read_sealed(folder, step)["meta"].get("split", ""))
    return ""


def values_of(folder: pathlib.Path, step: int) -> dict[str, str]:
    """Returns how the raw values of a step's streams became pictures; {}: unsaid."""
    with contextlib.suppress(Exception):
        if model_folder.is_ours(folder):
            found = model_folder.read(folder)["values"]
        else:
            found = read_sealed(folder, step)["meta"]["values"]
        return {str(stream): str(text) for stream, text in found.items()}
    return {}


def best(known: Mapping[int, Mapping[str, float]], metric: str) -> int | None:
    """Returns the step whose metric is highest, the latest of equals."""
    ranked = [(found[metric], step) for step, found in known.items() if metric in found]
    return max(ranked)[1] if ranked else None


def free_name(path: pathlib.Path) -> pathlib.Path:
    """Returns the path, or the first of PATH.2, PATH.3... that is not taken."""
    name = path.name
    others = (path.with_name(f"{name}.{n}") for n in itertools.count(2))
    while path.exists():
        path = next(others)
    return path
