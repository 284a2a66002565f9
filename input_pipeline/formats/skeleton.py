"""Skeleton files to the one or two persons that a record holds.

Read are NTU RGB+D's ``.skeleton``, ``.npy`` arrays [m t v 3] or [t v 3], and CSV files
(see `skeleton_csv`). Positions are in metres, as Kinect gives them: x to the side, y
upward, z away from the camera. Turning and mirroring go by these axes. Arrays that
cannot be that, by their size or order, are refused: see `skeleton_checks`.

A joint whose position is not finite, beyond `FARTHEST`, or the origin itself, was not
seen. It takes the place on the line between the moments before and after at which the
same track's joint was seen, or that of the nearest such moment at the ends, and is
marked as not tracked; a joint that a track never shows stays at the origin. A person
who is in a frame with no joint at all is absent: zeros. Only a ``.skeleton`` file with
a position that is not finite is refused: Kinect writes none, so the file is damaged.
"""

import math
from pathlib import Path

import numpy as np

from input_pipeline import records
from input_pipeline.formats import ntu, skeleton_checks, skeleton_csv
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.kept import kept

MAX_PERSONS = 2
# A sensor track of fewer frames is noise, if there is a longer one.
MIN_TRACK = 12
# A person is seldom wider than high for long, but furniture that Kinect takes for a
# person is: a track of a ``.skeleton`` file is implausible if it is wider than this
# fraction of its height in more than this fraction of its frames, and there is a track
# that is not. Somebody who falls and stays down, or bends, is wide in part of the
# frames only. Persons of other files were put there by somebody: they are believed.
MAX_WIDTH = 0.8
MAX_WIDE_FRAMES = 0.7

# Metres by which a sensor that has lost somebody may misplace the body on finding it
# again, and metres a frame that people walk (1.5 m/s at 30 frames a second): who stands
# farther from where a person was last seen is somebody else.
MISPLACED = 0.5
WALKING = 0.05

# Metres; what is farther away, or not finite, was not seen.
FARTHEST = 100.0

SUFFIXES = (".skeleton", ".npy", ".csv")


def read_skeleton(
    path: str | Path, min_frames: int = 1, part: tuple[int, int] | None = None
) -> records.Skeleton:
    """Read a skeleton file and choose its persons.

    ``part``: only the frames from one number to before another. Raises UnusableFile if
    it is missing, empty, not readable, shows nobody or is short.
    """
    path = Path(path)
    points, tracked, present = _read(path) if part is None else _recording(path)
    if part is not None:
        here = slice(*part)
        points, tracked = points[:, here], tracked[:, here]
        present = present[:, here]
    if points.shape[1] < min_frames:
        raise UnusableFile(
            "too short",
            f"{points.shape[1]} frames; at least {min_frames} are needed",
        )
    if not present.any():
        raise UnusableFile("empty", "nobody is seen in any frame")
    furniture = path.suffix.lower() == ".skeleton"
    return choose_persons(points, tracked, present, furniture)


def count_frames(path: Path) -> int:
    """Return how many frames a skeleton file has; raises as `read_skeleton` does."""
    return _recording(path)[0].shape[1]


def _read(path: Path) -> "_Tracks":
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
        return reader(path)
    except (ValueError, MemoryError, RecursionError) as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise UnusableFile("undecodable", text[:300]) from None


_recording = kept(1)(_read)


def choose_persons(
    points: np.ndarray, tracked: np.ndarray, present: np.ndarray, furniture: bool = True
) -> records.Skeleton:
    """Choose at most two persons from sensor tracks, and join tracks that were lost.

    ``points`` [m t v 3], ``tracked`` bool [m t v], ``present`` bool [m t]. The rule:
    1. Tracks in no frame are dropped, then those shorter than MIN_TRACK frames, then,
       where ``furniture`` may be among them, those of implausible spread; neither of
       the last two steps drops every track.
    2. The rest are taken in falling order of motion energy: the sum over frames,
       joints and axes of the squared distance from the track's own mean pose.
    3. Each goes to the first person who is in none of its frames and could have come
       from and gone to where it is (a sensor that loses somebody gives a new track on
       finding them again; MISPLACED, WALKING), else to a new person, up to MAX_PERSONS;
       a track that fits nowhere is dropped.
    Frames in which a person is not present are zero and not tracked.
    """
    tracks = [int(i) for i in np.flatnonzero(present.any(axis=1))]
    tracks = [i for i in tracks if present[i].sum() >= MIN_TRACK] or tracks
    if furniture:
        tracks = [i for i in tracks if not _wide(points[i, present[i]])] or tracks
    energy = {i: _motion_energy(points[i, present[i]]) for i in tracks}
    members: list[list[int]] = []
    for track in sorted(tracks, key=lambda i: (-energy[i], i)):
        fits = [
            person for person in members if _one_person(points, present, person, track)
        ]
        if fits:
            fits[0].append(track)
        elif len(members) < MAX_PERSONS:
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


