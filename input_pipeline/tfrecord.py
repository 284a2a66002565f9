"""TFRecord files and ``tf.train.Example`` messages, written without TensorFlow.

Preparing uses one process a core; each would spend seconds and hundreds of megabytes on
TensorFlow only to write these two simple formats. The tests compare with TensorFlow.
"""

import struct
from collections.abc import Iterable, Mapping
from typing import Any

import google_crc32c
import numpy as np

# Bytes of a TFRecord around its data: length, checksum of it, checksum of the data.
FRAMING = 16

# Field numbers of tf.train.Feature's three kinds of list.
_KINDS = {"bytes": 1, "float": 2, "int64": 3}
# What a TFRecord adds to a checksum.
_MASK_DELTA = 0xA282EAD8


def frame(data: bytes) -> bytes:
    """One record as it stands in a TFRecord file: length and data, with checksums."""
    length = struct.pack("<Q", len(data))
    return b"".join((length, _masked_crc(length), data, _masked_crc(data)))


def encode_example(features: Mapping[str, tuple[str, Any]]) -> bytes:
    """Serialize a ``tf.train.Example`` from name -> (kind, values), names sorted.

    Kinds are "bytes", "float" and "int64"; an empty list keeps its kind.
    """
    entries: list[bytes] = []
    for name in sorted(features):
        kind, values = features[name]
        feature = _field(_KINDS[kind], _list(kind, values))
        entries += _field(1, _field(1, [name.encode()]) + _field(2, feature))
    # Joined once: a long clip is held twice meanwhile, not once a level.
    return b"".join(_field(1, entries))


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    rotated = (crc >> 15) | (crc << 17)
    return struct.pack("<I", (rotated + _MASK_DELTA) & 0xFFFFFFFF)


def _list(kind: str, values: Any) -> list[bytes]:
    """The inside of a BytesList, FloatList or Int64List, in pieces."""
    if not len(values):
        return []
    if kind == "bytes":
        return [piece for value in values for piece in _field(1, [value])]
    if kind == "float":
        return _field(1, [np.asarray(values, "<f4").tobytes()])
    return _field(1, [_varints(int(value) for value in values)])


def _field(number: int, content: list[bytes]) -> list[bytes]:
    """A field that says its length: key (number and wire type 2), length, content."""
    return [_varints((number << 3 | 2, sum(map(len, content)))), *content]


def _varints(values: Iterable[int]) -> bytes:
    """Seven bits a byte, low ones first; negative numbers as 64 bits."""
    out = bytearray()
    for value in values:
        value &= 0xFFFFFFFFFFFFFFFF
        while value > 0x7F:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)
    return bytes(out)
