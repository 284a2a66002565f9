"""Skeletons in CSV files: a row a frame, or a row a joint.

**A row a frame**, of one person: x y z of each joint, one joint after the other; or, as
recorders of Kinect write it, a time and then x y z and the tracking state (0, 1 or 2)
of each joint. That form is meant where there are 1 + 4 v columns and every fourth after
the first holds mostly 0, 1 and 2; then nothing else may stand there, and the time must
not fall. A first row in which no cell is a number is a header, and says nothing.

**A row a joint**, of any number of persons: the header names the columns frame, joint,
x, y, z and, if there are several, person and state, in any order; others are passed
over. Joints are whole numbers and count from 0; a person is any text. What has no row
was not seen. Frames are whole numbers of any unit (numbers, every tenth, milliseconds):
the middle one of the distances between those that have a row is one frame, and where
several such distances lie between two, nobody was seen meanwhile.

Cells are separated by commas, semicolons or tabs, whichever the first row has most of;
between semicolons or tabs numbers may have decimal commas.
An empty cell, nan or inf is a joint that was not seen, an empty state is 0. Positions
are in metres.
"""

import csv
import math
import re
from pathlib import Path

import numpy as np

from input_pipeline.formats.notes import note

SEPARATORS = ",;\t"
NEEDED = ("frame", "joint", "x", "y", "z")
STATES = (0, 1, 2)
# Larger numbers are no time stamps and no joints; those would take all memory.
MOST = {"frame": 4 * 10**18, "joint": 1_000}
# So would tables with more places than this, and than this many a row.
LEAST_TABLE = 1_000_000
SPARSEST = 100
# Of so many frames in a row one must have a row: else the numbers are none of frames.
RAREST = 4

# x, x0, x_0, hip_x, hip.x2
_AXIS = re.compile(r"(?:.*[\W_])?([xyz])[\W_]?\d*")

_Rows = list[tuple[int, list[str]]]  # line number and cells


