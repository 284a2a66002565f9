"""Tables of events: BORIS's aggregated events, VIA's segments, or one's own.

**One's own**: columns label, start and end (or duration), in seconds or as h:mm:ss, or
start_frame and end_frame; recording (the file's name) if there are several, and person.
**BORIS** (aggregated events): Behavior, Start (s), Stop (s), Media file name, Subject;
behaviours without a length are left out. **VIA 3** (temporal segments as CSV):
file_list, temporal_coordinates, metadata; of several attributes one must be named.
"""

import csv
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path

from input_pipeline.conversions.annotations import (
    AnnotationError,
    Annotations,
    Event,
    basename,
    read_text,
)

# What columns may be called, in lower case; the first one that is there.
NAMES = {
    "label": ("label", "class", "action", "activity", "event", "behavior", "behaviour"),
    "start": ("start", "start (s)", "begin", "onset", "start_time", "from"),
    "end": ("end", "stop (s)", "stop", "end_time", "to"),
    "duration": ("duration", "duration (s)"),
    "recording": ("recording", "media file name", "media file", "file", "video"),
    "person": ("person", "subject", "participant"),
}
_NOBODY = "no focal subject"
_VIA = ("file_list", "temporal_coordinates", "metadata")
_TIME = re.compile(r"(\d+):([0-5]?\d):([0-5]?\d(?:\.\d*)?)")


def read(path: Path, attribute: str = "") -> Annotations:
    """Read a table of any of these; raises AnnotationError naming the line."""
    text = read_text(path)
    lines = text.splitlines()
    head = next((line for line in lines if line and not line.startswith("#")), "")
    header_of_via = next((line for line in lines if "CSV_HEADER" in line), "")
    separator = max(",;\t", key=(head or header_of_via).count)
    try:
        rows = [
            [cell.strip() for cell in row]
            for row in csv.reader(lines, delimiter=separator, strict=True)
            if any(row) and not row[0].startswith("#")
        ]
    except csv.Error as error:
        raise AnnotationError(f"{path} is no table ({error}).") from None
    if header_of_via:
        names = header_of_via.partition("=")[2].split(",")
        rows.insert(0, [name.strip() for name in names])
    if len(rows) < 2:
        raise AnnotationError(f"{path} has no line of an event.")
    header = [cell.lower() for cell in rows[0]]
    result = Annotations()
    frames = "start_frame" in header and "end_frame" in header
    result.in_frames = frames
    for number, cells in enumerate(rows[1:], 1):
        where = f"{path}, event {number}"
        if len(cells) != len(header):
            raise AnnotationError(
                f"{where}: {len(cells)} cells; the header has {len(header)}."
            )
        row = dict(zip(header, cells, strict=True))
        read_row = _via if {*_VIA} <= {*header} else _own
        event = read_row(where, row, path.stem, attribute)
        if event.end < event.start:
            result.left_out.append((event, "ends before it starts"))
        elif event.end == event.start:
            result.left_out.append((event, "no length"))
        elif not event.label:
            result.left_out.append((event, "no label"))
        else:
            result.events.append(event)
    return result


def _own(where: str, row: Mapping[str, str], stem: str, attribute: str) -> Event:
    del attribute
    found = {
        key: next((name for name in names if name in row), "")
        for key, names in NAMES.items()
    }
    if "status" in row and "behavior" in row and not found["start"]:
        raise AnnotationError(
            f"{where}: a table of BORIS with a line for each start and stop; export "
            "aggregated events."
        )
    if "start_frame" in row and "end_frame" in row:
        found |= {"start": "start_frame", "end": "end_frame"}
    if (
        not found["label"]
        or not found["start"]
        or not (found["end"] or found["duration"])
    ):
        raise AnnotationError(
            f"{where}: the columns are {', '.join(row)}; expected are label, start and "
            "end (or duration), and recording where there are several."
        )
    start = _seconds(where, found["start"], row)
    if found["end"]:
        end = _seconds(where, found["end"], row)
    else:
        end = start + _seconds(where, found["duration"], row)
    person = row.get(found["person"], "")
    recording = basename(row[found["recording"]]) if found["recording"] else stem
    if not recording:
        raise AnnotationError(
            f"{where}: the cell of {found['recording']} is empty; expected the "
            "recording's name, or no such column where there is but one."
        )
    person = "" if person.lower() == _NOBODY else person
    return Event(recording, start, end, row[found["label"]], person)


def _via(where: str, row: Mapping[str, str], stem: str, attribute: str) -> Event:
    try:
        files, times, values = (json.loads(row[key]) for key in _VIA)
        start, end = map(float, times)
        values = {str(key): str(value) for key, value in values.items()}
        recording = basename(files[0]) if files else stem
    except (ValueError, TypeError, AttributeError) as error:
        raise AnnotationError(
            f"{where}: file_list, temporal_coordinates and metadata are "
            f"{[row[key][:40] for key in _VIA]}; expected a list of files, [start, "
            f"end] and an object ({error})."
        ) from None
    if not attribute and len(values) == 1:
        attribute = next(iter(values))
    if values and attribute not in values:
        raise AnnotationError(
            f"{where}: its attributes are {', '.join(values)}; name one of them as "
            "--attribute."
        )
    return Event(recording, start, end, values.get(attribute, ""))


def _seconds(where: str, column: str, row: Mapping[str, str]) -> float:
    text = row[column].replace(",", ".")
    clock = _TIME.fullmatch(text)
    if clock:
        return 3600 * int(clock[1]) + 60 * int(clock[2]) + float(clock[3])
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1e10:
        raise AnnotationError(
            f"{where}: {column} is {row[column][:50]!r}; expected seconds from 0, as "
            "12.5, or h:mm:ss."
        )
    return value
