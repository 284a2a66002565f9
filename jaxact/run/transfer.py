"""Weights of other runs as a start: which array goes where, strictly, with a report.

A run of the same model gives everything; one of other classes everything but its heads;
one of another model its backbones; a finished network is the teacher of a model that
has one. Several runs give each what the others do not have:
a model of two streams starts from two models of one. What was loaded, resized, left
fresh and left over is said for each.
"""

import dataclasses
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import einops
import numpy as np
from flax import traverse_util

from jaxact import errors, model_folder
from jaxact.backbones import public_weights
from jaxact.checkpoints import files, folder_weights, manager
from jaxact.weights import readers
from jaxact.weights.keymap import Report, check_finite

_HEAD = re.compile(r"(^|/)((\w*_)?head(_\w+)?|\w+_heads)/")
# RGB is what public weights know: other streams start from it where they are not there.
_STREAM = re.compile(r"(?<=_)(rgb_diff|ir|depth)(?=/)")
_EMBED = re.compile(r"patch_embed_\d+(?=/)")
_TAUGHT = re.compile(r"^head/")  # of a network that teaches
_SHOWN = 5  # differences in an error


@dataclasses.dataclass(frozen=True)
class Start:
    """Where weights come from, and what became of them.

    Attributes:
      params, batch_stats: nested, as the model has them.
      reports: of each source.
      whole: everything but heads was asked for, and loaded.
    """

    params: Any
    batch_stats: Any
    reports: list[Report]
    whole: bool


def sources(init_from: str) -> list[str]:
    """Returns the paths of ``train.init_from``: one, or several with commas between."""
    if pathlib.Path(init_from).exists():
        return [init_from]
    return [path for path in map(str.strip, init_from.split(",")) if path]


def start_from(init_from: str, part: str, params: Any, batch_stats: Any) -> Start:
    """Fills a model's variables from runs and files of public weights.

    Args:
      init_from: a path, or several with commas between.
      part: of a run, see `TrainConfig.init_part`; several runs give what no two have,
        and no heads.
      params, batch_stats: of the model, nested; what is fresh keeps these values.

    Raises:
      UserError: a source cannot be read or does not fit, gives nothing, or two give the
        same.
    """
    flat = [traverse_util.flatten_dict(tree, sep="/") for tree in (params, batch_stats)]
    target = flat[0] | flat[1]  # a layer's statistics have names of their own
    paths, reports = sources(init_from), []
    filled: dict[str, Any] = {}
    for path in paths:
        if _is_run(pathlib.Path(path)):
            arrays, name = _stored(path)
            new, report = convert(arrays, target, part, name, several=len(paths) > 1)
        else:
            new, report = _public(path, params, batch_stats)
        if both := sorted(filled.keys() & new.keys()):
            raise errors.UserError(
                f"{_listed(both)}: several of {', '.join(paths)} give this. Of several "
                "sources of train.init_from each must give parts of its own."
            )
        filled |= new
        reports.append(report)
    fresh = target.keys() - filled.keys()
    if lost := [path for path in fresh if part == "backbone" and module_of(path)]:
        raise errors.UserError(
            f"{_listed(lost)}: none of {', '.join(paths)} has this backbone. Add a run "
            "that has it to train.init_from, with a comma between."
        )
    if len(paths) > 1:
        check_modules(filled.keys(), fresh, init_from)
        for report in reports:  # fresh is what no source fills
            report.fresh = {p: s for p, s in report.fresh.items() if p in fresh}
    result = target | filled
    new_params, new_stats = (
        traverse_util.unflatten_dict({p: result[p] for p in one}, sep="/")
        for one in flat
    )
    whole = part != "backbone" and all(_HEAD.search(path) for path in fresh)
    return Start(new_params, new_stats, reports, whole)


def convert(
    arrays: Mapping[str, np.ndarray],
    target: Mapping[str, Any],
    part: str,
    name: str,
    several: bool = False,
) -> tuple[dict[str, np.ndarray], Report]:
    """Takes the part of a run's arrays that fills the part of a model.

    Args:
      arrays: of the run, by path.
      target: of the model, by path; their shapes and dtypes count.
      part: see `TrainConfig.init_part`.
      name: of the run, for the report.
      several: whether other sources fill what this one does not have.

    Returns:
      The arrays that fill parts of the model, and the report.

    Raises:
      UserError: names or shapes do not match, or an array is not finite.
    """
    if part == "teacher":
        arrays = {_TAUGHT.sub("teacher_head/", p): a for p, a in arrays.items()}
    wanted = {p for p in target if in_part(p, part, several)}
    # A teacher is taken whole.
    mine = {p for p in arrays if part == "teacher" or in_part(p, part, several)}
    report, result, problems, used = Report(name), {}, [], set()
    for path in sorted(wanted):
        source = _source(path, arrays)
        if source is None:
            if not several:
                problems.append(
                    f"  {path}: checkpoint missing, model {_shape(target, path)}"
                )
            continue
        used.add(source)
        shape, array = tuple(target[path].shape), arrays[source]
        fitted = array if array.shape == shape else fit_channels(path, array, shape)
        if fitted is None:
            problems.append(f"  {path}: checkpoint {array.shape}, model {shape}")
            continue
        check_finite(f"{name}: {source}", array)
        (report.loaded if fitted is array else report.resized)[path] = shape
        result[path] = fitted.astype(target[path].dtype)
    # Backbones of streams that this model does not have are no mistake.
    own = {module_of(path) for path in (*wanted, *used)}
    for path in sorted(arrays.keys() - used):
        report.unused[path] = tuple(arrays[path].shape)
        if (
            path in mine
            and not several
            and (part != "backbone" or module_of(path) in own)
        ):
            problems.append(f"  {path}: checkpoint {arrays[path].shape}, model missing")
    report.fresh = {p: tuple(target[p].shape) for p in target if p not in result}
    if problems:
        raise _misfit(name, problems, part)
    if not result:
        raise errors.UserError(
            f"{name} has nothing that this model has, its heads aside."
        )
    return result, report


