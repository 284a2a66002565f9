"""Writes a trained model in a format of others, loads it again, compares, keeps it.

What is kept has said of the same clips what the model itself says; what has not is
removed, and nothing half-written stays.
"""

import dataclasses
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxact
from jaxact import errors
from jaxact.config import Experiment
from jaxact.export import (
    describe,
    limits,
    serving,
    to_onnx,
    to_stablehlo,
    to_tensorflow,
)
from jaxact.export.serving import LOGITS, Served, Streams
from jaxact.report import output

DESCRIPTION = "model.json"
VERSION = 1
# Of logits, relative to the largest of them where that is more than 1.
TOLERANCE = 1e-4
_ELSE = "stablehlo holds every model; docs/export.md says which formats hold which."


@dataclasses.dataclass(frozen=True)
class Format:
    """A format, and what it takes to write it.

    Attributes:
      about: what it is, who runs it.
      write: (folder, function, variables, batch) -> None; batch None is any number.
      read: folder -> (streams -> outputs).
      needs: modules, and which command installs them.
      any_batch: whether a call may have any number of clips.
      portable: whether it lacks operations, see `jaxact.devices.platform.PORTABLE`.
      lacks: what it is known not to hold even then.
    """

    about: str
    write: Callable[[pathlib.Path, Served, Any, int | None], None]
    read: Callable[[pathlib.Path], Callable[[Streams], Any]]
    needs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    any_batch: bool = True
    portable: bool = True
    lacks: tuple[limits.Limit, ...] = ()


_TENSORFLOW = {"tensorflow": "pip install tensorflow"}
# jax2onnx's own requirements hold Orbax below the version that this library needs.
_ONNX = {
    "onnxruntime": 'pip install -e ".[onnx]"',
    "onnx": 'pip install -e ".[onnx]"',
    "jax2onnx": 'pip install -e ".[onnx]" && pip install --no-deps jax2onnx==0.17.1',
}
FORMATS: dict[str, Format] = {
    "stablehlo": Format(
        "one file for CPU, CUDA and TPU, which JAX runs without this library",
        to_stablehlo.write,
        to_stablehlo.read,
        portable=False,
    ),
    "savedmodel": Format(
        "a folder for TensorFlow and TensorFlow Serving",
        to_tensorflow.write_savedmodel,
        to_tensorflow.read_savedmodel,
        _TENSORFLOW,
    ),
    "tflite": Format(
        "one file for LiteRT, on telephones and small computers",
        to_tensorflow.write_tflite,
        to_tensorflow.read_tflite,
        _TENSORFLOW,
        any_batch=False,
        lacks=limits.TFLITE,
    ),
    "onnx": Format(
        "one file for ONNX Runtime, TensorRT and OpenVINO",
        to_onnx.write,
        to_onnx.read,
        _ONNX,
        lacks=limits.ONNX,
    ),
}


def check_installed(name: str) -> None:
    """Asks for what a format needs before anything is computed.

    Raises:
      UserError: a package is missing; the message has the command that installs it.
    """
    for module, command in FORMATS[name].needs.items():
        if importlib.util.find_spec(module) is None:
            raise errors.UserError(
                f"The format {name} needs {module}, which is not installed: {command}"
            )


@dataclasses.dataclass(frozen=True)
class Written:
    """What became of an export.

    Attributes:
      folder: where it lies.
      batch: of a call; None: any.
      difference: the largest of logits, relative to the largest logit if that is > 1.
      note: why the batch is fixed, where the format could have any.
    """

    folder: pathlib.Path
    batch: int | None
    difference: float
    note: str


