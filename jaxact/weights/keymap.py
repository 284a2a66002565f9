"""Strict renaming of foreign weights into parameters, and the report of what happened.

Every array of the source is used or listed as left out on purpose; every parameter is
filled or listed as fresh. Everything else is an error. The tables themselves stand
beside the modules they fill, for example `jaxact.backbones.timesformer_weights`.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxact.errors import UserError

_SHOWN = 8  # lines of a list in an error message


class WeightsError(UserError):
    """A weights file that cannot be used; the message says how to mend it."""


# (target, array, shape) -> the array in this shape, or None.
Resize = Callable[[str, np.ndarray, tuple[int, ...]], np.ndarray | None]


def no_resize(target: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    """Of files whose arrays must have the model's shapes: none is made to fit."""


class Rule(NamedTuple):
    """``params[target] = transform(*sources)``."""

    target: str
    sources: tuple[str, ...]
    transform: Callable[..., np.ndarray]


@dataclasses.dataclass(frozen=True)
class KeyMap:
    """How the arrays of one file become the parameters of one model.

    Attributes:
      name: of the file's kind, for people.
      rules: one for each parameter that is filled.
      ignore: arrays of the file left out on purpose.
      fresh: parameters that keep the model's own initialisation on purpose.
      resize: makes a transformed array fit ``(target, array, shape)``, or returns None
        where the sizes have nothing to do with each other.
      notes: what is to be known of such files, for people.
    """

    name: str
    rules: tuple[Rule, ...]
    ignore: frozenset[str] = frozenset()
    fresh: frozenset[str] = frozenset()
    resize: Resize = no_resize
    notes: tuple[str, ...] = ()


@dataclasses.dataclass
class Report:
    """What became of every parameter and of every array of the file."""

    source: str
    loaded: dict[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    resized: dict[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    fresh: dict[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    unused: dict[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)

    notes: list[str] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        """Three columns: what happened, to how many numbers, under which names."""
        lines = [f"Weights from {self.source}", *(f"  {note}" for note in self.notes)]
        for kind in ("loaded", "resized", "fresh", "unused"):
            shapes: dict[str, tuple[int, ...]] = getattr(self, kind)
            count = sum(math.prod(shape) for shape in shapes.values())
            names = _grouped(shapes)
            for index, name in enumerate(names or ["none"]):
                head = f"{kind:8}{count:>13,}" if index == 0 else " " * 21
                lines.append(f"  {head}  {name}")
        return "\n".join(lines)


def _grouped(names: Iterable[str]) -> list[str]:
    """Joins names that differ in one number, or in what follows the last ``/``."""
    numbers: dict[str, list[int]] = {}
    for name in names:
        found = re.search(r"\d+", name)
        pattern = re.sub(r"\d+", "{}", name, count=1)
        numbers.setdefault(pattern, []).extend([int(found[0])] if found else [])
    leaves: dict[tuple[str, str], list[str]] = {}
    for pattern, values in numbers.items():
        low, high = (min(values), max(values)) if values else (0, 0)
        span = str(low) if low == high else f"{low}..{high}"
        parent, slash, leaf = pattern.replace("{}", f"{{{span}}}").rpartition("/")
        leaves.setdefault((parent, slash), []).append(leaf)
    return [p + slash + ", ".join(each) for (p, slash), each in leaves.items()]


def strip_prefixes(
    source: Mapping[str, np.ndarray], prefixes: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Returns the arrays under their names without what wrappers put before them."""
    result = {}
    for name, array in source.items():
        while prefix := next((p for p in prefixes if name.startswith(p)), None):
            name = name.removeprefix(prefix)
        if name in result:
            raise WeightsError(
                f"The weights file has {name!r} twice, under different wrappers' names;"
                " keep one state dict in it."
            )
        result[name] = array
    return result


def check_finite(name: str, array: np.ndarray) -> None:
    """Refuses an array with NaN or infinity: nothing can be learnt from it.

    Raises:
      WeightsError: naming the array.
    """
    if array.dtype.kind in "iub":
        return
    with np.errstate(over="ignore"):  # too large for float32: infinite there
        wrong = int((~np.isfinite(array.astype(np.float32))).sum())
    if wrong:
        raise WeightsError(
            f"{name} {list(array.shape)} has {wrong} of {array.size} numbers that are "
            "NaN or infinite: it comes of a training that failed, or was damaged. Take "
            "an earlier checkpoint, or another file."
        )


def convert(
    source: Mapping[str, np.ndarray], target: Mapping[str, Any], keymap: KeyMap
) -> tuple[dict[str, np.ndarray], Report]:
    """Fills flat parameters from a flat state dict by the rules of ``keymap``.

    Args:
      source: the file's arrays by name.
      target: the model's parameters by path; shape and dtype are what counts, and
        fresh ones are returned as they are.
      keymap: the rules.

    Returns:
      All parameters by path, and the report.

    Raises:
      WeightsError: names or shapes do not match; the message lists them.
    """
    report = Report(keymap.name)
    result: dict[str, Any] = {}
    problems: list[str] = []
    left = dict(source)
    for path, sources, transform in keymap.rules:
        missing = [name for name in sources if name not in source]
        if missing or path not in target:
            absent = f"the file has no {missing[0]}" if missing else "no such parameter"
            problems.append(f"{path}: {absent}")
            continue
        for name in sources:
            left.pop(name, None)
        for name in sources:
            check_finite(name, source[name])
        array = transform(*(source[name] for name in sources))
        shape = tuple(target[path].shape)
        kept = report.loaded
        if array.shape != shape:
            resized = keymap.resize(path, array, shape)
            if resized is None:
                problems.append(
                    f"{path}: the file has {list(array.shape)}, the model {list(shape)}"
                )
                continue
            array, kept = resized, report.resized
        kept[path] = shape
        result[path] = np.ascontiguousarray(array, dtype=target[path].dtype)
    for name, array in left.items():
        report.unused[name] = array.shape
        if name not in keymap.ignore:
            problems.append(f"{name} {list(array.shape)} of the file is not used")
    ruled = {rule.target for rule in keymap.rules}
    for path, value in target.items():
        if path not in ruled:
            report.fresh[path] = tuple(value.shape)
            result[path] = value
            if path not in keymap.fresh:
                problems.append(f"{path}: nothing in the file fills it")
    if problems:
        more = len(problems) - _SHOWN
        lines = problems[:_SHOWN] + ([f"... and {more} more"] if more > 0 else [])
        raise WeightsError(
            f"The weights ({keymap.name}) do not fit the model:\n  "
            + "\n  ".join(lines)
            + "\nSet the model's width, depth, heads, patch and mlp_ratio to those of "
            "the file, or give a file of the model's size."
        )
    return {path: result[path] for path in target}, report
