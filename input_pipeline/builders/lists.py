"""Lists that say which videos of a folder tree belong to a split.

Read are Kinetics' tables (a header with ``label`` and ``youtube_id``), lines of
``CLASS/FILE``, whatever stands behind, and lines of nothing but a video's id, as those
of mini-Kinetics. A file of Kinetics is called ID or ID_START_END.
"""

import csv
import re
from pathlib import Path
from typing import NamedTuple

from input_pipeline.builders import files
from input_pipeline.builders.base import RawDataError

ENDINGS = (".csv", ".txt")
_CUT = re.compile(r"(.{11})_\d{6}_\d{6}")


class Listed(NamedTuple):
    """One line: which video, and its class ("" where the list does not say)."""

    video: str
    label: str


def find(folder: Path, words: tuple[str, ...]) -> list[Path]:
    """Return the lists in a folder in whose names one of the words stands alone."""
    found = []
    for path in sorted(folder.iterdir()):
        parts = re.split(r"[^a-z]+", path.stem.lower())
        if path.suffix.lower() in ENDINGS and path.is_file() and {*words} & {*parts}:
            found.append(path)
    return found


def read(path: Path) -> list[Listed]:
    """Return a list's entries, each video once.

    Raises RawDataError if it is of no known form.
    """
    lines = files.read_lines(path)
    header = [cell.strip().lower() for cell in lines[0].split(",")] if lines else []
    if {"label", "youtube_id"} <= {*header}:
        table = csv.reader(lines[1:])
        found = [dict(zip(header, row, strict=False)) for row in table if row]
        entries = [Listed(r.get("youtube_id", ""), r["label"].strip()) for r in found]
    else:
        entries = [_entry(path, line) for line in lines]
    if not all(entry.video for entry in entries):
        raise RawDataError(f"{path}: a line names no video. Download the list again.")
    return list({video_of(entry.video): entry for entry in entries}.values())


def _entry(path: Path, line: str) -> Listed:
    folder, slash, file = line.rpartition("/")
    if not slash and len(line.split()) != 1:
        raise RawDataError(
            f"{path}: the line {files.clean(line)[:80]!r} is no id of a video and no "
            "CLASS/FILE, nor has the list a header with label and youtube_id. Give "
            "one of these, or move the file out of the folder if it is no list."
        )
    return Listed(file.split()[0] if file.split() else "", folder.rpartition("/")[2])


def video_of(name: str) -> str:
    """Return the id of a Kinetics file, or the name of another without its ending."""
    stem = Path(name).stem if files.is_video(name) else name
    cut = _CUT.fullmatch(stem)
    return cut[1] if cut else stem


def class_of(label: str) -> str:
    """Return a class as it is compared: some copies write blanks as underscores."""
    return " ".join(label.lower().replace("_", " ").split())
