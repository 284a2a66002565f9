"""Raw files and the lists that name them, however they are encoded."""

import os
from collections.abc import Iterator
from pathlib import Path

from input_pipeline.builders.base import RawDataError

VIDEO_ENDINGS = (".avi", ".mp4", ".mkv", ".webm", ".mov", ".mpg", ".mpeg", ".m4v")


def video_files(folder: Path) -> Iterator[Path]:
    """Yields every video below a folder, sorted; hidden files are other systems'."""
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(VIDEO_ENDINGS) and not name.startswith("."):
                yield Path(parent, name)


def read_lines(path: Path) -> list[str]:
    """Returns the lines of a list that are not empty.

    Bytes that are not UTF-8 are kept in the form in which Python keeps them in file
    names, so that a name in the list equals the name on the disk.
    """
    text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    return [line.strip() for line in text.splitlines() if line.strip()]


def clean(name: str) -> str:
    """Returns a name that can be stored: bytes that are not UTF-8 become ``\\xNN``."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def find(raw: Path, pattern: str, howto: str) -> list[Path]:
    """Returns the files of this pattern, sorted, ``raw``'s own or anywhere below.

    Raises RawDataError, with what to do, if there is none.
    """
    if not raw.is_dir():
        raise RawDataError(f"The folder {raw} does not exist. {howto}")
    found = sorted(raw.rglob(pattern))
    if not found:
        raise RawDataError(f"There is no {pattern} in {raw} or below. {howto}")
    return found
