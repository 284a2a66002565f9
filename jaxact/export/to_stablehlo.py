"""StableHLO by `jax.export`: one file for CPU, CUDA and TPU, run by JAX without us."""

import functools
import pathlib
from collections.abc import Callable
from typing import Any

import jax

from jaxact.export.serving import Served, Streams

FILE = "model.stablehlo"
PLATFORMS = ("cpu", "cuda", "tpu")


def write(
    folder: pathlib.Path, served: Served, variables: Any, batch: int | None
) -> None:
    """Writes the file; ``batch``: the number of clips of a call, None: any."""
    size: Any = jax.export.symbolic_shape("b")[0] if batch is None else batch
    specs = {
        name: jax.ShapeDtypeStruct((size, *x.shape), x.dtype)
        for name, x in served.inputs.items()
    }
    function = jax.jit(functools.partial(served, variables))
    exported = jax.export.export(function, platforms=PLATFORMS)(specs)
    (folder / FILE).write_bytes(exported.serialize())


def read(folder: pathlib.Path) -> Callable[[Streams], Any]:
    """Returns the function that was written."""
    data = bytearray((folder / FILE).read_bytes())
    exported = jax.export.deserialize(data)
    return lambda streams: exported.call(dict(streams))
