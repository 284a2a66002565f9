"""Classes made of other motions: several in a row, or two things told together.

An order is a name like "wave then clap then kick": its frames are those of every other
order of the same parts, so that nothing but the order tells the classes apart. Someone
who carries stands behind a counter with a coloured ball in the hands: only the visible
camera tells the colour, only the joints tell what the legs do behind the counter.
"""

import dataclasses
import itertools
from typing import NamedTuple

import numpy as np

from input_pipeline.synthetic.actions import (
    ACTIONS,
    TAU,
    Duet,
    Style,
    bump,
    perform,
)
from input_pipeline.synthetic.body import Pose, standing

THEN = " then "
# Motions that begin and end with hanging arms and hold nothing: what orders are of.
PARTS = ("wave", "clap", "kick", "jumping jack")
# The ball's hue, saturation and value by name; the infrared camera sees one grey.
COLORS = {"red": (0.0, 0.9, 0.95), "blue": (0.62, 0.9, 0.95), "green": (0.35, 0.9, 0.8)}
LEGS = ("still", "march", "step")


class Carried(NamedTuple):
    """What somebody behind the counter shows: a colour above it, legs below."""

    color: str
    legs: str


# Class -> what it may look like, each with the same chance.
CARRYING: dict[str, tuple[Carried, ...]] = {
    # Told by the colour alone, by the legs alone: each stream knows half of these four.
    "carry red": (Carried("red", "still"),),
    "carry blue": (Carried("blue", "still"),),
    "march": (Carried("green", "march"),),
    "side step": (Carried("green", "step"),),
    # Told by both together, each stream half of what there is to know.
    "red march": (Carried("red", "march"),),
    "red step": (Carried("red", "step"),),
    "blue march": (Carried("blue", "march"),),
    "blue step": (Carried("blue", "step"),),
    # The exclusive or: told by both together and by neither alone.
    "alike": (Carried("red", "march"), Carried("blue", "step")),
    "unlike": (Carried("red", "step"), Carried("blue", "march")),
}
KNOWN = (*ACTIONS, *CARRYING)
# Sets of classes that the command line knows by name.
SETS: dict[str, tuple[str, ...]] = {
    "all": tuple(ACTIONS),
    "orders": tuple(map(THEN.join, itertools.permutations(PARTS[:3]))),
    "orders4": tuple(map(THEN.join, itertools.permutations(PARTS))),
    "complementary": ("carry red", "carry blue", "march", "side step"),
    "product": ("red march", "red step", "blue march", "blue step"),
    "xor": ("alike", "unlike"),
}


def parts(name: str) -> tuple[str, ...]:
    """The parts of an ordered action; none if it is not one."""
    words = tuple(name.split(THEN))
    return words if len(words) > 1 and all(word in PARTS for word in words) else ()


def is_action(name: str) -> bool:
    """Whether the staged world knows how to perform a class of this name."""
    return name in KNOWN or bool(parts(name))


def motion(action: str, u: np.ndarray, style: Style, carried: Carried | None):
    """The motion of any class at the times u [t] of a clip; see `actions.perform`."""
    if carried is not None:
        pose = _carry(u, style, carried.legs)
        return pose.mirrored() if style.left_handed else pose
    if ordered := parts(action):
        return _in_a_row(ordered, u, style)
    return perform(action, u, style)


def _in_a_row(ordered: tuple[str, ...], u: np.ndarray, style: Style) -> Pose:
    """Each part in an equal part of the clip, delay and rest in each of them."""
    place = np.clip(np.floor(u * len(ordered)), 0, len(ordered) - 1).astype(int)
    inside = u * len(ordered) - place
    poses = [perform(part, inside, style) for part in ordered]
    assert not any(isinstance(pose, Duet) for pose in poses)
    chosen = {}
    for field in dataclasses.fields(Pose):
        curves = np.stack([getattr(pose, field.name) for pose in poses])
        chosen[field.name] = curves[place, np.arange(len(u))]
    return Pose(**chosen)


def _carry(u: np.ndarray, style: Style, legs: str) -> Pose:
    """Both hands hold a ball before the chest and rock it; the legs do as they like."""
    pose = standing(len(u))
    rock = 0.12 * style.amplitude * np.sin(TAU * 1.5 * style.tempo * u + style.phase)
    hand = np.stack([np.full(len(u), 0.6), rock - 0.28, np.full(len(u), -0.25)], -1)
    pose.hand_left = pose.hand_right = hand
    pose.holds = np.ones(len(u), bool)
    if legs == "still":
        return pose
    turn = np.sin(TAU * 2 * style.tempo * u + style.phase) * bump(u, 0, 0.1, 0.9, 1)
    for side, sign in (("left", 1), ("right", -1)):
        lift = style.amplitude * np.maximum(0, sign * turn)
        way = {"march": (0.06, 0.11, 0.0), "step": (0.0, 0.02, 0.13)}[legs]
        foot = getattr(pose, f"foot_{side}") + lift[:, None] * np.array(way)
        setattr(pose, f"foot_{side}", foot)
    return pose
