"""What was annotated in recordings, of whatever program, and the manifest made of it.

Each reader (`cvat`, `label_studio`, `elan`, `events`) returns `Annotations`. What has
two labels at one moment belongs to neither class: these annotations are left out,
unless they are asked for. What is left out, and what has no label at all, is listed.
"""

import csv
import dataclasses
import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from input_pipeline.builders import parts

# Files of annotations are texts; larger ones would take all memory.
MOST_BYTES = 2**28
_LONGEST = 1e10  # seconds or frames


class AnnotationError(ValueError):
    """A file of annotations that is not of the form that is read; says where."""


@dataclasses.dataclass(frozen=True)
class Event:
    """From when to when (``end`` is not in it) something happens in a recording.

    ``recording``: the name of its file, as the annotations say; ``person`` may be "".
    """

    recording: str
    start: float
    end: float
    label: str
    person: str = ""


@dataclasses.dataclass
class Annotations:
    """Events in seconds, or in frames from 0; ``lengths`` of recordings, where said.

    ``left_out``: what a reader could not take, and why.
    """

    events: list[Event] = dataclasses.field(default_factory=list)
    in_frames: bool = False
    lengths: dict[str, float] = dataclasses.field(default_factory=dict)
    left_out: list[tuple[Event, str]] = dataclasses.field(default_factory=list)

    def add(self, other: "Annotations") -> None:
        """Take in those of another file; raises AnnotationError if units differ."""
        if self.events and other.events and self.in_frames != other.in_frames:
            raise AnnotationError(
                "Some annotations are in frames, others in seconds; convert them one "
                "after the other, to two manifests."
            )
        self.in_frames = other.in_frames if other.events else self.in_frames
        self.events += other.events
        self.lengths |= other.lengths
        self.left_out += other.left_out


def read_text(path: Path) -> str:
    """Return a file's text; raises AnnotationError if it is none."""
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise AnnotationError(
                f"{path} has {size} bytes; at most {MOST_BYTES} are read."
            )
        return path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise AnnotationError(
            f"{path} is no text in UTF-8 ({error}). Export it again in UTF-8."
        ) from None