def in_part(path: str, part: str, several: bool) -> bool:
    """Says whether a variable belongs to a part; see `TrainConfig.init_part`."""
    if part == "backbone":
        return bool(module_of(path))
    if part == "teacher":
        return bool(module_of(path)) or path.startswith("teacher_head/")
    return part == "all" and not several or not _HEAD.search(path)


def module_of(path: str) -> str:
    """Returns the path down to the first name that begins with backbone; "": none."""
    names = path.split("/")
    found = [i for i, name in enumerate(names, 1) if name.startswith("backbone")]
    return "/".join(names[: found[0]]) if found else ""


def check_modules(filled: Any, fresh: Any, where: str) -> None:
    """Checks that no module is filled in part.

    Raises:
      UserError: one is, which would be a mixture of two models.
    """
    modules = {module_of(path) or path.split("/")[0] for path in filled}
    if half := sorted(p for p in fresh if (module_of(p) or p.split("/")[0]) in modules):
        raise errors.UserError(
            f"{_listed(half)}: no run of {where} has this, but the rest of the module. "
            "Give the runs' own values of model."
        )


def fit_channels(
    path: str, array: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray | None:
    """Fits a first layer that sees RGB to another number of channels.

    Returns:
      The mean over RGB, repeated (as TSN starts its difference stream), or None where
      the array is no kernel ``[... 3 o]`` or ``[(p q 3) d]`` of a patch embedding.
    """
    if not path.endswith("kernel") or array.ndim != len(shape):
        return None
    x = array.astype(np.float32)
    patches, rest = divmod(len(x), 3)
    if "patch_embed" in path and x.ndim == 2 and not rest and not shape[0] % patches:
        if x.shape[1] != shape[1]:
            return None
        mean = einops.reduce(x, "(pq c) d -> pq d", "mean", c=3)
        return einops.repeat(mean, "pq d -> (pq c) d", c=shape[0] // patches)
    fits = x.ndim in (4, 5) and x.shape[-2] == 3
    if not fits or (*x.shape[:-2], x.shape[-1]) != (*shape[:-2], shape[-1]):
        return None
    return einops.repeat(x.mean(axis=-2), "... o -> ... c o", c=shape[-2])


def _is_run(folder: pathlib.Path) -> bool:
    """Whether a folder is of runs, or a model of one: of public weights it is not."""
    if model_folder.is_ours(folder):
        return True
    of_run = (folder / "checkpoints").is_dir() or not readers.in_folder(folder)
    return folder.is_dir() and of_run


def _source(path: str, arrays: Mapping[str, Any]) -> str | None:
    """Returns the array that fills a path: its own, or that of the RGB stream."""
    for name in (path, _STREAM.sub("rgb", path), _EMBED.sub("patch_embed", path)):
        if name in arrays:
            return name
    return None


def _stored(path: str) -> tuple[dict[str, np.ndarray], str]:
    """Returns a run's arrays by path, and what to call it."""
    folder, step = files.find(path)
    if model_folder.is_ours(folder):
        arrays = folder_weights.read(folder)
        return {n.partition("/")[2]: a for n, a in arrays.items()}, path
    source = manager.Checkpoints(folder, read_only=True)
    try:
        tree = source.read_arrays(step)
    finally:
        source.close()
    flat = (traverse_util.flatten_dict(t, sep="/") for t in tree.values())
    return {n: a for one in flat for n, a in one.items()}, f"{path}, step {step}"


def _public(path: str, params: Any, batch_stats: Any) -> tuple[dict[str, Any], Report]:
    new = public_weights.initialize_from(path, params, batch_stats)
    flat = (traverse_util.flatten_dict(tree or {}, sep="/") for tree in new[:2])
    every = {n: a for one in flat for n, a in one.items()}
    report = new[2]
    return {n: every[n] for n in (*report.loaded, *report.resized)}, report


def _misfit(name: str, problems: Sequence[str], part: str) -> errors.UserError:
    rest = len(problems) - _SHOWN
    shown = [*problems[:_SHOWN], *([f"  and {rest} more"] if rest > 0 else [])]
    heads = all(_HEAD.search(line.split(":")[0].strip()) for line in problems)
    cure = {
        True: "Only heads differ, as with other classes. To keep everything else, add "
        "--config.train.init_part=all_but_heads; to keep the backbone alone, "
        "--config.train.init_part=backbone.",
        False: "Give the config (and the overrides) it was trained with (the run's "
        "config.txt), or, if the backbone is the same, start from it alone with "
        "--config.train.init_part=backbone.",
    }[heads and part == "all"]
    if part == "backbone":
        cure = (
            "Its backbone is another one: give the config (and the overrides) it was "
            "trained with, which the run's config.txt tells, or start from another run."
        )
    if part == "teacher":
        cure = (
            "With train.init_part=teacher a whole network becomes the model's "
            "teacher: its backbone, and its one head as teacher_head (a baseline "
            "with fusion=add, of the same streams, sizes and classes)."
        )
    return errors.UserError(
        f"{name} is a checkpoint of another model; these differ:\n"
        + "\n".join(shown)
        + f"\n{cure}"
    )


def _shape(target: Mapping[str, Any], path: str) -> tuple[int, ...]:
    return tuple(target[path].shape)


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{sorted(paths)[0]}{more}"
