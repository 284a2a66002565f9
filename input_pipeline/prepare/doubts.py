"""What is odd about a data set though it can be prepared: a line of warning each.

Names that a person would take for one class, classes that nobody can learn, one file
in two splits; and what readers noted of single files, by kind.
"""

import csv
import io
import os
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from input_pipeline.encode import Clip
from input_pipeline.prepare.shards import write_text

NOTED_FILE = "noted.csv"
SHOWN = 8  # names in a line
# Letters of Cyrillic and Greek that look as Latin ones do.
_TWINS = str.maketrans("асеіјорѕухԁѵαον", "aceijopsyxdvaov")


def of_clips(classes: Sequence[str], clips: Sequence[Clip]) -> list[str]:
    """Return the warnings of a data set's classes and clips."""
    return [
        *_alike(classes),
        *_untrained(classes, clips),
        *_in_two_splits(clips),
        *_of_two_classes(classes, clips),
        *_of_two_streams(clips),
    ]


def _alike(classes: Sequence[str]) -> list[str]:
    groups: dict[str, list[str]] = {}
    for name in classes:
        groups.setdefault(_looks(name), []).append(name)
    # In ASCII, so that what cannot be seen is seen.
    return [
        f"The classes {_listed(map(ascii, names))} differ only in case, form or "
        "invisible signs, and count as different ones. Write them alike if they are "
        "one."
        for names in groups.values()
        if len(names) > 1
    ]


def _looks(name: str) -> str:
    """What a hasty reader sees: no case, no forms of letters, no signs between."""
    folded = unicodedata.normalize(
        "NFKC", unicodedata.normalize("NFKC", name).casefold()
    )
    kept = (
        letter
        for letter in folded.translate(_TWINS)
        # Marks, signs of format and control: Unicode calls them default-ignorable.
        if unicodedata.category(letter) not in ("Cf", "Cc", "Co", "Cn")
        and letter not in "\u034f\u115f\u1160\u3164"
        and not "\ufe00" <= letter <= "\ufe0f"
    )
    words = "".join(" " if letter in "_-" else letter for letter in kept)
    return " ".join(words.split())


def _untrained(classes: Sequence[str], clips: Sequence[Clip]) -> list[str]:
    found = []
    protocols = dict.fromkeys(p for clip in clips for p in clip.splits)
    for protocol in protocols:
        trained = {c.label for c in clips if c.splits.get(protocol) == "train"}
        without = [name for i, name in enumerate(classes) if i not in trained]
        if without:
            found.append(
                f"{len(without)} of {len(classes)} classes have no training clip in "
                f"protocol {protocol!r}: {_listed(map(ascii, without))}."
            )
    return found


def _in_two_splits(clips: Sequence[Clip]) -> list[str]:
    """One file, by whatever names and links, in two splits of a protocol."""
    uses: dict[Any, dict[str, dict[str, str]]] = {}
    for clip in clips:
        for stream, path in clip.paths.items():
            key = _file(path)
            for protocol, split in clip.splits.items():
                there = uses.setdefault((stream, *key), {}).setdefault(protocol, {})
                there.setdefault(split, clip.name)
    lines = []
    for protocol in dict.fromkeys(p for clip in clips for p in clip.splits):
        twice = [by[protocol] for by in uses.values() if len(by.get(protocol, {})) > 1]
        if twice:
            names = (" = ".join(f"{c} ({s})" for s, c in use.items()) for use in twice)
            lines.append(
                f"{len(twice)} files are in two splits of protocol {protocol!r}, so "
                f"that what is tested was trained on: {_listed(names)}."
            )
    return lines


def _of_two_classes(classes: Sequence[str], clips: Sequence[Clip]) -> list[str]:
    uses: dict[Any, dict[str, str]] = {}
    for clip in clips:
        for stream, path in clip.paths.items():
            of_file = uses.setdefault((stream, *_file(path)), {})
            if 0 <= clip.label:
                of_file.setdefault(classes[clip.label], clip.name)
    twice = [use for use in uses.values() if len(use) > 1]
    names = (" = ".join(f"{n} ({ascii(c)})" for c, n in use.items()) for use in twice)
    return [f"{len(twice)} files are of two classes: {_listed(names)}."] * bool(twice)


def _of_two_streams(clips: Sequence[Clip]) -> list[str]:
    twice = []
    for clip in clips:
        uses: dict[Any, list[str]] = {}
        for stream, path in clip.paths.items():
            uses.setdefault(_file(path), []).append(stream)
        twice += [
            f"{clip.name} ({' = '.join(same)})"
            for same in uses.values()
            if len(same) > 1
        ]
    if not twice:
        return []
    return [f"In {len(twice)} clips one file is two streams: {_listed(twice)}."]


def _file(path: Path) -> tuple[Any, ...]:
    """What tells a file from others: its place on the disk, else its path."""
    try:
        stat = os.stat(path)
    except (OSError, ValueError):
        return (os.path.normpath(path),)
    return stat.st_dev, stat.st_ino


def of_files(folder: Path, tables: Iterable[dict[str, Any]]) -> list[str]:
    """Return a line for each kind of note in shards' tables, and write noted.csv.

    There is no such file where nothing was noted.
    """
    noted = [row for table in tables for row in table.get("noted", [])]
    if not noted:
        return []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("name", "note"))
    writer.writerows(sorted((row["name"], row["note"]) for row in noted))
    write_text(folder / NOTED_FILE, text.getvalue())
    kinds: dict[str, list[dict[str, str]]] = {}
    for row in noted:
        kinds.setdefault(row["note"].split(":")[0], []).append(row)
    return [
        f"{len(rows)} clips: {min(rows, key=_name)['note']} (so in "
        f"{min(rows, key=_name)['name']}; all are in {folder / NOTED_FILE})."
        for rows in kinds.values()
    ]


def _name(row: dict[str, str]) -> str:
    return row["name"]


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more
