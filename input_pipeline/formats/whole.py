"""Whether all bytes are there that a container's own headers promise."""

import re
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


def unfinished(path: Path, container: str) -> str:
    """Return what a file that promises nothing ends in the middle of; "" if nothing.

    ``container``: as in `lost_fraction`. How much is missing nobody can tell. Known are
    the pages of Ogg, the packets of MPEG's transport and program streams, and how a
    GIF ends. A file cut off just between two packets is not noticed.
    """
    tests: dict[str, Callable[[BinaryIO, int], str]] = {
        "ogg": _ogg_end,
        "mpegts": _transport_end,
        "mpeg": _program_end,
        "gif": _gif_end,
    }
    for name, test in tests.items():
        if name in container.split(","):
            with path.open("rb") as file:
                return test(file, path.stat().st_size)
    return ""


def _tail(file: BinaryIO, size: int, most: int) -> bytes:
    file.seek(max(0, size - most))
    return file.read(most)


def _gif_end(file: BinaryIO, size: int) -> str:
    last = _tail(file, size, 2**16).rstrip(b"\0")  # files are padded now and then
    return "" if last.endswith(b";") else "a picture"


def _ogg_end(file: BinaryIO, size: int) -> str:
    """RFC 3533: pages of at most 65,307 bytes; the last one of a stream says so."""
    tail = _tail(file, size, 2 * 65_307)
    for match in re.finditer(b"OggS", tail):
        at = last = match.start()
        while at < len(tail) and b"OggS".startswith(tail[at : at + 4]):
            if at + 27 > len(tail):
                return "a page"
            last, body = at, at + 27 + tail[at + 26]
            at = body + sum(tail[last + 27 : body])
        if at == len(tail):
            return "" if tail[last + 5] & 4 else "a stream (no page ends it)"
        if at > len(tail):
            return "a page"
        # Else four letters of a picture looked like a page.
    return ""


def _transport_end(file: BinaryIO, size: int) -> str:
    """ISO/IEC 13818-1: packets of 188 bytes, each begins with 0x47; 4 or 16 more."""
    head = file.read(3 * 204)
    for length, first in ((188, 0), (192, 4), (204, 0)):
        if head[first::length][:3] == b"GGG":
            rest = _tail(file, size, size % length)[first:]
            return "a packet" if rest.startswith(b"G") else ""
    return ""


def _program_end(file: BinaryIO, size: int) -> str:
    """ISO/IEC 13818-1, and 11172-1 before: packs of packets that say their length."""
    tail = _tail(file, size, 2**18)
    at = tail.rfind(b"\0\0\1\xba")
    if at < 0 or at + 14 > len(tail):
        return "a packet" if at >= 0 else ""
    at += 14 + (tail[at + 13] & 7) if tail[at + 4] & 0xC0 == 0x40 else 12
    while at + 6 <= len(tail):
        if tail[at : at + 3] != b"\0\0\1" or tail[at + 3] < 0xBB:
            return ""  # the end of the program, or padding
        at += 6 + int.from_bytes(tail[at + 4 : at + 6], "big")
    return "" if at == len(tail) else "a packet"


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
