"""TFRecord files and ``tf.train.Example`` messages, written without TensorFlow.

Preparing uses one process a core; each would spend seconds and hundreds of megabytes on
TensorFlow only to write these two simple formats. The tests compare with TensorFlow.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import google_crc32c
import numpy as np

from input_pipeline.spool import Picture

# Bytes of a TFRecord around its data: length, checksum of it, checksum of the data.
FRAMING = 16

# Field numbers of tf.train.Feature's three kinds of list.
_KINDS = {"bytes": 1, "float": 2, "int64": 3}
# What a TFRecord adds to a checksum.
_MASK_DELTA = 0xA282EAD8


def framed(pieces: Sequence[Picture]) -> Iterator[bytes]:
    """Yield one record as it stands in a TFRecord file: length, data, checksums."""
    length = struct.pack("<Q", sum(map(len, pieces)))
    yield length + _masked(google_crc32c.value(length))
    crc = 0
    for piece in pieces:
        data = bytes(piece)
        crc = google_crc32c.extend(crc, data)
        yield data
    yield _masked(crc)


def example(features: Mapping[str, tuple[str, Any]]) -> list[Picture]:
    """Serialize a ``tf.train.Example`` from name -> (kind, values), names sorted.

    Kinds are "bytes", "float" and "int64"; an empty list keeps its kind. In pieces, so
    that what is large is not held twice.
    """
    entries: list[Picture] = []
    for name in sorted(features):
        kind, values = features[name]
        feature = _field(_KINDS[kind], _list(kind, values))
        entries += _field(1, _field(1, [name.encode()]) + _field(2, feature))
    return _field(1, entries)


def _masked(crc: int) -> bytes:
    rotated = (crc >> 15) | (crc << 17)
    return struct.pack("<I", (rotated + _MASK_DELTA) & 0xFFFFFFFF)


def _list(kind: str, values: Any) -> list[Picture]:
    """The inside of a BytesList, FloatList or Int64List, in pieces."""
    if not len(values):
        return []
    if kind == "bytes":
        return [piece for value in values for piece in _field(1, [value])]
    if kind == "float":
        return _field(1, [np.asarray(values, "<f4").tobytes()])
    return _field(1, [_varints(int(value) for value in values)])


def _field(number: int, content: Sequence[Picture]) -> list[Picture]:
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
