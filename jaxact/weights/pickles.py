"""Reads pickles of arrays without executing anything they name.

A pickle is a program: ``pickle.load`` calls whatever function it names. The unpickler
here looks every name up in a table of its own stand-ins and refuses all others, so
that the worst a hostile file can do is to be refused.
"""

import collections
import io
import math
import pickle
import types
from collections.abc import Callable
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np

from jaxact.weights.keymap import WeightsError

STORAGE_DTYPES = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": jnp.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}

# A tensor of more elements than its storage has may have so many.
MOST_REPEATED = 1_000_000

# Names that may stand in a checkpoint without being called for anything.
_INERT = {
    ("torch", "Tensor"),
    ("torch.nn.parameter", "Parameter"),
    ("numpy", "ndarray"),
} | {
    ("torch", name)
    for name in (
        "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split()
    )
}


class _DType:
    """Stands in for a numpy dtype: its name, and its byte order from the state."""

    def __init__(self, name: str) -> None:
        self.value = np.dtype(name)
        if self.value.hasobject or self.value.fields:
            raise WeightsError(f"it holds an array of {self.value}, not of numbers.")

    def __setstate__(self, state: tuple) -> None:
        if state[1] in ("<", ">"):
            self.value = self.value.newbyteorder(state[1])


class _Array:
    """Stands in for a numpy array: made from the bytes in its state."""

    value = np.zeros(0, np.int8)

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, raw = state
        order: Literal["F", "C"] = "F" if fortran else "C"
        self.value = np.frombuffer(raw, dtype.value).reshape(shape, order=order)


class ArrayUnpickler(pickle._Unpickler):
    """Unpickles containers, numbers, text, numpy arrays and torch tensors.

    Built on Python's own unpickler: the one in C fills gigabytes when a few bytes ask
    it for a memo of that size.

    Args:
      file: the pickle.
      storage: returns the flat array a torch tensor views, from the tensor's
        persistent id; None where the file cannot hold torch tensors.

    Raises:
      WeightsError: the pickle names anything else.
    """

    def __init__(
        self, file: io.IOBase, storage: Callable[[Any], np.ndarray] | None = None
    ) -> None:
        super().__init__(file)
        self._storage = storage
        # Bound methods, as a pickle can set attributes of plain functions.
        self._admitted: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("collections", "defaultdict"): self._defaultdict,
            ("builtins", "set"): set,
            ("argparse", "Namespace"): types.SimpleNamespace,
            ("_codecs", "encode"): self._encode,
            ("numpy", "dtype"): self._dtype,
            ("torch", "Size"): tuple,
            ("torch", "device"): self._text,
            ("torch._utils", "_rebuild_tensor"): self._tensor,
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            ("torch._utils", "_rebuild_parameter"): self._parameter,
            ("torch._tensor", "_rebuild_from_type_v2"): self._from_type,
        }
        for package in ("numpy.core", "numpy._core"):
            module = f"{package}.multiarray"
            self._admitted[module, "_reconstruct"] = self._array
            self._admitted[module, "scalar"] = self._scalar

    def find_class(self, module: str, name: str) -> Any:
        """Returns the stand-in of a name, or refuses the file."""
        if (module, name) in self._admitted:
            return self._admitted[module, name]
        if module == "torch" and name in STORAGE_DTYPES:
            return np.dtype(STORAGE_DTYPES[name])
        if (module, name) in _INERT:
            return f"{module}.{name}"
        raise WeightsError(
            f"it asks for {module}.{name}, which is no part of an array. Nothing of it "
            "was executed. If you trust its origin, load it where it was made and save "
            "the bare state dict (name -> tensor), best as .safetensors."
        )

    def persistent_load(self, pid: Any) -> np.ndarray:
        """Returns the flat storage a tensor refers to."""
        if self._storage is None:
            raise WeightsError("it refers to data outside itself.")
        return self._storage(pid)

    def _tensor(self, storage: Any, offset: int, size: Any, stride: Any, *_: Any):  # noqa: ANN202
        # The other arguments are gradients' and hooks' matters.
        return strided(storage, offset, tuple(size), tuple(stride))

    def _parameter(self, data: np.ndarray, *_: Any) -> np.ndarray:
        return data

    def _from_type(self, rebuild: Any, kind: Any, args: tuple, state: Any) -> Any:
        if rebuild not in (self._tensor, self._parameter):
            raise WeightsError("it builds something that is no tensor.")
        return rebuild(*args)

    def _array(self, *_: Any) -> _Array:
        return _Array()

    def _dtype(self, name: str, *_: Any) -> _DType:
        return _DType(name)

    def _scalar(self, dtype: _DType, raw: bytes) -> Any:
        return np.frombuffer(raw, dtype.value, count=1)[0]

    def _defaultdict(self, *_: Any) -> dict:
        return {}

    def _text(self, *parts: Any) -> str:
        return ":".join(map(str, parts))

    def _encode(self, text: str, encoding: str = "latin1") -> bytes:
        # Protocol 2 writes bytes as latin-1 text; other codecs are not asked for.
        if encoding != "latin1":
            raise WeightsError(f"it asks for the codec {encoding!r}.")
        return text.encode("latin1")


def load(file: io.IOBase, storage: Callable[[Any], np.ndarray] | None = None) -> Any:
    """Unpickles one object with `ArrayUnpickler`, numpy arrays as numpy arrays."""
    return _resolve(ArrayUnpickler(file, storage).load(), {})


def _resolve(value: Any, done: dict[int, Any]) -> Any:
    """Replaces the stand-ins of numpy arrays in nested containers.

    What stands in several places is resolved once (``done``): a pickle of some hundred
    bytes can hold a list of itself that would have 2**100 members.
    """
    if isinstance(value, _Array):
        return value.value
    if not isinstance(value, dict | list | tuple):
        return value
    if id(value) not in done:
        # Kept in the table too, so that nobody else gets its id.
        done[id(value)] = value, None
        if isinstance(value, dict):
            new: Any = {key: _resolve(item, done) for key, item in value.items()}
        else:
            new = [_resolve(item, done) for item in value]
        done[id(value)] = value, new
    return done[id(value)][1]


def strided(
    storage: np.ndarray, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
) -> np.ndarray:
    """Returns the view of a flat array with ``size`` and ``stride`` in elements.

    Raises:
      WeightsError: the view would reach outside the storage.
    """
    if not isinstance(storage, np.ndarray) or len(size) != len(stride):
        raise WeightsError("it holds a tensor without a storage.")
    span = sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    lowest = min((offset, *size, *stride))
    if lowest < 0 or (0 not in size and offset + span >= storage.size):
        raise WeightsError(
            f"it holds a tensor of size {size}, stride {stride} and offset {offset} "
            f"that reaches outside its storage of {storage.size} elements."
        )
    # Expanded tensors repeat their elements; so could eight bytes become terabytes.
    if math.prod(size) > max(storage.size, MOST_REPEATED):
        raise WeightsError(
            f"it holds a tensor of size {size} in a storage of {storage.size} elements."
        )
    return np.lib.stride_tricks.as_strided(
        storage[offset:], size, [step * storage.itemsize for step in stride]
    )
