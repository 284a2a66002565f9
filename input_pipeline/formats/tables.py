"""Tables of an array of sensors: a row a frame, of h times w values.

Before the values there may be up to three other columns, such as a time and the ambient
temperature; lines of words before the first row of numbers are headers. How many rows
and columns the array has follows from the number of values where there is a sensor of
as many (`SENSORS`); else it must be said. Values run along the array's rows, the top
one first.

The time is the column that the header calls so, else the first one where it rises. Its
unit is the header's (time_ms, "t [us]"), else that of a Unix time of so many digits,
else seconds, or dates and times of day as ISO 8601 writes them: seconds of Unix time
(UTC, where no zone stands) and of the day. A column that counts frames (1, 2, 3, ...)
is none.

Cells are separated by commas, semicolons, tabs or blanks; between semicolons and tabs
numbers may have decimal commas.
"""

import dataclasses
import datetime
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.stamps import span

# Height and width of arrays that are sold, by their number of values.
SENSORS = {
    16: (4, 4),
    64: (8, 8),
    192: (12, 16),
    256: (16, 16),
    768: (24, 32),
    1024: (32, 32),
    1280: (32, 40),
    1920: (40, 48),
    3600: (60, 60),
    4096: (64, 64),
    4800: (60, 80),
    4960: (62, 80),
    19200: (120, 160),
}
MOST_BEFORE = 3  # columns before the values
_LONGEST_LINE = 2**24
_TIME = re.compile(r"(?:.*[\W_])?(time|timestamp|t|sec|seconds?|zeit)(?:[\W_].*)?")
_COUNT = re.compile(r"(?:.*[\W_])?(frame|index|number|no|nr|id)(?:[\W_].*)?")
_UNIX = {"ms": 1e11, "us": 1e14, "ns": 1e17}  # numbers of seconds are not as large
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "msec": 1e-3, "min": 60.0}


@dataclasses.dataclass(frozen=True)
class Table:
    """What is known of a table; ``frames(first, after)`` yields [h w].

    ``times``: see `stamps.span`; ``about``: how its columns were read.
    """

    count: int
    frames: Callable[[int, int], Iterator[np.ndarray]]
    times: np.ndarray | None
    about: str


def layout(columns: int, size: tuple[int, int] | None) -> tuple[int, int, int]:
    """Return how many columns come before the values, and the array's height and width.

    ``size``: its width and height, where somebody says them. Raises ValueError.
    """
    if size is not None:
        width, height = size
        before = columns - width * height
        if not 0 <= before <= MOST_BEFORE:
            raise ValueError(
                f"a row has {columns} cells, but --frame_size says {width} x {height}: "
                f"{width * height} values, and at most {MOST_BEFORE} columns before "
                "them"
            )
        return before, height, width
    for before in range(MOST_BEFORE + 1):
        if columns - before in SENSORS:
            return before, *SENSORS[columns - before]
    for before in range(2):  # any other square of some size
        side = math.isqrt(max(columns - before, 0))
        if side >= 4 and side * side == columns - before:
            return before, side, side
    raise ValueError(
        f"a row has {columns} cells, of which no known sensor has as many values "
        f"(with up to {MOST_BEFORE} columns before them); give --frame_size "
        "STREAM=WIDTHxHEIGHT, or write an array [t h w]"
    )


def of_array(values: np.ndarray, size: tuple[int, int] | None) -> Table:
    """Return the table that an array [t n] is; raises ValueError if it is none."""
    if not len(values):
        raise ValueError("the array has no row")
    before, height, width = layout(values.shape[1], size)
    heads = np.array(values[:, :before], np.float64)

    def frames(first: int, after: int) -> Iterator[np.ndarray]:
        for row in values[first:after]:
            yield np.array(row[before:]).reshape(height, width)

    times, said = _times(heads, [""] * before)
    return Table(len(values), frames, times, _about(before, height, width, said))


def read(path: Path, size: tuple[int, int] | None) -> Table:
    """Open a table of text; goes through it once, and again for its frames.

    Raises UnusableFile naming the line that is wrong.
    """
    names: list[str] = []
    heads: list[list[float]] = []
    shape: tuple[int, int, int] | None = None
    columns, offsets = 0, []
    separator = last = ""
    for number, offset, line in _lines(path):
        separator = separator or _separator(line)
        cells = _cells(line, separator)
        if shape is None:
            if not _is_data(cells):
                names, last = cells, line
                continue
            shape, columns = layout(len(cells), size), len(cells)
        if len(cells) != columns:
            raise UnusableFile(
                "undecodable",
                f"line {number} has {len(cells)} cells, those before it {columns}",
            )
        heads.append([_moment(cell) for cell in cells[: shape[0]]])
        _values(cells, shape, number)
        offsets.append((number, offset))
    if shape is None:
        seen = f"; the last one is {last.strip()[:40]!r}..." if last else ""
        raise UnusableFile("empty", f"no line holds a row of numbers{seen}")
    before, height, width = shape

    def frames(first: int, after: int) -> Iterator[np.ndarray]:
        with path.open("rb") as file:
            for number, offset in offsets[first:after]:
                file.seek(offset)
                line = file.readline(_LONGEST_LINE).decode("utf-8", "replace")
                yield _values(_cells(line, separator), (before, height, width), number)

    named = names if len(names) == columns else [""] * before
    times, said = _times(np.array(heads, np.float64).reshape(len(heads), before), named)
    return Table(len(offsets), frames, times, _about(before, height, width, said))


