"""Whether all bytes are there that a container's own headers promise."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

# A RIFF's size, where the program that wrote it had no time to say.
_OPEN_RIFF = 0xFFFFFFF0
_SEGMENT = b"\x18\x53\x80\x67"
_EBML = b"\x1a\x45\xdf\xa3"
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


def lost_fraction(path: Path, container: str) -> float | None:
    """Return which part of the promised bytes is missing; None if nothing is promised.

    ``container`` is FFmpeg's name of the format. Read are the boxes of MP4, the RIFFs
    of AVI, the segment of Matroska and the properties of ASF; others do not say how
    long they are.
    """
    names = container.split(",")
    walks: dict[str, Callable[[BinaryIO, int], int | None]] = {
        "mp4": _boxes_end,
        "avi": _riffs_end,
        "matroska": _segment_end,
        "asf": _asf_end,
    }
    for name, walk in walks.items():
        if name in names:
            size = path.stat().st_size
            with path.open("rb") as file:
                end = walk(file, size)
            return None if end is None else max(0.0, 1 - size / end)
    return None


def guess(start: bytes) -> str:
    """Return the format's name of a file that starts so; empty if it is another."""
    if start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "mp4"
    kinds = {b"RIFF": "avi", _EBML: "matroska", _ASF: "asf"}
    return next((name for magic, name in kinds.items() if start.startswith(magic)), "")


def _boxes_end(file: BinaryIO, size: int) -> int | None:
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if not all(32 <= byte < 127 or byte == 0xA9 for byte in kind):
            break  # something else was added behind
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        if length == 0:
            return None  # up to the end of the file, wherever that is
        if length < 8:
            break
        at += length
    return at or None


def _riffs_end(file: BinaryIO, size: int) -> int | None:
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        if head[:4] != b"RIFF":
            break
        if not 8 < length < _OPEN_RIFF:
            return None
        at += 8 + length + length % 2
    # The last byte of padding is often left away.
    return at - 1 if at == size + 1 else at or None


def _segment_end(file: BinaryIO, size: int) -> int | None:
    at = 0
    for _ in range(64):
        file.seek(at)
        head = file.read(16)
        if len(head) < 5 or not head[0]:
            return None
        kind = head[: 9 - head[0].bit_length()]
        rest = head[len(kind) :]
        if not rest or not rest[0]:
            return None
        width = 9 - rest[0].bit_length()
        bits = 7 * width
        length = int.from_bytes(rest[:width], "big") & ((1 << bits) - 1)
        if length == (1 << bits) - 1:
            return None  # not known when it was written
        at += len(kind) + width + length
        if kind == _SEGMENT:
            return at
        if at >= size:
            return None
    return None


def _asf_end(file: BinaryIO, size: int) -> int | None:
    head = file.read(2**16)
    at = head.find(_ASF_PROPERTIES)
    promised = int.from_bytes(head[at + 40 : at + 48], "little") if at >= 0 else 0
    return promised or None
