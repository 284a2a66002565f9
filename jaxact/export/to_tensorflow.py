"""TensorFlow's two formats, by `jax2tf`: SavedModel, and LiteRT (tflite) made of one.

The one file of the library that names TensorFlow, inside functions: it writes what is
TensorFlow's own, and nobody who does not ask for that imports it.
"""

import contextlib
import functools
import os
import pathlib
import shutil
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from jaxact.export.serving import Served, Streams

FILE = "model.tflite"
SIGNATURE = "serving_default"


def write_savedmodel(
    folder: pathlib.Path, served: Served, variables: Any, batch: int | None
) -> None:
    """Writes a SavedModel with one signature; ``batch``: None: any number of clips."""
    import tensorflow as tf
    from jax.experimental import jax2tf

    shapes: Any = None
    if batch is None:
        shapes = [None, dict.fromkeys(served.inputs, "b, ...")]
    call = jax2tf.convert(served, polymorphic_shapes=shapes, with_gradient=False)
    module = tf.Module()
    # Variables, not constants: a graph holds no more than 2 GB.
    leaves, tree = jax.tree.flatten(jax.tree.map(np.asarray, variables))
    module.weights = [tf.Variable(leaf, trainable=False) for leaf in leaves]

    def serve(**streams: Any) -> Any:
        return call(jax.tree.unflatten(tree, module.weights), streams)

    module.serve = tf.function(serve, autograph=False)
    specs = {
        name: tf.TensorSpec((batch, *x.shape), x.dtype, name=name)
        for name, x in served.inputs.items()
    }
    signature = module.serve.get_concrete_function(**specs)
    with quiet():
        tf.saved_model.save(module, str(folder), signatures={SIGNATURE: signature})


def read_savedmodel(folder: pathlib.Path) -> Callable[[Streams], Any]:
    """Returns the function that was written."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures[SIGNATURE]

    def call(streams: Streams) -> Any:
        found = signature(**{k: tf.constant(x) for k, x in streams.items()})
        return {name: value.numpy() for name, value in found.items()}

    call.loaded = loaded  # type: ignore[attr-defined]  # its variables go with it
    return call


def write_tflite(
    folder: pathlib.Path, served: Served, variables: Any, batch: int | None
) -> None:
    """Writes one file, with a signature, for this number of clips."""
    import tensorflow as tf

    inside = folder / "savedmodel"
    write_savedmodel(inside, served, variables, batch)
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(inside), signature_keys=[SIGNATURE]
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    with quiet():
        content = converter.convert()
    shutil.rmtree(inside)
    (folder / FILE).write_bytes(content)


def read_tflite(folder: pathlib.Path) -> Callable[[Streams], Any]:
    """Returns the function that was written."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:  # TensorFlow has an interpreter, too
        from tensorflow.lite.python.interpreter import Interpreter

    with quiet():  # TensorFlow's says that it will move to LiteRT
        interpreter = Interpreter(model_path=str(folder / FILE))
    signature = interpreter.get_signature_runner(SIGNATURE)
    return functools.partial(_call, interpreter, signature)


def _call(interpreter: Any, signature: Any, streams: Streams) -> Any:
    del interpreter  # it owns what the signature runs
    return signature(**streams)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The converters say what they do on stderr, at length, and warn of their future.

    Errors come as such.
    """
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)
