"""Raw files and the lists that name them, however they are encoded."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from input_pipeline.builders.base import RawDataError
from input_pipeline.formats.frames import ENDINGS as IMAGE_ENDINGS

# Of the containers that `formats.video` reads.
VIDEO_ENDINGS = (
    *(".avi", ".mp4", ".mkv", ".webm", ".mov", ".mpg", ".mpeg", ".m4v", ".flv", ".wmv"),
    *(".asf", ".ts", ".mts", ".m2ts", ".3gp", ".3g2", ".ogv", ".mjpeg", ".mxf", ".dv"),
)


def video_files(folder: Path) -> Iterator[Path]:
    """Yields every video below a folder, sorted; hidden files are other systems'."""
    for parent, _, names in walk(folder):
        yield from (parent / name for name in names if is_video(name))


def is_video(name: str) -> bool:
    """Says whether a file's name ends as a video's does."""
    return name.lower().endswith(VIDEO_ENDINGS)


def survey(folder: Path) -> tuple[list[Path], Counter[str]]:
    """Returns what below a folder can be a clip, and how many other files there are.

    A clip is a video, or a folder that holds images and no video, not ``folder``
    itself nor one right below it (a class's). The others are counted by their ending.
    """
    found: list[Path] = []
    others: Counter[str] = Counter()
    for parent, folders, names in walk(folder):
        videos = [name for name in names if is_video(name)]
        images = [name for name in names if Path(name).suffix.lower() in IMAGE_ENDINGS]
        found += [parent / name for name in videos]
        deep = len(parent.relative_to(folder).parts) > 1
        taken = set(videos)
        if images and not videos and not folders and deep:
            found.append(parent)
            taken |= set(images)
        others.update(
            Path(name).suffix.lower() or "no ending" for name in set(names) - taken
        )
    return sorted(found), others


def walk(
    folder: Path, above: tuple[str, ...] = ()
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yields every folder, with its folders and files, sorted; nothing hidden.

    Links are followed, but not into a folder ``above``: a link into itself has no end.
    A folder that cannot be read raises OSError; what is in it would be missed.
    """
    here = os.path.realpath(folder)
    if here in above:
        return
    with os.scandir(folder) as listed:
        entries = sorted((e for e in listed if e.name[0] != "."), key=lambda e: e.name)
    folders = [entry.name for entry in entries if entry.is_dir()]
    yield folder, folders, [entry.name for entry in entries if not entry.is_dir()]
    for name in folders:
        yield from walk(folder / name, (*above, here))


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
