"""The columns of a manifest that say of which part of a recording a line is.

``start`` and ``end`` in seconds (12.5, or 0:00:12.5), or ``start_frame`` and
``end_frame`` (from 0; the end is the first frame no longer in the part) of the first
stream of the line, by the order of the columns; empty: where the recording begins or
ends. ``STREAM_offset`` in seconds and ``STREAM_rate`` in frames per second say how the
clock of a stream runs: see `input_pipeline.recordings`.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from input_pipeline.builders.base import RawDataError
from input_pipeline.recordings import Clock, Part
from input_pipeline.streams import STORED

SECONDS = ("start", "end")
FRAMES = ("start_frame", "end_frame")
CLOCKS = ("offset", "rate")
COLUMNS = (*SECONDS, *FRAMES, *(f"{s}_{clock}" for s in STORED for clock in CLOCKS))
# Files last no longer, and frames are not more.
_MOST = 1e10
_CLOCK_TIME = re.compile(r"(\d+):([0-5]?\d):([0-5]?\d(?:\.\d*)?)")


def check_columns(where: str, header: Sequence[str]) -> None:
    """Raise RawDataError where columns of parts do not go together."""
    for column in header:
        stream, _, kind = column.rpartition("_")
        if kind in CLOCKS and stream not in header:
            streams = ", ".join(name for name in STORED if name in header)
            raise RawDataError(
                f"{where}: the column {column} is of a stream that the manifest has no "
                f"column of; it has {streams or 'none'}."
            )
    if {*SECONDS} & {*header} and {*FRAMES} & {*header}:
        raise RawDataError(
            f"{where}: there are columns of {', '.join(SECONDS)} and of "
            f"{', '.join(FRAMES)}; give the parts in seconds or in frames."
        )


def read(
    where: str,
    row: Mapping[str, str],
    header: Sequence[str],
    path_of: Callable[[str], Path],
) -> Part | None:
    """Return the part that a line names; None if it is of whole files, as they are.

    ``path_of``: of the line's file of a stream. Raises RawDataError naming the cell
    that is wrong.
    """
    clocks = {}
    there = [column for column in header if column in STORED and row[column]]
    for stream in there:
        offset = _number(where, f"{stream}_offset", row)
        rate = _number(where, f"{stream}_rate", row)
        if rate is not None and rate <= 0:
            raise RawDataError(
                f"{where}: the {stream}_rate is {row[f'{stream}_rate']!r}; expected "
                "frames per second, more than 0, or nothing."
            )
        if offset is not None or rate is not None:
            clocks[stream] = Clock(offset or 0.0, rate or 0.0)
    columns = FRAMES if {*FRAMES} & {*header} else SECONDS
    start, end = (_number(where, column, row) for column in columns)
    for column, value in zip(columns, (start, end), strict=True):
        if value is None:
            continue
        if value < 0 or (columns is FRAMES and value != int(value)):
            kind = "a frame's number" if columns is FRAMES else "seconds"
            raise RawDataError(
                f"{where}: the {column} is {row[column]!r}; expected {kind} from 0, or "
                "nothing."
            )
    if end is not None and end <= (start or 0):
        raise RawDataError(
            f"{where}: the part from {row.get(columns[0]) or 0} to {row[columns[1]]} "
            f"({', '.join(columns)}) has no length: it must end after it starts."
        )
    if start is None and end is None and not clocks:
        return None
    first = there[0]
    counted = (first, path_of(first)) if columns is FRAMES else None
    return Part(start, end, clocks, counted)


def parse(text: str, paths: Mapping[str, Path]) -> Part | None:
    """Return the part that "start=10,end=12.5,ir_offset=2.7" names of some files.

    Raises RawDataError where a manifest with these cells would.
    """
    pairs = [
        (key.strip(), value.strip() if equals else None)
        for key, equals, value in (c.partition("=") for c in text.split(",") if c)
    ]
    said = [key for key, _ in pairs]
    cells = {key: value for key, value in pairs if value is not None}
    odd = [k for k in cells if k not in COLUMNS or said.count(k) > 1]
    odd += [key for key in said if key not in cells]
    if odd:
        raise RawDataError(
            f"The part {text!r} says {', '.join(odd)}; expected are, once each, "
            f"{', '.join((*SECONDS, *FRAMES))}, STREAM_offset and STREAM_rate, as in "
            "start=10,end=12.5,ir_offset=2.7."
        )
    header = [*paths, *cells]
    check_columns(f"The part {text!r}", header)
    row = {stream: str(path) for stream, path in paths.items()} | cells
    return read(f"The part {text!r}", row, header, paths.__getitem__)


def name(row: Mapping[str, str]) -> str:
    """Return what a part adds to the name of its clip."""
    for columns, sign in ((SECONDS, "@"), (FRAMES, "@f")):
        start, end = (row.get(column, "") for column in columns)
        if start or end:
            return f"{sign}{start}-{end}"
    return ""


def _number(where: str, column: str, row: Mapping[str, str]) -> float | None:
    """The number in a cell, None if it is empty or there is no such column."""
    text = row.get(column, "")
    if not text:
        return None
    clock = _CLOCK_TIME.fullmatch(text)
    if clock and column in SECONDS:
        hours, minutes, seconds = clock.groups()
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not abs(number) < _MOST:
        unit = {"rate": "frames per second", "frame": "a frame's number"}
        expected = unit.get(column.rpartition("_")[2], "seconds, as 12.5, with a point")
        hint = ", or 0:00:12.5" if column in SECONDS else ""
        raise RawDataError(
            f"{where}: the {column} is {text[:50]!r}; expected {expected}{hint}, or "
            "nothing (not nan)."
        )
    return number
