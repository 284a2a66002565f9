"""What is odd about a data set though it can be prepared: a line of warning each.

Names that a person would take for one class, classes that nobody can learn, one file
in two splits; and what readers noted of single files, by kind.
"""

import csv
import io
import math
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from input_pipeline.encode import Clip
from input_pipeline.formats.levels import Scaling
from input_pipeline.prepare.shards import write_text

NOTED_FILE = "noted.csv"
SHOWN = 8  # names in a line
# Letters of Cyrillic and Greek that look as Latin ones do.
_TWINS = str.maketrans("асеіјорѕухԁѵαον", "aceijopsyxdvaov")


def of_clips(
    classes: Sequence[str], clips: Sequence[Clip], streams: Sequence[str] = ()
) -> list[str]:
    """Return the warnings of a data set's classes and clips.

    ``streams``: those that it is to hold.
    """
    return [
        *_alike(classes),
        *_without_split(clips),
        *_untrained(classes, clips),
        *_in_two_splits(clips),
        *_of_two_classes(classes, clips),
        *_without_stream(clips, streams),
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


def _protocols(clips: Sequence[Clip]) -> list[str]:
    return list(dict.fromkeys(p for clip in clips for p in clip.splits))


def _without_split(clips: Sequence[Clip]) -> list[str]:
    """A protocol of training clips alone, or of test clips alone."""
    found = []
    for protocol in _protocols(clips):
        count = Counter(c.splits[protocol] for c in clips if protocol in c.splits)
        for split, lost in (
            ("train", "nothing can be trained on it"),
            ("test", "nothing can be evaluated on it, but with --config.eval.split"),
        ):
            if not count[split]:
                every = ", ".join(f"{n} {name}" for name, n in sorted(count.items()))
                found.append(
                    f"Protocol {protocol!r} has no {split} clip, only {every}: {lost}."
                )
    return found


def _untrained(classes: Sequence[str], clips: Sequence[Clip]) -> list[str]:
    found = []
    for protocol in _protocols(clips):
        trained = {c.label for c in clips if c.splits.get(protocol) == "train"}
        without = [name for i, name in enumerate(classes) if i not in trained]
        if trained and without:
            found.append(
                f"{len(without)} of {len(classes)} classes have no training clip in "
                f"protocol {protocol!r}: {_listed(map(ascii, without))}."
            )
    return found


def _in_two_splits(clips: Sequence[Clip]) -> list[str]:
    """One file, by whatever names and links, in two splits of a protocol."""
    lines = []
    groups = list(_showing_the_same(clips))
    for protocol in _protocols(clips):
        twice = []
        for group in groups:
            use: dict[str, str] = {}
            for clip in group:
                if protocol in clip.splits:
                    use.setdefault(clip.splits[protocol], clip.name)
            twice += [use] * (len(use) > 1)
        if twice:
            names = (" = ".join(f"{c} ({s})" for s, c in use.items()) for use in twice)
            lines.append(
                f"{len(twice)} {_what(clips)} are in two splits of protocol "
                f"{protocol!r}, so "
                f"that what is tested was trained on: {_listed(names)}."
            )
    return lines


def _of_two_classes(classes: Sequence[str], clips: Sequence[Clip]) -> list[str]:
    twice = []
    for group in _showing_the_same(clips):
        use: dict[str, str] = {}
        for clip in group:
            if 0 <= clip.label:
                use.setdefault(classes[clip.label], clip.name)
        twice += [use] * (len(use) > 1)
    names = (" = ".join(f"{n} ({ascii(c)})" for c, n in use.items()) for use in twice)
    line = f"{len(twice)} {_what(clips)} are of two classes: {_listed(names)}."
    return [line] * bool(twice)


def _what(clips: Sequence[Clip]) -> str:
    parts = any(clip.part for clip in clips)
    return "overlapping parts of recordings" if parts else "files"


def _showing_the_same(clips: Sequence[Clip]) -> Iterator[list[Clip]]:
    """The clips of each file that has several; of a recording, overlapping pairs."""
    uses: dict[Any, list[Clip]] = {}
    for clip in clips:
        for stream, path in clip.paths.items():
            uses.setdefault((stream, *_file(path)), []).append(clip)
    seen = set()
    for group in uses.values():
        if not any(clip.part for clip in group):
            yield group
            continue
        here: list[Clip] = []  # those that last at this moment
        for clip in sorted(group, key=_span):
            here = [other for other in here if _span(other)[1] > _span(clip)[0]]
            for other in here:
                if (other.name, clip.name) not in seen:  # in another stream, too
                    seen.add((other.name, clip.name))
                    yield [other, clip]
            here.append(clip)


def _span(clip: Clip) -> tuple[float, float]:
    start = clip.part.start if clip.part else None
    end = clip.part.end if clip.part else None
    return start or 0.0, math.inf if end is None else end


def _without_stream(clips: Sequence[Clip], streams: Sequence[str]) -> list[str]:
    there = {stream for clip in clips for stream in clip.paths}
    return [f"No clip has the stream {name}." for name in streams if name not in there]


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


def of_scalings(
    scalings: Mapping[str, Scaling], streams: Mapping[str, Any]
) -> list[str]:
    """Return a line for each scaling that no file of its stream needed."""
    if scalings and not {*scalings} & {*streams}:
        return [
            f"The scaling has no effect: it is of {', '.join(scalings)}, and the set "
            f"has {', '.join(streams)}."
        ]
    return [
        f"The scaling {scalings[stream]} of {stream} has no effect: all its pictures "
        "have 8 bits."
        for stream in streams
        if stream in scalings and "scaling" not in streams[stream]
    ]


def _name(row: dict[str, str]) -> str:
    return row["name"]


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more
