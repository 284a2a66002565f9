"""ONNX by `jax2onnx`, from forms that it is known to hold; run by ONNX Runtime."""

import logging
import pathlib
import warnings
from collections.abc import Callable
from typing import Any

import jax

from jaxact.export.serving import Served, Streams

FILE = "model.onnx"


def write(
    folder: pathlib.Path, served: Served, variables: Any, batch: int | None
) -> None:
    """Writes the file; ``batch``: the number of clips of a call, None: any.

    More than 2 GB of weights stand in a second file beside it.
    """
    import jax2onnx

    size: Any = jax.export.symbolic_shape("b")[0] if batch is None else batch
    names = list(served.inputs)

    def serve(*streams: Any) -> Any:
        found = served(variables, dict(zip(names, streams, strict=True)))
        return tuple(found[name] for name in served.outputs)

    logging.getLogger("onnx_ir").setLevel(logging.ERROR)  # of names of inner shapes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jax2onnx asks JAX for float64 and has none
        jax2onnx.to_onnx(
            serve,
            [
                jax.ShapeDtypeStruct((size, *x.shape), x.dtype)
                for x in served.inputs.values()
            ],
            model_name="jaxact",
            return_mode="file",
            output_path=str(folder / FILE),
            input_names=names,
            output_names=list(served.outputs),
        )


def read(folder: pathlib.Path) -> Callable[[Streams], Any]:
    """Returns the function that was written."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        str(folder / FILE), providers=["CPUExecutionProvider"]
    )
    outputs = [output.name for output in session.get_outputs()]

    def call(streams: Streams) -> Any:
        found = session.run(outputs, dict(streams))
        return dict(zip(outputs, found, strict=True))

    return call
