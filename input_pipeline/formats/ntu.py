"""NTU RGB+D's own formats: clip names, official splits and ``.skeleton`` files.

Shahroudy et al., "NTU RGB+D" (CVPR 2016), and Liu et al., "NTU RGB+D 120" (TPAMI
2019), define the names and the protocols. A ``.skeleton`` file is text: the number of
frames; per frame the number of bodies; per body one line of ten fields, the number of
joints, and one line of twelve fields a joint.
"""

import dataclasses
import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

# Subjects of the training half of cross-subject, first of NTU 60, then of NTU 120.
TRAIN_SUBJECTS_60 = frozenset(
    (1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38)
)
TRAIN_SUBJECTS_120 = TRAIN_SUBJECTS_60 | frozenset(
    (45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83)
    + (84, 85, 86, 89, 91, 92, 93, 94, 95, 97, 98, 100, 103)
)
# Cross-view: camera 1 is the test camera.
TRAIN_CAMERAS = frozenset((2, 3))
# What the recordings of NTU 60 span; NTU 120 adds setups 18 to 32.
NUM_SUBJECTS = {60: 40, 120: 106}
NUM_SETUPS = {60: 17, 120: 32}

NUM_JOINTS = 25
# Kinect v2's order.
JOINTS = (
    "spine_base",
    "spine_mid",
    "neck",
    "head",
    "shoulder_left",
    "elbow_left",
    "wrist_left",
    "hand_left",
    "shoulder_right",
    "elbow_right",
    "wrist_right",
    "hand_right",
    "hip_left",
    "knee_left",
    "ankle_left",
    "foot_left",
    "hip_right",
    "knee_right",
    "ankle_right",
    "foot_right",
    "spine_shoulder",
    "hand_tip_left",
    "thumb_left",
    "hand_tip_right",
    "thumb_right",
)
# The fields of a body's line that follow its id.
BODY_FIELDS = (
    "clipped_edges",
    "hand_left_confidence",
    "hand_left_state",
    "hand_right_confidence",
    "hand_right_state",
    "is_restricted",
    "lean_x",
    "lean_y",
    "tracking_state",
)
# Written as whole numbers; the two others are measurements.
_WHOLE = [not field.startswith("lean") for field in BODY_FIELDS]
# The fields of a joint that must be finite: position and orientation.
_MEASURED = [0, 1, 2, 7, 8, 9, 10]
# State of a joint: whether Kinect saw it, guessed it, or has none.
NOT_TRACKED, INFERRED, TRACKED = 0, 1, 2

# Bodies times frames: an hour of four people. Ids that change in every frame would
# otherwise make a small file take all memory.
MAX_ENTRIES = 400_000
# Float32's largest number; what is larger is no measurement.
_LARGEST = float(np.finfo(np.float32).max)

_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")


class NtuName(NamedTuple):
    """The five numbers in ``SsssCcccPpppRrrrAaaa``; all count from 1."""

    setup: int
    camera: int
    subject: int
    replication: int
    action: int

    def __str__(self) -> str:
        return "S{:03d}C{:03d}P{:03d}R{:03d}A{:03d}".format(*self)


def parse_name(text: str | os.PathLike) -> NtuName:
    """Reads a clip's name, alone or as the start of a file's name.

    ``S001C002P003R002A013_rgb.avi`` and ``S001C002P003R002A013`` read alike. Raises
    ValueError if the text does not start with such a name or a number in it is 0.
    """
    stem = Path(text).name
    match = _NAME.match(stem)
    rest = stem[match.end() :] if match else ""
    if match is None or rest[:1].isalnum():
        raise ValueError(
            f"{stem!r} is no NTU RGB+D name: expected SsssCcccPpppRrrrAaaa with three "
            "digits a field, for example S001C002P003R002A013, followed by nothing, "
            "'_' or '.'."
        )
    name = NtuName(*map(int, match.groups()))
    if 0 in name:
        raise ValueError(
            f"{stem!r}: the {name._fields[name.index(0)]} is 0, but NTU RGB+D's "
            "numbers start at 1."
        )
    return name


def is_training(name: NtuName, protocol: str, num_classes: int = 60) -> bool:
    """Whether a clip belongs to the training half of an official protocol.

    ``xsub`` (subjects; the list depends on ``num_classes``, 60 or 120), ``xview``
    (cameras 2 and 3 train, camera 1 tests) or ``xset`` (even setups train, odd ones
    test). Raises ValueError for another protocol.
    """
    if protocol == "xsub":
        if num_classes not in NUM_SUBJECTS:
            raise ValueError(
                f"cross-subject is defined for 60 and 120 classes, got {num_classes}."
            )
        train = TRAIN_SUBJECTS_60 if num_classes == 60 else TRAIN_SUBJECTS_120
        return name.subject in train
    if protocol == "xview":
        return name.camera in TRAIN_CAMERAS
    if protocol == "xset":
        return name.setup % 2 == 0
    raise ValueError(
        f"unknown NTU RGB+D protocol {protocol!r}: expected 'xsub', 'xview' or 'xset'."
    )


