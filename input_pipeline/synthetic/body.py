"""An articulated body: where hands and feet go -> the 25 joints of Kinect v2.

Poses are given in the body's own frame (forward, up, left). The limbs follow by
inverse kinematics of two bones, so that an action is described by a few curves.
"""

import dataclasses

import numpy as np

# Lengths as fractions of a person's height.
HIP_HEIGHT = 0.53
HIP_HALF = 0.055
SHOULDER_HALF = 0.115
SPINE = 0.29  # spine base to spine shoulder
NECK = 0.045
HEAD = 0.085  # neck to head's centre
UPPER_ARM, FOREARM, HAND = 0.165, 0.150, 0.045
THIGH, SHIN, FOOT = 0.255, 0.245, 0.085
ANKLE_HEIGHT = 0.04
ARM = UPPER_ARM + FOREARM

UP = np.array([0.0, 1.0, 0.0])


@dataclasses.dataclass
class Pose:
    """Curves of t frames that make a motion, in units of the person's height.

    Hands are relative to their own shoulder, in arm lengths, as (forward, up, out):
    out points away from the body on either side. Feet are on the ground, relative to
    the spot under the pelvis of someone who stands, as (forward, up, out).
    """

    root: np.ndarray  # [t 3] pelvis, relative to standing: forward, up, left
    lean: np.ndarray  # [t] forward pitch of the trunk, radians
    turn: np.ndarray  # [t] turn of the shoulders to the left, radians
    nod: np.ndarray  # [t] pitch of the head, radians
    hand_left: np.ndarray  # [t 3]
    hand_right: np.ndarray  # [t 3]
    foot_left: np.ndarray  # [t 3]
    foot_right: np.ndarray  # [t 3]
    holds: np.ndarray  # bool [t]: whether the object is in the right hand

    def mirrored(self) -> "Pose":
        """The same motion done by someone of the other handedness."""
        return dataclasses.replace(
            self,
            root=self.root * [1.0, 1.0, -1.0],
            turn=-self.turn,
            hand_left=self.hand_right,
            hand_right=self.hand_left,
            foot_left=self.foot_right,
            foot_right=self.foot_left,
        )


def standing(frames: int) -> Pose:
    """Someone who stands, arms hanging."""

    def constant(*values: float) -> np.ndarray:
        return np.tile(np.array(values), (frames, 1))

    return Pose(
        root=constant(0, 0, 0),
        lean=np.zeros(frames),
        turn=np.zeros(frames),
        nod=np.zeros(frames),
        hand_left=constant(0.08, -0.95, 0.15),
        hand_right=constant(0.08, -0.95, 0.15),
        foot_left=constant(0, 0, 0.075),
        foot_right=constant(0, 0, 0.075),
        holds=np.zeros(frames, bool),
    )


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-9)


def _two_bones(
    start: np.ndarray, goal: np.ndarray, first: float, second: float, pole: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Middle and end joint of two bones that reach from start [t 3] for goal [t 3].

    The middle joint bends towards ``pole``. A goal out of reach is drawn closer.
    """
    along = goal - start
    distance = np.linalg.norm(along, axis=-1, keepdims=True)
    along = _unit(along)
    distance = np.clip(distance, abs(first - second) * 1.02, (first + second) * 0.995)
    bend = _unit(pole - (pole * along).sum(-1, keepdims=True) * along)
    # Law of cosines: how far along, and how far aside, the middle joint lies.
    near = (first**2 - second**2 + distance**2) / (2 * distance)
    aside = np.sqrt(np.maximum(first**2 - near**2, 0))
    return start + near * along + aside * bend, start + distance * along


def joints(pose: Pose, height: float, place: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """The joints [t 25 3] in world metres of a person of this height.

    ``place`` [t 3] is the spot on the floor, ``yaw`` [t] the direction faced: 0 looks
    against the world's z axis, towards the middle camera.
    """
    t = len(pose.lean)
    forward = np.stack([np.sin(yaw), np.zeros(t), -np.cos(yaw)], -1)
    left = np.cross(UP, forward)
    up = np.broadcast_to(UP, (t, 3))

    def body(vector: np.ndarray, side: float = 1.0) -> np.ndarray:
        """(forward, up, out) [t 3] -> world; side -1 makes out point right."""
        f, u, o = (vector[:, i, None] for i in range(3))
        return f * forward + u * up + side * o * left

    def column(value: np.ndarray) -> np.ndarray:
        return value[:, None]

    cos, sin = np.cos(column(pose.lean)), np.sin(column(pose.lean))
    spine = cos * up + sin * forward
    chest = cos * forward - sin * up
    across = np.cos(column(pose.turn)) * left - np.sin(column(pose.turn)) * chest
    nod = column(pose.nod)
    skull = np.cos(nod) * spine + np.sin(nod) * chest

    base = body(pose.root) + HIP_HEIGHT * up
    out = np.zeros((t, 25, 3))
    out[:, 0] = base
    out[:, 1] = base + 0.5 * SPINE * spine
    out[:, 20] = base + SPINE * spine
    out[:, 2] = out[:, 20] + NECK * spine
    out[:, 3] = out[:, 2] + HEAD * skull
    sides = (
        (1.0, 4, 12, 21, pose.hand_left, pose.foot_left),
        (-1.0, 8, 16, 23, pose.hand_right, pose.foot_right),
    )
    for side, arm, leg, tip, hand, foot in sides:
        shoulder = out[:, 20] + side * SHOULDER_HALF * across - 0.015 * spine
        elbow, wrist = _two_bones(
            shoulder,
            shoulder + ARM * body(hand, side),
            UPPER_ARM,
            FOREARM,
            pole=-0.6 * up - 0.5 * forward + side * 0.5 * left,
        )
        reach = _unit(wrist - elbow)
        out[:, arm], out[:, arm + 1], out[:, arm + 2] = shoulder, elbow, wrist
        out[:, arm + 3] = wrist + 0.5 * HAND * reach
        out[:, tip] = wrist + 1.5 * HAND * reach
        out[:, tip + 1] = wrist + 0.8 * HAND * reach - 0.02 * side * left
        hip = base + side * HIP_HALF * left - 0.01 * up
        sole = body(foot, side) + ANKLE_HEIGHT * up
        knee, ankle = _two_bones(
            hip, sole, THIGH, SHIN, pole=forward + side * 0.25 * left
        )
        out[:, leg], out[:, leg + 1], out[:, leg + 2] = hip, knee, ankle
        out[:, leg + 3] = ankle + FOOT * forward - 0.6 * ANKLE_HEIGHT * up
    return out * height + place[:, None]
