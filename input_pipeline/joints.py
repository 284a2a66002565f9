"""Joint layouts: which joint mirrors to which, and which two a bone joins.

A mirrored body is no body unless left and right change places too; a data set's layout
says how, and stands in its dataset.json.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from input_pipeline.formats.ntu import JOINTS as KINECT_V2

# Kinect v1's order (Kinect for Windows SDK 1.8, JointType).
KINECT_V1 = (
    "hip_center",
    "spine",
    "shoulder_center",
    "head",
    *("shoulder_left", "elbow_left", "wrist_left", "hand_left"),
    *("shoulder_right", "elbow_right", "wrist_right", "hand_right"),
    *("hip_left", "knee_left", "ankle_left", "foot_left"),
    *("hip_right", "knee_right", "ankle_right", "foot_right"),
)
# COCO's order of keypoints (Lin et al., ECCV 2014).
COCO = (
    "nose",
    *("eye_left", "eye_right", "ear_left", "ear_right"),
    *("shoulder_left", "shoulder_right", "elbow_left", "elbow_right"),
    *("wrist_left", "wrist_right", "hip_left", "hip_right"),
    *("knee_left", "knee_right", "ankle_left", "ankle_right"),
)
# Human3.6M's 17 joints in the order of Pavllo et al. (CVPR 2019).
H36M = (
    "pelvis",
    *("hip_right", "knee_right", "ankle_right"),
    *("hip_left", "knee_left", "ankle_left"),
    *("spine", "thorax", "neck", "head"),
    *("shoulder_left", "elbow_left", "wrist_left"),
    *("shoulder_right", "elbow_right", "wrist_right"),
)
_SIDES = {"left": "right", "right": "left"}


class LayoutError(ValueError):
    """A layout that is not known, or a file that describes none."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """Joint i of the mirrored body is joint ``mirror[i]``; ``bones`` are for pictures.

    Raises LayoutError if ``mirror`` is no permutation that undoes itself, or a bone
    joins a joint that there is not.
    """

    name: str
    mirror: tuple[int, ...]
    bones: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        count = len(self.mirror)
        undone = [
            0 <= other < count and self.mirror[other] == joint
            for joint, other in enumerate(self.mirror)
        ]
        if not count or not all(undone):
            raise LayoutError(
                f"Layout {self.name!r}: mirror is {list(self.mirror)}; expected for "
                "each joint, counted from 0, the joint that it changes places with "
                "(itself in the middle of the body)."
            )
        for bone in self.bones:
            if len(bone) != 2 or not all(0 <= joint < count for joint in bone):
                raise LayoutError(
                    f"Layout {self.name!r}: the bone {list(bone)} does not join two of "
                    f"the {count} joints, counted from 0."
                )

    def facts(self) -> dict[str, Any]:
        """Return what dataset.json says of the layout."""
        return {"layout": self.name, "mirror": self.mirror, "bones": self.bones}


def _named(name: str, joints: Sequence[str], chains: Sequence[str]) -> Layout:
    """Make a layout from names that say left or right, and chains of joints."""

    def other(joint: str) -> str:
        *words, last = joint.split("_")
        return "_".join([*words, _SIDES.get(last, last)])

    bones = []
    for chain in chains:
        at = [joints.index(joint) for joint in chain.split()]
        bones += list(zip(at[:-1], at[1:], strict=True))
    mirror = tuple(joints.index(other(joint)) for joint in joints)
    return Layout(name, mirror, tuple(bones))


def _both(*chains: str) -> tuple[str, ...]:
    return tuple(c.replace("*", side) for c in chains for side in _SIDES)


LAYOUTS = {
    layout.name: layout
    for layout in (
        _named(
            "kinect_v2",
            KINECT_V2,
            (
                "spine_base spine_mid spine_shoulder neck head",
                *_both(
                    "spine_shoulder shoulder_* elbow_* wrist_* hand_* hand_tip_*",
                    "wrist_* thumb_*",
                    "spine_base hip_* knee_* ankle_* foot_*",
                ),
            ),
        ),
        _named(
            "kinect_v1",
            KINECT_V1,
            (
                "hip_center spine shoulder_center head",
                *_both(
                    "shoulder_center shoulder_* elbow_* wrist_* hand_*",
                    "hip_center hip_* knee_* ankle_* foot_*",
                ),
            ),
        ),
        _named(
            "coco",
            COCO,
            (
                *_both("nose eye_* ear_*", "shoulder_* elbow_* wrist_*"),
                *_both("shoulder_* hip_* knee_* ankle_*"),
                "shoulder_left shoulder_right",
                "hip_left hip_right",
            ),
        ),
        _named(
            "h36m",
            H36M,
            (
                "pelvis spine thorax neck head",
                *_both("thorax shoulder_* elbow_* wrist_*"),
                *_both("pelvis hip_* knee_* ankle_*"),
            ),
        ),
    )
}


def by_count(joints: int) -> Layout | None:
    """Return the known layout of so many joints, if there is one.

    Raises LayoutError if there are several: a wrong one would mirror bodies wrongly.
    """
    found = [layout for layout in LAYOUTS.values() if len(layout.mirror) == joints]
    if len(found) > 1:
        names = " or ".join(layout.name for layout in found)
        raise LayoutError(
            f"Skeletons of {joints} joints may be {names}: say which with --layout "
            "(none: not known)."
        )
    return found[0] if found else None


def of_stream(facts: Mapping[str, Any]) -> Layout | None:
    """Return the layout that dataset.json's facts about skeletons name, if any.

    Data sets that were prepared before layouts were stored go by their joints.
    """
    if "layout" not in facts:
        return by_count(facts.get("joints", 0))
    if not facts["layout"]:
        return None
    bones = tuple((int(a), int(b)) for a, b in facts["bones"])
    return Layout(facts["layout"], tuple(facts["mirror"]), bones)


def find(text: str) -> Layout | None:
    """Return a layout by its name, or from a JSON file; "none": there is none.

    The file holds ``{"mirror": [...], "bones": [[0, 1], ...]}``, see `Layout`. Raises
    LayoutError, which lists the names.
    """
    if text == "none":
        return None
    if text in LAYOUTS:
        return LAYOUTS[text]
    path = Path(text)
    if not path.is_file():
        raise LayoutError(
            f"There is no joint layout {text!r}. Known are {', '.join(LAYOUTS)}, none, "
            'or the path of a JSON file: {"mirror": [0, 2, 1], "bones": [[0, 1]]}.'
        )
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        bones = tuple((int(a), int(b)) for a, b in described.get("bones", ()))
        return Layout(path.stem, tuple(map(int, described["mirror"])), bones)
    except LayoutError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) + (
        RecursionError,
        OverflowError,
    ) as error:
        raise LayoutError(
            f"{path} describes no joint layout ({type(error).__name__}: {error}). "
            'Expected {"mirror": [0, 2, 1], "bones": [[0, 1], [0, 2]]}.'
        ) from None