class SkeletonError(ValueError):
    """A ``.skeleton`` file that cannot be read; says the file, the line, the cause."""


@dataclasses.dataclass
class Skeletons:
    """All bodies of one recording: m bodies, t frames, v = 25 joints.

    Bodies are in the order in which they first appear. Where ``present`` is False,
    every other entry of that body and frame is 0.
    """

    ids: np.ndarray  # int64 [m]: Kinect's tracking ids
    present: np.ndarray  # bool [m t]
    points: np.ndarray  # float32 [m t v 3]: metres, camera coordinates
    tracked: np.ndarray  # int8 [m t v]: NOT_TRACKED, INFERRED or TRACKED
    depth_xy: np.ndarray  # float32 [m t v 2]: pixels of the depth and infrared image
    color_xy: np.ndarray  # float32 [m t v 2]: pixels of the colour image
    orientation: np.ndarray  # float32 [m t v 4]: quaternion w x y z of the joint
    body: np.ndarray  # float32 [m t 9]: BODY_FIELDS

    @property
    def num_frames(self) -> int:
        return self.present.shape[1]

    @classmethod
    def empty(cls, bodies: int, frames: int) -> "Skeletons":
        """The arrays for so many bodies and frames, all zero and nothing present."""
        joints = (bodies, frames, NUM_JOINTS)
        return cls(
            ids=np.zeros(bodies, np.int64),
            present=np.zeros((bodies, frames), bool),
            points=np.zeros((*joints, 3), np.float32),
            tracked=np.zeros(joints, np.int8),
            depth_xy=np.zeros((*joints, 2), np.float32),
            color_xy=np.zeros((*joints, 2), np.float32),
            orientation=np.zeros((*joints, 4), np.float32),
            body=np.zeros((bodies, frames, len(BODY_FIELDS)), np.float32),
        )


class _Lines:
    """The file's lines, one after the other, with errors that name the place."""

    def __init__(self, path: Path):
        self.path = path
        try:
            self.lines = path.read_text("ascii").splitlines()
        except UnicodeDecodeError as error:
            raise SkeletonError(
                f"{path}: not a text file (byte {error.start} is no ASCII); expected "
                "an NTU RGB+D .skeleton file. Extract it from its archive again."
            ) from None
        self.number = 0

    def error(self, what: str) -> SkeletonError:
        return SkeletonError(
            f"{self.path}, line {self.number}: {what} The file is damaged: extract it "
            "from its archive again."
        )

    def fields(self, count: int, what: str) -> list[str]:
        """The next line, split, which must hold ``count`` fields."""
        self.number += 1
        if self.number > len(self.lines):
            raise self.error(f"the file ends where {what} should stand.")
        fields = self.lines[self.number - 1].split()
        if len(fields) != count:
            raise self.error(
                f"expected {what} ({count} fields), got {len(fields)} fields."
            )
        return fields

    def whole(self, what: str, most: int) -> int:
        """The next line as one whole number in 0..most."""
        (text,) = self.fields(1, what)
        if not text.isdigit() or len(text) > 19 or int(text) > most:
            raise self.error(f"expected {what} (0 to {most}), got {text!r}.")
        return int(text)

    def end(self, what: str) -> None:
        """Makes sure that nothing but blank lines is left."""
        for text in self.lines[self.number :]:
            self.number += 1
            if text.strip():
                raise self.error(f"there is text after {what}.")

    def numbers(self, texts: list[str], what: str) -> np.ndarray:
        try:
            return np.array(texts, np.float64)
        except ValueError:
            raise self.error(f"{what} holds something that is no number.") from None


