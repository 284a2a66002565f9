"""TFRecord files and ``tf.train.Example`` messages, written without TensorFlow.

Preparing uses one process a core; each would spend seconds and hundreds of megabytes on
TensorFlow only to write these two simple formats. The tests compare with TensorFlow.
"""

import functools
import struct
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

# Bytes of a TFRecord before its data (length, checksum of it) and after it (checksum).
BEFORE, AFTER = 12, 4

# Field numbers of tf.train.Feature's three kinds of list.
_KINDS = {"bytes": 1, "float": 2, "int64": 3}
# CRC-32C (Castagnoli), bits reflected: RFC 3720, appendix B.4.
_POLYNOMIAL = 0x82F63B78
_MASK_DELTA = 0xA282EAD8
# The definition starts from all ones. These bytes lead there from zero.
_ALL_ONES = bytes.fromhex("54641f64")


def frame(data: bytes) -> bytes:
    """One record as it stands in a TFRecord file: length and data, with checksums."""
    length = struct.pack("<Q", len(data))
    return b"".join((length, _masked_crc(length), data, _masked_crc(data)))


def encode_example(features: Mapping[str, tuple[str, Any]]) -> bytes:
    """Serialize a ``tf.train.Example`` from name -> (kind, values), names sorted.

    Kinds are "bytes", "float" and "int64"; an empty list keeps its kind.
    """
    entries = []
    for name in sorted(features):
        kind, values = features[name]
        feature = _field(_KINDS[kind], _list(kind, values))
        entries.append(_field(1, _field(1, name.encode()) + _field(2, feature)))
    return _field(1, b"".join(entries))


def crc32c(data: bytes) -> int:
    """CRC-32C of the data.

    The checksum is linear over GF(2): many equal parts are summed side by side, two
    bytes of each at a time, and joined in pairs, the left one shifted by the length of
    the right one.
    """
    data = _ALL_ONES + data
    exponent = len(data).bit_length() // 2 + 1
    length = 1 << exponent
    # Zeros in front change nothing, as the sums start from zero.
    padded = np.frombuffer(bytes(-len(data) % length) + data, "<u2")
    table = _table()
    columns = np.ascontiguousarray(padded.reshape(-1, length // 2).T)
    sums = np.zeros(columns.shape[1], np.uint32)
    for column in columns:
        sums = table[(sums ^ column) & 0xFFFF] ^ (sums >> 16)
    while len(sums) > 1:
        if len(sums) % 2:
            sums = np.insert(sums, 0, 0)
        sums = _apply(_zeros(exponent), sums[0::2]) ^ sums[1::2]
        exponent += 1
    return int(sums[0]) ^ 0xFFFFFFFF


def _masked_crc(data: bytes) -> bytes:
    crc = crc32c(data)
    rotated = (crc >> 15) | (crc << 17)
    return struct.pack("<I", (rotated + _MASK_DELTA) & 0xFFFFFFFF)


@functools.cache
def _table() -> np.ndarray:
    """What 16 steps of the shift register make of each two bytes, uint32 [65536]."""
    table: np.ndarray = np.arange(1 << 16, dtype=np.uint32)
    for _ in range(16):
        table = (table >> 1) ^ np.where(table & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    return table


@functools.cache
def _zeros(exponent: int) -> np.ndarray:
    """What 2**exponent (2 or more) zero bytes make of a sum's bits, uint32 [32]."""
    if exponent > 1:
        half = _zeros(exponent - 1)
        return _apply(half, half)
    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    return _table()[bits & 0xFFFF] ^ (bits >> 16)


def _apply(matrix: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Matrix (its columns, uint32 [32]) times bit vectors, over GF(2)."""
    result = np.zeros_like(values)
    for bit in range(32):
        result ^= np.where((values >> bit) & 1, matrix[bit], np.uint32(0))
    return result


def _list(kind: str, values: Any) -> bytes:
    """The inside of a BytesList, FloatList or Int64List."""
    if not len(values):
        return b""
    if kind == "bytes":
        return b"".join(_field(1, value) for value in values)
    if kind == "float":
        return _field(1, np.asarray(values, "<f4").tobytes())
    return _field(1, _varints(int(value) for value in values))


def _field(number: int, content: bytes) -> bytes:
    """A field that says its length: key (number and wire type 2), length, content."""
    return _varints((number << 3 | 2, len(content))) + content


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