def read(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Returns points [m t v 3], NaN where not seen, and states int [m t v].

    Without states, a joint that is seen has state 2. Raises ValueError naming the line.
    """
    with Path(path).open("rb") as raw:
        if raw.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            raise ValueError("it is in UTF-16, as Excel's Unicode text; expected UTF-8")
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        first = file.readline()
        file.seek(0)
        separator = _separator(first)
        reader = csv.reader(file, delimiter=separator)
        mark = "," if separator != "," else "."  # between a number and its fraction
        try:
            rows = [
                (reader.line_num, [cell.strip().replace(mark, ".") for cell in row])
                for row in reader
            ]
        except csv.Error as error:
            raise ValueError(f"line {reader.line_num}: {error}") from None
    rows = [(line, row) for line, row in rows if any(row)]
    if not rows:
        raise ValueError("there is no row")
    for line, row in rows:
        if row[0].startswith("#"):
            raise ValueError(
                f"line {line}: {row[0][:50]!r} begins with #, as comments do; delete "
                "the line, or the #"
            )
    if all(not row[-1] for _, row in rows):  # each row ends in a separator
        rows = [(line, row[:-1]) for line, row in rows]
    header = [cell.lower() for cell in rows[0][1]]
    if set(NEEDED) <= set(header):
        return _rows_of_joints(header, rows[1:])
    if not any(_is_number(cell) for cell in header):
        _check_header(header)
        rows = rows[1:]
    return _rows_of_frames(_table(rows), [line for line, _ in rows])


def _separator(first: str) -> str:
    """The separator of a first row; beside others a comma stands for a point."""
    others = max(SEPARATORS.replace(",", ""), key=first.count)
    cells = first.split(others)
    if len(cells) > 1 and all(cell.count(",") <= 1 for cell in cells):
        return others
    return max(SEPARATORS, key=first.count)


def _rows_of_frames(
    table: np.ndarray, lines: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    columns = table.shape[1]
    if columns > 1 and columns % 4 == 1:
        joints = table[:, 1:].reshape(len(table), -1, 4)
        states = np.where(np.isnan(joints[..., 3]), 0, joints[..., 3])
        wrong = ~np.isin(states, STATES)
        falls = ~(np.diff(table[:, 0], prepend=table[:1, 0]) >= 0)
        # Positions are now and then 0, hardly ever 1 or 2.
        told = states[states != 0]
        if np.isin(told, STATES).mean() > 0.5 if told.size else not falls.any():
            if wrong.any():
                row, joint = np.argwhere(wrong)[0]
                raise ValueError(
                    f"line {lines[row]}: the state of joint {joint} is "
                    f"{states[row, joint]:g}; expected 0, 1 or 2, since most are"
                )
            if falls.any():
                raise ValueError(
                    f"line {lines[falls.argmax()]}: the time, the first column, is "
                    "before that of the line above, or none"
                )
            return joints[None, ..., :3], states[None].astype(int)
    if not columns or columns % 3:
        raise ValueError(
            f"{columns} columns; expected x y z for each joint, or a time and x y z "
            "and state for each joint, or a header with frame, joint, x, y and z"
        )
    points = table.reshape(1, len(table), -1, 3)
    return points, _states_of(points)


def _rows_of_joints(header: list[str], rows: _Rows) -> tuple[np.ndarray, np.ndarray]:
    if not rows:
        raise ValueError("there is a header but no row")
    persons: dict[str, int] = {}
    lines: dict[tuple[int, int, int], int] = {}
    values = []
    for line, row in rows:
        if len(row) != len(header):
            raise ValueError(
                f"line {line}: {len(row)} columns, the header has {len(header)}"
            )
        cells = dict(zip(header, row, strict=True))
        person = persons.setdefault(cells.get("person", ""), len(persons))
        frame, joint = (_whole(line, key, cells[key]) for key in ("frame", "joint"))
        where = (person, frame, joint)
        if where in lines:
            raise ValueError(
                f"line {line}: joint {joint} of frame {frame} stands in line "
                f"{lines[where]} already"
            )
        lines[where] = line
        numbers = [_number(line, cells[key]) for key in ("x", "y", "z")]
        state = _number(line, cells.get("state", "2") or "0")
        if state not in STATES:
            raise ValueError(
                f"line {line}: the state is {cells['state']!r}; expected 0, 1 or 2"
            )
        values.append((*numbers, state))
    at = np.array(list(lines))
    at[:, 1] = _frames(at[:, 1])
    if at[:, 2].min() > 0:
        raise ValueError(
            f"joint 0 has no row, but joints {at[:, 2].min()} to {at[:, 2].max()} "
            "have; expected joints that count from 0"
        )
    shape = [int(most) + 1 for most in at.max(axis=0)]
    if math.prod(shape) > max(LEAST_TABLE, SPARSEST * len(rows)):
        raise ValueError(
            f"{len(rows)} rows, but persons, frames and joints from 0 to "
            f"{[most - 1 for most in shape]}: nearly all joints have no row"
        )
    table = np.full((*shape, 4), np.nan)
    table[tuple(at.T)] = values
    points = table[..., :3]
    seen = np.isfinite(points).all(axis=-1)
    return points, np.where(seen, table[..., 3], 0).astype(int)


def _frames(numbers: np.ndarray) -> np.ndarray:
    """Frame of each row, from 0, by the numbers in its column frame; see the top."""
    there, at = np.unique(numbers, return_inverse=True)
    apart = np.diff(there)
    if not len(apart):
        return at
    unit = int(np.sort(apart)[(len(apart) - 1) // 2])
    # In whole numbers: floats know no nanoseconds since 1970.
    steps = np.maximum(1, apart // unit + (apart % unit * 2 >= unit))
    frames = np.concatenate([[0], np.cumsum(steps)])
    if len(there) * RAREST < frames[-1] + 1:
        raise ValueError(
            f"nearly all frames have no row: {len(there)} have, of {frames[-1] + 1} "
            f"from {there[0]} to {there[-1]}; expected numbers of frames or times"
        )
    if unit > 1:
        note(
            "frames counted in steps",
            f"the column frame counts in steps of {unit}, from {there[0]} to "
            f"{there[-1]}; each step is one frame",
        )
    return frames[at]


def _check_header(header: list[str]) -> None:
    """Raise ValueError where a header says that the cells are not x y z of joints."""
    if "joint" in header:
        missing = ", ".join(column for column in NEEDED if column not in header)
        raise ValueError(
            f"line 1: the header names joint but not {missing}; expected frame, joint, "
            "x, y and z in a row a joint"
        )
    axes = [match[1] if (match := _AXIS.fullmatch(cell)) else "" for cell in header]
    named = [axis for axis in axes if axis]
    scored = axes[:2] == ["x", "y"] and axes[2:3] != ["z"]
    if scored or named != ["x", "y", "z"] * (len(named) // 3):
        shown = [
            cell for cell, axis in zip(header, axes, strict=True) if axis or scored
        ]
        raise ValueError(
            f"line 1: the columns are {', '.join(shown[:3])}, ...; expected x y z of "
            "each joint, one joint after the other (a score is no z)"
        )


def _table(rows: _Rows) -> np.ndarray:
    """Cells as numbers; every row must be as long as the first."""
    if not rows:
        raise ValueError("there is a header but no row")
    line, first = rows[0]
    for other, row in rows:
        if len(row) != len(first):
            raise ValueError(
                f"line {other}: {len(row)} columns, line {line} has {len(first)}"
            )
    return np.array([[_number(line, cell) for cell in row] for line, row in rows])


def _states_of(points: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(points).all(axis=-1), 2, 0)


def _number(line: int, cell: str) -> float:
    if not cell:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        raise ValueError(f"line {line}: {cell!r} is no number") from None


def _whole(line: int, column: str, cell: str) -> int:
    if not cell.isdecimal() or len(cell) > 19 or int(cell) > MOST[column]:
        raise ValueError(
            f"line {line}: the {column} is {cell!r}; expected a whole number from 0 "
            f"to {MOST[column]}"
        )
    return int(cell)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