class _NoDoctype(ET.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:
        """No annotations have one, and entities can stand for gigabytes, or files."""
        raise AnnotationError(f"it has a document type ({name}), which is not read")


def read_xml(path: Path, root: str) -> ET.Element:
    """Return the root of an XML file; raises AnnotationError if it has another name."""
    try:
        parser = ET.XMLParser(target=_NoDoctype())
        found = ET.fromstring(read_text(path).encode(), parser)
    except AnnotationError as error:
        text = str(error)
        raise AnnotationError(
            text if str(path) in text else f"{path}: {text}."
        ) from None
    except (ET.ParseError, RecursionError, LookupError, ValueError) as error:
        raise AnnotationError(f"{path} is no XML ({error}).") from None
    if found.tag != root:
        raise AnnotationError(
            f"{path}: its outermost element is {found.tag[:50]!r}; expected {root!r}."
        )
    return found


def overlaps(events: Sequence[Event]) -> set[int]:
    """Return the places of events that share time with one of another label."""
    found: set[int] = set()
    order = sorted(
        range(len(events)), key=lambda i: (events[i].recording, *_span(events[i]))
    )
    here: list[int] = []
    for i in order:
        event = events[i]
        here = [
            j
            for j in here
            if events[j].recording == event.recording and events[j].end > event.start
        ]
        for j in here:
            if events[j].label != event.label:
                found |= {i, j}
        here.append(i)
    return found


def gaps(annotations: Annotations) -> list[Event]:
    """Return the spans of recordings between events, and before and after them."""
    found = []
    for recording in dict.fromkeys(event.recording for event in annotations.events):
        at = 0.0
        own = [e for e in annotations.events if e.recording == recording]
        for event in sorted(own, key=lambda e: e.start):
            if event.start > at:
                found.append(Event(recording, at, event.start, ""))
            at = max(at, event.end)
        if annotations.lengths.get(recording, 0) > at:
            found.append(Event(recording, at, annotations.lengths[recording], ""))
    return found


def write(
    annotations: Annotations,
    rows: Mapping[str, Mapping[str, str]],
    out: Path,
    keep_overlaps: bool = False,
) -> list[str]:
    """Write a manifest and, beside it, what is not in it; returns lines to be printed.

    ``rows``: the other cells of the manifest, by recording. Raises AnnotationError
    where an event is of a recording that has no row, its times are none, or none is
    left.
    """
    for event in annotations.events:
        if not 0 <= event.start < event.end < _LONGEST:
            raise AnnotationError(
                f"{event.label!r} of {event.recording!r} lasts from {event.start:g} to "
                f"{event.end:g}; expected are times from 0."
            )
    unknown = sorted({e.recording for e in annotations.events} - {*rows})
    if unknown:
        raise AnnotationError(
            f"Annotations are of the recordings {', '.join(unknown[:8])}; the table of "
            f"recordings has {', '.join(sorted(rows)[:8]) or 'none'}. Give it a line "
            "for each, under the names that the annotations use."
        )
    events, repeated = _once(annotations.events)
    twice = set() if keep_overlaps else overlaps(events)
    left_out = [
        *annotations.left_out,
        *((event, "stands there twice") for event in repeated),
        *((events[i], "overlaps another label") for i in sorted(twice)),
    ]
    kept = [e for i, e in enumerate(events) if i not in twice]
    if not kept:
        raise AnnotationError(
            f"No event is left: {_counted(left_out) or 'there was none'}."
        )
    columns = list(dict.fromkeys(c for e in kept for c in rows[e.recording]))
    people = any(event.person for event in kept) and "person" not in columns
    columns += ["person"] * people + ["recording"] * ("recording" not in columns)
    ends = parts.FRAMES if annotations.in_frames else parts.SECONDS
    table = []
    for event in sorted(kept, key=lambda e: (e.recording, e.start, e.label)):
        cells = {"recording": event.recording, **rows[event.recording]}
        cells["person"] = cells.get("person") or event.person
        cells |= dict(zip(ends, map(number, (event.start, event.end)), strict=True))
        cells["label"] = event.label
        table.append([cells.get(column, "") for column in (*columns, *ends, "label")])
    _write_table(out, [*columns, *ends, "label"], table)
    unlabelled = gaps(annotations)
    skipped = out.with_name(f"{out.stem}.left_out.csv")
    every = [*left_out, *((gap, "no label") for gap in unlabelled)]
    _write_table(
        skipped,
        ["recording", *ends, "label", "why"],
        [[e.recording, number(e.start), number(e.end), e.label, w] for e, w in every],
    )
    labels = sorted({event.label for event in kept})
    others = [
        e
        for e in kept
        if e.person and rows[e.recording].get("person", "") not in ("", e.person)
    ]
    unit = "frames" if annotations.in_frames else "s"
    length = sum(gap.end - gap.start for gap in unlabelled)
    return [
        f"{len(kept)} parts of {len({e.recording for e in kept})} recordings, "
        f"{len(labels)} labels ({', '.join(labels[:12])}) in {out}.",
        f"Left out: {_counted(left_out) or 'nothing'}; without a label: "
        f"{len(unlabelled)} spans, {length:.6g} {unit}. All are in {skipped}.",
        *(
            f"{len(others)} annotations name another person than the table of "
            f"recordings, which counts: {others[0].person!r} is "
            f"{rows[others[0].recording]['person']!r} in {others[0].recording!r}."
            for _ in others[:1]
        ),
    ]


def of_the_only_one(
    annotations: Annotations, rows: Mapping[str, Mapping[str, str]], stems: set[str]
) -> Annotations:
    """Return annotations that name no recording as those of the only one there is.

    ``stems``: of the files, by which readers call a recording that nobody names.
    """
    if len(rows) != 1 or len(stems) != 1 or stems <= {*rows}:
        return annotations
    (stem,), (only,) = stems, rows

    def renamed(event: Event) -> Event:
        same = event.recording == stem
        return dataclasses.replace(event, recording=only) if same else event

    return dataclasses.replace(
        annotations,
        events=[*map(renamed, annotations.events)],
        left_out=[(renamed(event), why) for event, why in annotations.left_out],
        lengths={only if k == stem else k: v for k, v in annotations.lengths.items()},
    )


def _once(events: Sequence[Event]) -> tuple[list[Event], list[Event]]:
    """Each event once, and those that stand there again, of whatever person."""
    found: dict[tuple, Event] = {}
    repeated = []
    for event in events:
        key = (event.recording, event.start, event.end, event.label)
        if found.setdefault(key, event) is not event:
            repeated.append(event)
    return [*found.values()], repeated


def read_recordings(path: Path, out: Path) -> dict[str, dict[str, str]]:
    """Return the rows of a table of recordings, by the cells of its column recording.

    Its other columns are those of a manifest; paths are made relative to ``out``'s
    folder. Raises AnnotationError.
    """
    from input_pipeline.builders import manifests
    from input_pipeline.streams import STORED

    text = read_text(path).splitlines()
    separator = max(",;\t", key=next(iter(text), "").count)
    reader = csv.reader(text, delimiter=separator)
    try:
        lines = [[cell.strip() for cell in line] for line in reader if any(line)]
    except csv.Error as error:
        raise AnnotationError(f"{path} is no table ({error}).") from None
    header = [cell.lower() for cell in lines[0]] if lines else []
    taken = ("label", *parts.SECONDS, *parts.FRAMES, "name")
    unknown = [c for c in header if c not in manifests.EVERY or c in taken]
    if "recording" not in header or unknown or not {*STORED} & {*header}:
        raise AnnotationError(
            f"{path}: the columns are {', '.join(header) or 'none'}; expected are "
            f"recording, one or more of {', '.join(STORED)}, their STREAM_offset and "
            "STREAM_rate, and what else a manifest may have, but the label, the name "
            "and the part, separated by commas, semicolons or tabs."
        )
    rows: dict[str, dict[str, str]] = {}
    for number_, cells in enumerate(lines[1:], 2):
        if len(cells) != len(header):
            raise AnnotationError(
                f"{path}, line {number_}: {len(cells)} cells; the header has "
                f"{len(header)}."
            )
        row = dict(zip(header, cells, strict=True))
        for stream in {*STORED} & {*header}:
            if row[stream]:
                row[stream] = os.path.relpath(path.parent / row[stream], out.parent)
        if row["recording"] in rows:
            raise AnnotationError(f"{path}: {row['recording']!r} stands there twice.")
        rows[row["recording"]] = row
    return rows


def basename(name: str) -> str:
    """Return the file's name of a path or address, of any system."""
    return re.split(r"[/\\]", name.partition("?d=")[2] or name)[-1]


def number(value: float) -> str:
    """Return a number as it is written in a manifest, to the microsecond."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _span(event: Event) -> tuple[float, float]:
    return event.start, event.end


def _counted(left_out: Iterable[tuple[Event, str]]) -> str:
    counts: dict[str, int] = {}
    for _, why in left_out:
        counts[why] = counts.get(why, 0) + 1
    return ", ".join(f"{count} ({why})" for why, count in counts.items())


def _write_table(path: Path, header: list[str], rows: list[list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