def export(
    name: str,
    out: pathlib.Path,
    experiment: Experiment,
    variables: Any,
    labels: Sequence[str],
    clips: Streams,
    origin: str,
    batch: int = 1,
    tolerance: float = TOLERANCE,
) -> Written:
    """Exports a model, and compares what was written with it.

    Args:
      name: of `FORMATS`.
      out: folder, not there yet, or empty.
      variables: "params" and "batch_stats".
      labels: the classes' names.
      clips: the model's streams, [k ...], on which both are asked.
      origin: which clips these are, for a person.
      batch: clips of a call, in formats with a fixed number.
      tolerance: the most by which logits may differ, see `Written.difference`.

    Raises:
      UserError: the format does not hold the model, or says something else; a package
        is missing; nothing can be written there.
    """
    chosen = FORMATS[name]
    check_installed(name)
    if out.is_dir() and any(out.iterdir()):
        raise errors.UserError(
            f"{out} is there already and not empty; it stays as it is. Remove it, or "
            "choose another folder with --out."
        )
    # On one device, and no arrays of NumPy, which take no index that is traced.
    variables = jax.tree.map(jnp.asarray, jax.device_get(variables))
    served = serving.serve(experiment, variables, chosen.portable)
    of_call = 2 if chosen.any_batch else batch
    if lacking := limits.first(served, variables, chosen.lacks, of_call):
        raise errors.UserError(
            f"The format {name} has no {lacking}, which this model needs; nothing was "
            f"converted. {_ELSE}"
        )
    expected = serving.logits_of_jax(experiment, variables, clips)
    half = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    with output.writing(out):
        try:
            size, note, found = _write(name, half, served, variables, batch, clips)
            difference = difference_of(found[LOGITS], expected)
            _check(name, difference, found[LOGITS], expected, tolerance, origin)
            facts = {
                **_described(name, experiment, served, size, labels),
                "check": {
                    "clips": f"{len(expected)} {origin}",
                    "difference": difference,
                    "tolerance": tolerance,
                },
            }
            text = json.dumps(facts, indent=1, allow_nan=False)
            output.write(half / DESCRIPTION, text.encode())
            if out.is_dir():
                out.rmdir()
            half.rename(out)
        finally:
            shutil.rmtree(half, ignore_errors=True)
    return Written(out, size, difference, note)


def _write(
    name: str,
    folder: pathlib.Path,
    served: Served,
    variables: Any,
    batch: int,
    clips: Streams,
) -> tuple[int | None, str, dict[str, np.ndarray]]:
    """Writes for any number of clips where that can be, else for ``batch``.

    Returns the number of clips of a call, why it is fixed, and what was answered.
    """
    chosen, note = FORMATS[name], ""
    for size in (None, batch) if chosen.any_batch else (batch,):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            chosen.write(folder, served, variables, size)
            return size, note, run(chosen.read(folder), clips, size)
        except OSError:
            raise
        except Exception as error:  # converters and runtimes raise almost anything
            note = f"any number of clips was refused: {errors.first_line(error)}"
            cause = error
    raise errors.UserError(
        f"The format {name} does not hold this model ({errors.first_line(cause)}). "
        f"{_ELSE}"
    ) from cause


def run(
    call: Callable[[Streams], Any], clips: Streams, batch: int | None
) -> dict[str, np.ndarray]:
    """Asks an exported function about clips, ``batch`` at a time."""
    count = len(next(iter(clips.values())))
    parts = [call(part) for part in _chunks(clips, count, batch or count)]
    return {
        name: np.concatenate([np.asarray(part[name]) for part in parts])[:count]
        for name in parts[0]
    }


def _chunks(clips: Streams, count: int, size: int) -> Iterator[dict[str, Any]]:
    """Cuts clips into parts of one size; the last is filled with the first clips."""
    for start in range(0, count, size):
        rows = np.arange(start, start + size) % count
        yield {name: np.asarray(stream)[rows] for name, stream in clips.items()}


def difference_of(found: np.ndarray, expected: np.ndarray) -> float:
    """Returns the largest difference, relative to the largest value if that is > 1."""
    return float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))


def _check(
    name: str,
    difference: float,
    found: np.ndarray,
    expected: np.ndarray,
    tolerance: float,
    origin: str,
) -> None:
    if difference <= tolerance:
        return
    same = (found.argmax(1) == expected.argmax(1)).sum()
    raise errors.UserError(
        f"What was written as {name} says something else: on {len(expected)} {origin} "
        f"its logits differ by {difference:.1e}, more than {tolerance:.0e} (relative "
        f"to the largest); {same} have the same first class. It was removed. Export in "
        "another format, or, if you know why, allow more with --tolerance."
    )


def _described(
    name: str,
    experiment: Experiment,
    served: Served,
    batch: int | None,
    labels: Sequence[str],
) -> dict[str, Any]:
    """Returns what stands in model.json, for programs that run the model."""
    outputs = {
        key: {"shape": list(x.shape), "dtype": np.dtype(x.dtype).name}
        for key, x in served.outputs.items()
    }
    packages = ("jax", "jaxlib", *FORMATS[name].needs)
    return {
        "format": "jaxact export",
        "format_version": VERSION,
        "kind": name,
        "name": experiment.name,
        "batch": batch,
        "inputs": describe.inputs_of(experiment),
        "outputs": outputs,
        "labels": list(map(str, labels)),
        **describe.preprocessing_of(experiment),
        "versions": {"jaxact": jaxact.__version__} | _versions(packages),
    }


def _versions(packages: Sequence[str]) -> dict[str, str]:
    owners = importlib.metadata.packages_distributions()
    names = {package: owners.get(package, [package])[0] for package in packages}
    return {k: importlib.metadata.version(name) for k, name in names.items()}
