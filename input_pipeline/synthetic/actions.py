"""The actions: progress of the clip -> curves of a body, or of two.

Every motion is a function of progress u in [0, 1]. The second of an ordered pair
(`REVERSALS`) is the first one run backwards, exactly: nothing but the order of the
frames tells the two apart.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from input_pipeline.synthetic.body import Pose, standing

TAU = 2 * np.pi


@dataclasses.dataclass(frozen=True)
class Style:
    """How one take differs from another of the same action."""

    amplitude: float = 1.0  # of the movement, about 1
    tempo: float = 1.0  # repetitions of repeated movements, relative
    phase: float = 0.0  # where repeated movements start, radians
    delay: float = 0.08  # fraction of the clip before the action starts
    rest: float = 0.08  # fraction of the clip after it has ended
    left_handed: bool = False


def ease(u: np.ndarray, start: float, end: float) -> np.ndarray:
    """0 before start, 1 after end, smooth between."""
    x = np.clip((u - start) / (end - start), 0, 1)
    return x * x * (3 - 2 * x)


def bump(u: np.ndarray, start: float, top: float, fall: float, end: float):
    """Rises from start to top, stays, falls from fall to end."""
    return ease(u, start, top) * (1 - ease(u, fall, end))


def path(weight: np.ndarray, start: np.ndarray, *goal: float) -> np.ndarray:
    """From start [t 3] (weight 0) to a fixed goal (weight 1)."""
    return start + weight[:, None] * (np.array(goal) - start)


def wave(u: np.ndarray, style: Style) -> Pose:
    pose = standing(len(u))
    raised = bump(u, 0, 0.15, 0.88, 1)
    swing = np.sin(TAU * 2.5 * style.tempo * u + style.phase)
    goal = np.stack(
        [
            np.full(len(u), 0.15),
            0.75 - 0.1 * np.abs(swing),
            0.25 + 0.5 * style.amplitude * swing,
        ],
        -1,
    )
    pose.hand_right = pose.hand_right + raised[:, None] * (goal - pose.hand_right)
    return pose


def clap(u: np.ndarray, style: Style) -> Pose:
    pose = standing(len(u))
    raised = bump(u, 0, 0.15, 0.88, 1)
    apart = 0.5 + 0.5 * np.sin(TAU * 3 * style.tempo * u + style.phase)
    goal = np.stack(
        [
            np.full(len(u), 0.7),
            np.full(len(u), 0.05),
            -0.3 + 0.75 * style.amplitude * apart,
        ],
        -1,
    )
    pose.hand_left = pose.hand_left + raised[:, None] * (goal - pose.hand_left)
    pose.hand_right = pose.hand_right + raised[:, None] * (goal - pose.hand_right)
    return pose


def drink(u: np.ndarray, style: Style) -> Pose:
    pose = standing(len(u))
    raised = bump(u, 0.05, 0.35, 0.7, 0.95)
    pose.hand_right = path(raised, pose.hand_right, 0.38, 0.25, -0.2)
    pose.nod = -0.35 * style.amplitude * bump(u, 0.3, 0.45, 0.6, 0.75)
    pose.holds = np.ones(len(u), bool)
    return pose


def throw(u: np.ndarray, style: Style) -> Pose:
    pose = standing(len(u))
    back, ahead = ease(u, 0.0, 0.35), ease(u, 0.42, 0.6)
    hand = path(back, pose.hand_right, -0.35, 0.65, 0.5)
    hand = path(ahead, hand, 0.95, 0.15, -0.1)
    pose.hand_right = path(ease(u, 0.72, 1), hand, 0.2, -0.9, 0.1)
    pose.hand_left = path(bump(u, 0, 0.35, 0.45, 0.7), pose.hand_left, 0.8, 0.1, 0.2)
    swing = back - 1.7 * ahead + 0.7 * ease(u, 0.72, 1)
    pose.turn = -0.6 * style.amplitude * swing
    pose.lean = 0.35 * style.amplitude * bump(u, 0.42, 0.6, 0.7, 1) - 0.15 * bump(
        u, 0, 0.35, 0.4, 0.5
    )
    pose.foot_left = path(ease(u, 0.3, 0.5), pose.foot_left, 0.16, 0, 0.09)
    pose.root = path(ease(u, 0.3, 0.6), pose.root, 0.08, -0.02, 0)
    pose.holds = u < 0.55
    return pose


def kick(u: np.ndarray, style: Style) -> Pose:
    pose = standing(len(u))
    back, ahead = bump(u, 0.05, 0.25, 0.3, 0.45), bump(u, 0.3, 0.5, 0.6, 0.9)
    foot = path(back, pose.foot_right, -0.2, 0.12, 0.07)
    reach = 0.38 * style.amplitude
    pose.foot_right = path(ahead, foot, 0.42, min(reach, 0.46), 0.04)
    pose.lean = -0.25 * ahead + 0.1 * back
    pose.hand_left = path(ahead, pose.hand_left, 0.55, -0.2, 0.5)
    pose.hand_right = path(ahead, pose.hand_right, -0.3, -0.55, 0.6)
    return pose


def jumping_jack(u: np.ndarray, style: Style) -> Pose:
    pose = standing(len(u))
    cycle = 0.5 - 0.5 * np.cos(TAU * 2 * max(style.tempo, 0.8) * u)
    angle = cycle * min(2.7 * style.amplitude, 2.9) + 0.15
    hands = np.stack([np.full(len(u), 0.1), -np.cos(angle), np.sin(angle)], -1) * 0.97
    pose.hand_left = pose.hand_right = hands
    hop = 0.05 * np.sin(np.pi * cycle)
    feet = np.stack([np.zeros(len(u)), hop, 0.06 + 0.15 * cycle], -1)
    pose.foot_left = pose.foot_right = feet
    pose.root = np.stack([np.zeros(len(u)), hop - 0.03 * cycle, np.zeros(len(u))], -1)
    return pose


def sit_down(u: np.ndarray, style: Style) -> Pose:
    pose = standing(len(u))
    down = ease(u, 0.1, 0.85)
    pose.root = path(down, pose.root, -0.24, -0.24, 0)
    pose.lean = 0.65 * style.amplitude * bump(u, 0.05, 0.4, 0.5, 0.95)
    pose.hand_left = path(down, pose.hand_left, 0.55, -0.62, 0.05)
    pose.hand_right = path(down, pose.hand_right, 0.55, -0.62, 0.05)
    return pose


def pick_up(u: np.ndarray, style: Style) -> Pose:
    pose = standing(len(u))
    low = bump(u, 0.0, 0.45, 0.52, 0.9)
    pose.lean = 1.05 * style.amplitude * low
    pose.root = path(low, pose.root, -0.1, -0.17, 0)
    grasp = ease(u, 0.2, 0.42)
    pose.hand_right = path(grasp, pose.hand_right, 0.35, -0.98, -0.1)
    # What was picked up ends in both hands before the chest.
    lift = ease(u, 0.6, 0.95)
    pose.hand_right = path(lift, pose.hand_right, 0.62, -0.1, -0.28)
    pose.hand_left = path(lift, pose.hand_left, 0.62, -0.1, -0.28)
    pose.holds = u > 0.48
    return pose


def _walk(pose: Pose, u: np.ndarray, distance: np.ndarray, style: Style) -> None:
    """Moves a pose forward by distance [t]; steps follow the distance."""
    stride = distance / 0.36 * TAU / 2 + style.phase
    swing = 0.15 * np.minimum(1, bump(u, 0, 0.1, 0.9, 1) * 1.2)
    for side, sign in (("left", 1), ("right", -1)):
        foot = getattr(pose, f"foot_{side}").copy()
        hand = getattr(pose, f"hand_{side}").copy()
        foot[:, 0] += distance + sign * swing * np.sin(stride)
        foot[:, 1] += 0.5 * swing * np.maximum(0, sign * np.cos(stride))
        hand[:, 0] -= sign * 3 * style.amplitude * swing * np.sin(stride)
        hand[:, 1] += 0.6 * swing
        setattr(pose, f"foot_{side}", foot)
        setattr(pose, f"hand_{side}", hand)
    pose.root = pose.root + distance[:, None] * [1.0, 0, 0]
    pose.root[:, 1] -= 0.012


def approach(u: np.ndarray, style: Style) -> Pose:
    pose = standing(len(u))
    _walk(pose, u, 0.85 * (ease(u, -0.1, 1.1) - 0.62), style)
    return pose


@dataclasses.dataclass
class Duet:
    """Two bodies that face each other, and the metres between them [t]."""

    first: Pose
    second: Pose
    gap: np.ndarray


def handshake(u: np.ndarray, style: Style) -> Duet:
    first, second = standing(len(u)), standing(len(u))
    reach = bump(u, 0, 0.25, 0.85, 1)
    shake = np.sin(TAU * 3 * style.tempo * u + style.phase) * bump(u, 0.2, 0.3, 0.8, 1)
    for pose in (first, second):
        hand = path(reach, pose.hand_right, 0.85, -0.4, -0.3)
        hand[:, 1] += 0.14 * style.amplitude * shake
        pose.hand_right = hand
        pose.lean = 0.08 * reach
    return Duet(first, second, np.full(len(u), 1.02))


def push(u: np.ndarray, style: Style) -> Duet:
    first, second = standing(len(u)), standing(len(u))
    back, ahead = ease(u, 0, 0.25), ease(u, 0.3, 0.48)
    for side in ("left", "right"):
        hand = path(back, getattr(first, f"hand_{side}"), 0.3, 0.0, 0.0)
        hand = path(ahead, hand, 0.97, 0.05, -0.05)
        hand = path(ease(u, 0.75, 1), hand, 0.1, -0.9, 0.15)
        setattr(first, f"hand_{side}", hand)
    first.lean = 0.35 * style.amplitude * bump(u, 0.28, 0.48, 0.65, 0.95)
    first.foot_left = path(ahead, first.foot_left, 0.14, 0, 0.08)
    first.root = path(ahead, first.root, 0.1, -0.02, 0)
    hit = ease(u, 0.4, 0.62)
    second.lean = -0.45 * style.amplitude * bump(u, 0.38, 0.52, 0.6, 0.9)
    for side in ("left", "right"):
        flung = bump(u, 0.4, 0.52, 0.65, 0.95)
        hand = path(flung, getattr(second, f"hand_{side}"), 0.6, 0.1, 0.5)
        setattr(second, f"hand_{side}", hand)
    return Duet(first, second, 0.72 + 0.42 * style.amplitude * hit)


def hug(u: np.ndarray, style: Style) -> Duet:
    first, second = standing(len(u)), standing(len(u))
    near = ease(u, 0, 0.5)
    opened = bump(u, 0, 0.3, 0.3, 0.6)
    closed = ease(u, 0.35, 0.65)
    for pose, height in ((first, 0.1), (second, -0.25)):
        for side in ("left", "right"):
            hand = path(opened, getattr(pose, f"hand_{side}"), 0.6, 0.1, 0.65)
            hand = path(closed, hand, 0.85, height, -0.2)
            setattr(pose, f"hand_{side}", hand)
        pose.lean = 0.14 * style.amplitude * closed
    return Duet(first, second, 1.15 - 0.75 * near)


def high_five(u: np.ndarray, style: Style) -> Duet:
    first, second = standing(len(u)), standing(len(u))
    windup, hit = ease(u, 0, 0.35), bump(u, 0.38, 0.55, 0.65, 0.95)
    fall = ease(u, 0.7, 1)
    for pose in (first, second):
        hand = path(windup, pose.hand_right, -0.05, 0.85, 0.35)
        hand = path(hit, hand, 0.75, 0.7, -0.3)
        pose.hand_right = path(fall, hand, 0.08, -0.95, 0.15)
        pose.lean = 0.1 * style.amplitude * hit
    return Duet(first, second, np.full(len(u), 1.08))


# Class name -> motion, in the order in which the classes are numbered.
ACTIONS: dict[str, Callable[[np.ndarray, Style], Pose | Duet]] = {
    "wave": wave,
    "clap": clap,
    "drink": drink,
    "throw": throw,
    "kick": kick,
    "jumping jack": jumping_jack,
    "sit down": sit_down,
    "stand up": lambda u, style: sit_down(1 - u, style),
    "pick up": pick_up,
    "put down": lambda u, style: pick_up(1 - u, style),
    "approach": approach,
    "leave": lambda u, style: approach(1 - u, style),
    "handshake": handshake,
    "push": push,
    "hug": hug,
    "high five": high_five,
}
# Ordered pairs: each is the other one run backwards.
REVERSALS = (("sit down", "stand up"), ("pick up", "put down"), ("approach", "leave"))
TWO_PERSONS = ("handshake", "push", "hug", "high five")


def progress(u: np.ndarray, style: Style) -> np.ndarray:
    """Time as a fraction of the clip -> progress of the action."""
    return np.clip((u - style.delay) / (1 - style.delay - style.rest), 0, 1)


def perform(action: str, u: np.ndarray, style: Style) -> Pose | Duet:
    """The motion at the times u [t] of a clip, mirrored for the left-handed.

    Reversed actions take the same times backwards, delay and rest included.
    """
    backwards = action in {second for _, second in REVERSALS}
    if backwards:
        motion = ACTIONS[action](1 - progress(1 - u, style), style)
    else:
        motion = ACTIONS[action](progress(u, style), style)
    if style.left_handed:
        if isinstance(motion, Duet):
            motion = dataclasses.replace(
                motion, first=motion.first.mirrored(), second=motion.second.mirrored()
            )
        else:
            motion = motion.mirrored()
    return motion
