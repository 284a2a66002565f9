"""Skeleton files to the one or two persons that a record holds.

Read are NTU RGB+D's ``.skeleton``, ``.npy`` arrays [t v 3] or [t m v 3], and CSV files
with one row a frame. Positions are in metres.
"""

import csv
from pathlib import Path

import numpy as np

from input_pipeline import records
from input_pipeline.formats import ntu
from input_pipeline.formats.errors import UnusableFile

MAX_PERSONS = 2
# A sensor track of fewer frames is noise, if there is a longer one.
MIN_TRACK = 12
# A standing, sitting or lying person is seldom wider than high for long, but furniture
# taken for a person is: a track is implausible if it is wider than this fraction of its
# height in more than this fraction of its frames, and there is a track that is not.
MAX_WIDTH = 0.8
MAX_WIDE_FRAMES = 0.3

SUFFIXES = (".skeleton", ".npy", ".csv")


def read_skeleton(path: str | Path, min_frames: int = 1) -> records.Skeleton:
    """Read a skeleton file and choose its persons.

    Raises UnusableFile if it is missing, empty, not readable, shows nobody or is short.
    """
    path = Path(path)
    if not path.is_file():
        raise UnusableFile("missing", "there is no such file")
    if not path.stat().st_size:
        raise UnusableFile("empty", "the file has no bytes")
    readers = {".skeleton": _read_ntu, ".npy": _read_npy, ".csv": _read_csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UnusableFile(
            "undecodable", f"a skeleton file ends in {', '.join(SUFFIXES)}"
        )
    try:
        points, tracked, present = reader(path)
    except ValueError as error:
        raise UnusableFile("undecodable", " ".join(str(error).split())) from None
    if points.shape[1] < min_frames:
        raise UnusableFile(
            "too short",
            f"{points.shape[1]} frames; at least {min_frames} are needed",
        )
    if not present.any():
        raise UnusableFile("empty", "nobody is seen in any frame")
    return choose_persons(points, tracked, present)


def choose_persons(
    points: np.ndarray, tracked: np.ndarray, present: np.ndarray
) -> records.Skeleton:
    """Choose at most two persons from sensor tracks, and join tracks that were lost.

    ``points`` [m t v 3], ``tracked`` bool [m t v], ``present`` bool [m t]. The rule:
    1. Tracks in no frame are dropped, then those shorter than MIN_TRACK frames, then
       those of implausible spread; neither of the last two steps drops every track.
    2. The rest are taken in falling order of motion energy: the sum over frames,
       joints and axes of the squared distance from the track's own mean pose.
    3. Each goes to the first person who is in none of its frames (a sensor that loses
       somebody gives a new track on finding them again), else to a new person, up to
       MAX_PERSONS; a track that fits nowhere is dropped.
    Frames in which a person is not present are zero and not tracked.
    """
    tracks = _plausible(points, present, np.flatnonzero(present.any(axis=1)))
    energy = {i: _motion_energy(points[i, present[i]]) for i in tracks}
    persons: list[np.ndarray] = []  # frames in which a person is present, bool [t]
    members: list[list[int]] = []
    for track in sorted(tracks, key=lambda i: (-energy[i], i)):
        free = [
            k for k, taken in enumerate(persons) if not (taken & present[track]).any()
        ]
        if free:
            persons[free[0]] |= present[track]
            members[free[0]].append(track)
        elif len(persons) < MAX_PERSONS:
            persons.append(present[track].copy())
            members.append([track])
    chosen = records.Skeleton(
        points=np.zeros((len(members), *points.shape[1:]), np.float32),
        tracked=np.zeros((len(members), *tracked.shape[1:]), bool),
    )
    for person, indices in enumerate(members):
        for track in indices:
            frames = present[track]
            chosen.points[person, frames] = points[track, frames]
            chosen.tracked[person, frames] = tracked[track, frames]
    return chosen


def _plausible(
    points: np.ndarray, present: np.ndarray, tracks: np.ndarray
) -> list[int]:
    """Drop short tracks and tracks of implausible spread, unless none would be left."""
    kept = [int(i) for i in tracks]
    long = [i for i in kept if present[i].sum() >= MIN_TRACK]
    kept = long or kept
    narrow = []
    for i in kept:
        seen = points[i, present[i]]  # [t v 3]
        extent = seen.max(axis=1) - seen.min(axis=1)  # [t 3]
        wide = extent[:, 0] > MAX_WIDTH * extent[:, 1]
        if wide.mean() <= MAX_WIDE_FRAMES:
            narrow.append(i)
    return narrow or kept


def _motion_energy(seen: np.ndarray) -> float:
    return float(((seen - seen.mean(axis=0)) ** 2).sum(dtype=np.float64))


_Tracks = tuple[np.ndarray, np.ndarray, np.ndarray]


def _read_ntu(path: Path) -> _Tracks:
    bodies = ntu.read_skeleton(path)
    return bodies.points, bodies.tracked == ntu.TRACKED, bodies.present


def _read_npy(path: Path) -> _Tracks:
    with path.open("rb") as file:
        points = np.lib.format.read_array(file, allow_pickle=False)
    if points.ndim == 3:
        points = points[:, None]
    if points.ndim != 4 or points.shape[-1] != 3 or points.dtype.kind not in "fiu":
        raise ValueError(
            f"the array is {points.dtype} {list(points.shape)}; expected numbers of "
            "shape [t v 3] or [t m v 3]"
        )
    return _tracks(points.swapaxes(0, 1))


def _read_csv(path: Path) -> _Tracks:
    """One row a frame: x y z of joint 1, x y z of joint 2, and so on; one person.

    A first row that holds no number is a header. An empty cell is a joint not seen.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if row]
    if rows and not any(_is_number(cell) for cell in rows[0]):
        rows = rows[1:]
    if not rows or len(rows[0]) % 3:
        count = len(rows[0]) if rows else 0
        raise ValueError(f"{count} columns; expected x y z for each joint")
    values = np.full((len(rows), len(rows[0])), np.nan)
    for number, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise ValueError(
                f"frame {number + 1} has {len(row)} columns, frame 1 has {len(rows[0])}"
            )
        for column, cell in enumerate(row):
            if cell.strip():
                values[number, column] = float(cell)
    return _tracks(values.reshape(1, len(rows), -1, 3))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _tracks(points: np.ndarray) -> _Tracks:
    """A joint is seen if its position is finite, and is not the origin itself."""
    tracked = np.isfinite(points).all(axis=-1) & (points != 0).any(axis=-1)
    points = np.where(tracked[..., None], points, 0).astype(np.float32)
    return points, tracked, tracked.any(axis=-1)