def _wide(track: np.ndarray) -> bool:
    """Whether a track [t v 3] is wider than high for long; see MAX_WIDTH."""
    seen = np.where((track != 0).any(axis=-1, keepdims=True), track, np.nan)
    extent = np.nanmax(seen, axis=1) - np.nanmin(seen, axis=1)  # [t 3]
    wide = extent[:, 0] > MAX_WIDTH * extent[:, 1]
    return bool(wide.mean() > MAX_WIDE_FRAMES)


def _one_person(
    points: np.ndarray, present: np.ndarray, person: list[int], track: int
) -> bool:
    """Whether a track may show a person of whom other tracks are known; rule 3."""
    frames, whose = np.nonzero(present[[*person, track]].T)
    if (np.diff(frames) == 0).any():
        return False  # in one frame with another track
    bodies = points[[*person, track]][whose, frames]  # [n v 3]
    seen = (bodies != 0).any(axis=-1, keepdims=True)
    places = bodies.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)  # 0 where not seen
    steps = np.linalg.norm(np.diff(places, axis=0), axis=-1)
    changes = (whose[1:] == len(person)) != (whose[:-1] == len(person))
    within = steps <= MISPLACED + WALKING * np.diff(frames)
    return bool(within[changes].all())


def _motion_energy(seen: np.ndarray) -> float:
    return float(((seen - seen.mean(axis=0)) ** 2).sum(dtype=np.float64))


_Tracks = tuple[np.ndarray, np.ndarray, np.ndarray]


def _read_ntu(path: Path) -> _Tracks:
    bodies = ntu.read_skeleton(path)
    return _tracks(bodies.points, bodies.tracked == ntu.TRACKED)


def _read_npy(path: Path) -> _Tracks:
    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read_header = np.lib.format.read_array_header_1_0
            if version != (1, 0):
                read_header = np.lib.format.read_array_header_2_0
            shape, _, dtype = read_header(file)
            promised = file.tell() + math.prod(shape) * dtype.itemsize
            if dtype.hasobject:
                raise ValueError(
                    f"the array {list(shape)} is of Python objects, which are not "
                    "read; expected numbers (array.astype(np.float32))"
                )
            if promised > path.stat().st_size:
                raise ValueError(
                    f"the header promises {dtype} {list(shape)}, {promised} bytes, but "
                    f"the file has {path.stat().st_size}"
                )
            file.seek(0)
            points = np.lib.format.read_array(file, allow_pickle=False)
        except ValueError:
            raise
        except Exception as error:  # a damaged header makes numpy raise almost anything
            raise ValueError(f"no array of numbers: {error}") from None
    skeleton_checks.check_shape(points)
    found = _tracks(points if points.ndim == 4 else points[None])
    skeleton_checks.check_axes(found[0], found[1])
    return found


def _read_csv(path: Path) -> _Tracks:
    points, states = skeleton_csv.read(path)
    return _tracks(points, states == ntu.TRACKED)


def _tracks(points: np.ndarray, tracked: np.ndarray | None = None) -> _Tracks:
    """Fills joints that were not seen; see the top of this file."""
    # In half precision FARTHEST itself and all thousands of metres may be infinite, and
    # the smallest integer is its own absolute value.
    with np.errstate(over="ignore", invalid="ignore"):
        points = points.astype(np.float64)
    finite = np.isfinite(points).all(axis=-1) & (points != 0).any(axis=-1)
    skeleton_checks.check_units(np.where(finite[..., None], points, 0), finite)
    seen = finite & (np.abs(points) <= FARTHEST).all(axis=-1)
    points = np.where(seen[..., None], points, 0).astype(np.float32)
    present = seen.any(axis=-1)  # [m t]
    gaps = present[..., None] & ~seen
    for track, joint in np.argwhere(gaps.any(axis=1)):
        at, known = np.flatnonzero(gaps[track, :, joint]), seen[track, :, joint]
        if known.any():
            for axis in range(3):
                line = points[track, known, joint, axis]
                values = np.interp(at, np.flatnonzero(known), line)
                points[track, at, joint, axis] = values
    return points, seen if tracked is None else seen & tracked, present