def read_skeleton(path: str | os.PathLike) -> Skeletons:
    """Reads an NTU RGB+D ``.skeleton`` file.

    A file without any body gives arrays with m = 0. Kinect's mapping of a joint to
    image pixels may be infinite or undefined and is kept as it is; every other field
    must be finite. Raises SkeletonError naming file and line for anything else.
    """
    lines = _Lines(Path(path))
    num_frames = lines.whole("the number of frames", MAX_ENTRIES)
    order: dict[int, int] = {}
    rows = []  # (body's index, frame, body's fields, joints [v 12])
    for frame in range(num_frames):
        seen = set()
        for _ in range(lines.whole(f"frame {frame + 1}'s number of bodies", 6)):
            what = f"a body of frame {frame + 1}"
            fields = lines.fields(1 + len(BODY_FIELDS), what)
            known = fields[0].isdigit() and len(fields[0]) <= 19
            if not known or int(fields[0]) > np.iinfo(np.int64).max:
                raise lines.error(f"expected a body's id, got {fields[0]!r}.")
            identity = int(fields[0])
            if identity in seen:
                raise lines.error(f"body {identity} stands twice in one frame.")
            seen.add(identity)
            body = lines.numbers(fields[1:], what)
            if not (np.abs(body) <= _LARGEST).all():
                raise lines.error(f"{what} has a field that is not finite.")
            joints = lines.whole("the number of joints", NUM_JOINTS)
            if joints != NUM_JOINTS:
                raise lines.error(f"expected {NUM_JOINTS} joints, got {joints}.")
            values = _joints(lines)
            index = order.setdefault(identity, len(order))
            if len(order) * num_frames > MAX_ENTRIES:
                raise lines.error(
                    f"{len(order)} bodies in {num_frames} frames are more than a "
                    "sensor sees."
                )
            rows.append((index, frame, body, values))
    lines.end(f"the last of {num_frames} frames")

    result = Skeletons.empty(len(order), num_frames)
    with np.errstate(over="ignore"):  # pixels may be infinite
        _fill(result, order, rows)
    return result


def _fill(result: Skeletons, order: dict[int, int], rows: list) -> None:
    """Puts rows of (body's index, frame, body's fields, joints [v 12]) in place."""
    result.ids[:] = list(order)
    for index, frame, body, values in rows:
        result.present[index, frame] = True
        result.body[index, frame] = body
        result.points[index, frame] = values[:, 0:3]
        result.depth_xy[index, frame] = values[:, 3:5]
        result.color_xy[index, frame] = values[:, 5:7]
        result.orientation[index, frame] = values[:, 7:11]
        result.tracked[index, frame] = values[:, 11]


def _joints(lines: _Lines) -> np.ndarray:
    """The next 25 joints, [v 12]: all at once, or one by one to name the bad one."""
    start = lines.number
    fields = [line.split() for line in lines.lines[start : start + NUM_JOINTS]]
    try:
        values = np.array(fields, np.float64).reshape(NUM_JOINTS, 12)
    except ValueError:  # too few lines, uneven lines, or words
        values = np.full((NUM_JOINTS, 12), np.nan)
    states = np.isin(values[:, 11], (NOT_TRACKED, INFERRED, TRACKED))
    if states.all() and _measured(values):
        lines.number += NUM_JOINTS
        return values
    return np.stack([_joint(lines, name) for name in JOINTS])


def _measured(values: np.ndarray) -> bool:
    """Whether positions and orientations, [12] or [v 12], are numbers of float32."""
    return bool((np.abs(values[..., _MEASURED]) <= _LARGEST).all())


def _joint(lines: _Lines, name: str) -> np.ndarray:
    """One joint's twelve numbers, checked."""
    values = lines.numbers(lines.fields(12, f"joint {name}"), f"joint {name}")
    if not _measured(values):
        raise lines.error(f"joint {name} has a position or orientation of NaN.")
    if values[11] not in (NOT_TRACKED, INFERRED, TRACKED):
        raise lines.error(
            f"joint {name}'s tracking state is {values[11]:g}, expected 0, 1 or 2."
        )
    return values


def write_skeleton(path: str | os.PathLike, skeletons: Skeletons) -> None:
    """Writes a ``.skeleton`` file that ``read_skeleton`` reads back equal.

    Floats are written with nine significant digits: float32 survives exactly.
    """
    out = [str(skeletons.num_frames)]
    for frame in range(skeletons.num_frames):
        bodies = np.flatnonzero(skeletons.present[:, frame])
        out.append(str(len(bodies)))
        for index in bodies:
            at = (index, frame)
            body = skeletons.body[at].tolist()
            fields = [
                str(int(value)) if whole else f"{value:.9g}"
                for value, whole in zip(body, _WHOLE, strict=True)
            ]
            out.append(" ".join([str(int(skeletons.ids[index])), *fields]))
            out.append(str(NUM_JOINTS))
            values = np.concatenate(
                [
                    skeletons.points[at],
                    skeletons.depth_xy[at],
                    skeletons.color_xy[at],
                    skeletons.orientation[at],
                ],
                axis=-1,
            ).tolist()
            for joint, state in zip(values, skeletons.tracked[at], strict=True):
                out.append(" ".join([f"{x:.9g}" for x in joint] + [str(int(state))]))
    Path(path).write_text("\n".join(out) + "\n", "ascii")