def _lines(path: Path) -> Iterator[tuple[int, int, str]]:
    """The lines that are not blank: number, byte at which it begins, text."""
    with path.open("rb") as file:
        offset = 0
        for number in range(1, 2**40):
            data = file.readline(_LONGEST_LINE)
            if not data:
                return
            if number == 1 and data[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise UnusableFile(
                    "undecodable", "the table is in UTF-16; export it again in UTF-8"
                )
            try:
                text = data.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                text = data.decode("latin-1")
            if text.strip(" \t\r\n,;"):
                yield number, offset, text
            offset += len(data)


def _separator(line: str) -> str:
    """What cells are separated by: of a line's marks the one that it has most.

    Between semicolons or tabs commas may be decimal: one more than there are marks.
    """
    best = max(";\t,", key=lambda mark: line.count(mark) * (1 if mark == "," else 2))
    return best if best in line else " "


def _cells(line: str, separator: str) -> list[str]:
    line = line.strip("\ufeff\r\n ")
    if separator == " ":
        return line.split()
    cells = [cell.strip().strip('"') for cell in line.split(separator)]
    if len(cells) > 1 and not cells[-1]:  # each row ends in a separator
        cells.pop()
    return cells if separator == "," else [cell.replace(",", ".") for cell in cells]


def _is_data(cells: list[str]) -> bool:
    """Whether no cell is a word: behind the first ones all are numbers."""
    if len(cells) < 4:
        return False
    head, rest = cells[:MOST_BEFORE], cells[MOST_BEFORE:]
    return all(map(_is_number, rest)) and not any(math.isinf(_moment(c)) for c in head)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return not cell  # a hole, which is told with its line
    return True


def _moment(cell: str) -> float:
    """A number, or a date in seconds; infinite if it is neither."""
    try:
        return float(cell)
    except ValueError:
        pass
    try:
        if re.fullmatch(r"\d{1,2}:\d\d:\d\d(\.\d+)?", cell):
            cell = f"1970-01-01 {'0' * (cell[1] == ':')}{cell}"
        moment = datetime.datetime.fromisoformat(cell)
        zone = moment.tzinfo or datetime.UTC  # not that of this machine
        return moment.replace(tzinfo=zone).timestamp()
    except ValueError:
        return math.inf if cell else math.nan


def _values(cells: list[str], shape: tuple[int, int, int], number: int) -> np.ndarray:
    before, height, width = shape
    try:
        return np.array(cells[before:], np.float32).reshape(height, width)
    except ValueError:
        wrong = next(
            i for i, cell in enumerate(cells) if i >= before and not _is_value(cell)
        )
        raise UnusableFile(
            "undecodable",
            f"line {number}, column {wrong + 1}: {cells[wrong][:40]!r} is no number",
        ) from None


def _is_value(cell: str) -> bool:
    return bool(cell) and _is_number(cell)


def _times(heads: np.ndarray, names: list[str]) -> tuple[np.ndarray | None, str]:
    """The times that a table's first columns say, and what each column is."""
    said: list[str] = []
    found: np.ndarray | None = None
    for column in range(heads.shape[1]):
        name, values = names[column].strip().lower(), heads[:, column]
        finite = len(values) > 1 and bool(np.isfinite(values).all())
        rises = finite and bool((np.diff(values) > 0).all())
        counts = finite and bool((np.diff(values) == 1).all() and values[0] % 1 == 0)
        called = bool(_TIME.fullmatch(name))
        if found is None and (called or (not name and column == 0 and rises)):
            if called and not finite:
                raise ValueError(f"column {column + 1} ({name}) holds no times")
            if not called and counts:
                said.append("frame numbers")
                continue
            words = re.findall(r"[a-zµ]+", name)
            unit = next((word for word in words if word in _UNITS), "")
            if not unit:
                large = [name for name, least in _UNIX.items() if values[0] > least]
                unit = [unit, *large][-1]
            seconds = values * _UNITS.get(unit, 1.0)
            found = span([*map(float, seconds)], 0.0)
            lasts = seconds[-1] - seconds[0]
            rate = (len(values) - 1) / lasts if lasts > 0 else 0.0
            runs = f"{rate:.3g} frames a second" if rate else "which does not advance"
            said.append(f"time in {unit or 'seconds'} ({runs})")
        elif _COUNT.fullmatch(name) or counts:
            said.append("frame numbers")
        else:
            said.append(f"{names[column] or 'a column'}, which is not read")
    return found, ", ".join(said)


def _about(before: int, height: int, width: int, said: str) -> str:
    of = f"{said}; then " if before else ""
    return f"a row is {of}{width} x {height} values (width x height)"
