"""What the staged world holds, how large its pictures are, which clips it has."""

import dataclasses
import itertools
import math
from typing import NamedTuple

import numpy as np

from input_pipeline.formats.ntu import NtuName
from input_pipeline.synthetic.actions import ACTIONS
from input_pipeline.synthetic.compound import KNOWN, PARTS, THEN, is_action

DIFFICULTIES = (
    "occluded",
    "dark_rgb",
    "warm_background",
    "bystander",
    "noisy_skeleton",
)
# The fields that switch on worlds of which the usual one knows nothing, with the values
# at which they are off.
WORLDS = {
    "moments": 8,
    "intruding": 0.0,
    "blinding": 0.0,
    "delay": 0.0,
    "distance": 1.0,
    "bystanders": 1,
}


class Sensor(NamedTuple):
    """One modality's picture: its size, its vertical field of view, its rate."""

    width: int
    height: int
    fov: float  # degrees, vertical
    fps: int


@dataclasses.dataclass(frozen=True)
class SyntheticConfig:
    """Everything a staged data set depends on; equal configs give equal bytes."""

    seed: int = 0
    # Names of the classes, from `actions.ACTIONS`; number 1 is the first one.
    actions: tuple[str, ...] = tuple(ACTIONS)
    # Numbers of subjects, of cameras (at most 3), of replications, of setups (rooms).
    # NTU's cross-subject list makes subjects 1 2 4 5 8 9 of these 10 the training half.
    subjects: int = 10
    cameras: int = 3
    replications: int = 2
    setups: int = 2
    # How many clips of the whole grid are made, evenly over the classes; 0: all.
    clips: int = 0

    # Kinect v2's aspects and fields of view at a small size. The two rates differ, so
    # that the two videos of a clip have different numbers of frames.
    rgb: Sensor = Sensor(width=128, height=72, fov=53.8, fps=15)
    ir: Sensor = Sensor(width=96, height=80, fov=60.0, fps=12)
    # Shortest and longest clip, in seconds.
    seconds: tuple[float, float] = (1.6, 2.2)

    # Fractions of the clips with each difficulty, drawn independently; a clip is dark
    # or warm but never both, for then nothing at all would show the action.
    occluded: float = 0.25
    dark_rgb: float = 0.15
    warm_background: float = 0.2
    bystander: float = 0.25
    noisy_skeleton: float = 0.2
    # Standard deviations of the sensors' noise, in grey levels of 255.
    rgb_noise: float = 5.0
    ir_noise: float = 8.0
    # What is wrong with a noisy skeleton: every joint shakes by this standard deviation
    # in metres, and this fraction of them is guessed. A guess is off by the next number
    # and stays so for so many seconds: averaging over time does not mend it.
    joint_noise: float = 0.08
    joints_guessed: float = 0.6
    guess_noise: float = 0.4
    guess_seconds: float = 0.5

    # Worlds in which it matters where one looks; all off here, and then nothing of a
    # data set changes by a byte. A clip is cut into so many equal moments; which of
    # them are intruded or blind is drawn per clip.
    moments: int = 8
    # Fraction of the moments of each stream in which an intruder in a safety vest does
    # another of the actions in the actor's place. The streams' intruded moments overlap
    # as little as can be: at 0.5 each moment shows the actor in one stream alone.
    intruding: float = 0.0
    # Fraction of the clips in which the visible video is dark in a random half of the
    # moments and the infrared one warm all over in the other half.
    blinding: float = 0.0
    # The infrared camera shows what was so many seconds ago, at most; drawn per clip.
    delay: float = 0.0
    # How many times as far from the actor the cameras stand.
    distance: float = 1.0
    # How many people a clip with bystanders has of them.
    bystanders: int = 1

    def __post_init__(self) -> None:
        unknown = [name for name in self.actions if not is_action(name)]
        if unknown or not self.actions:
            raise ValueError(
                f"actions: unknown {unknown}; choose from {', '.join(KNOWN)}, or order "
                f"some of {', '.join(PARTS)} with {THEN.strip()!r}."
            )
        if len(set(self.actions)) < len(self.actions):
            raise ValueError(f"actions: {', '.join(self.actions)} names one twice.")
        numbers = ("seed", "clips", "rgb_noise", "ir_noise", "joint_noise")
        for name in (*numbers, "guess_noise"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name}: got {getattr(self, name)}, expected 0 or more."
                )
        if not 1 <= self.cameras <= 3:
            raise ValueError(f"cameras: got {self.cameras}, expected 1 to 3.")
        for name in ("subjects", "replications", "setups"):
            if not 1 <= getattr(self, name) <= 999:
                raise ValueError(
                    f"{name}: got {getattr(self, name)}, expected 1 to 999."
                )
        if not (1 <= self.moments <= 999 and 1 <= self.bystanders <= 4):
            raise ValueError(
                f"moments, bystanders: got {self.moments} and {self.bystanders}, "
                "expected 1 to 999 and 1 to 4."
            )
        if not (0 <= self.delay <= 1 and 1 <= self.distance <= 4):
            raise ValueError(
                f"delay, distance: got {self.delay} and {self.distance}, expected 0 to "
                "1 seconds and 1 to 4 times as far."
            )
        for name in (*DIFFICULTIES, "joints_guessed", "intruding", "blinding"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(
                    f"{name}: got {getattr(self, name)}, expected a fraction, 0 to 1."
                )
        gone = self.intruding * self.moments
        if abs(gone - round(gone)) > 1e-6:
            raise ValueError(
                f"intruding: got {self.intruding} of {self.moments} moments, which is "
                f"{gone:g}; expected a whole number of them."
            )
        if self.blinding and self.moments % 2:
            raise ValueError(
                f"moments: got {self.moments} with blinding, which takes one half of "
                "them in one stream and the other half in the other; expected an even "
                "number."
            )
        if not 0 < self.guess_seconds < math.inf:
            raise ValueError(
                f"guess_seconds: got {self.guess_seconds}, expected more than 0."
            )
        if self.dark_rgb + self.warm_background > 1:
            raise ValueError(
                "dark_rgb + warm_background is more than 1, but no clip may be both: "
                "lower one of them."
            )
        for name in ("rgb", "ir"):
            sensor = getattr(self, name)
            if sensor.width % 2 or sensor.height % 2 or min(sensor[:2]) < 16:
                raise ValueError(
                    f"{name}: got {sensor.width} x {sensor.height}; the video codec "
                    "wants even lengths of at least 16."
                )
        if not 0.5 <= self.seconds[0] <= self.seconds[1]:
            raise ValueError(
                f"seconds: got {self.seconds}, expected a shortest length of at least "
                "0.5 and a longest one that is no shorter."
            )


def difficulties(config: SyntheticConfig) -> tuple[str, ...]:
    """Names of the difficulties of this world's clips, in the order of their bits."""
    return (*DIFFICULTIES, "blinded") if config.blinding else DIFFICULTIES


def clip_names(config: SyntheticConfig) -> list[NtuName]:
    """The clips of a config, sorted by name; a subset is spread over the classes."""

    def numbers(count: int) -> range:
        return range(1, count + 1)

    grid = [
        NtuName(*numbers)
        for numbers in itertools.product(
            numbers(config.setups),
            numbers(config.cameras),
            numbers(config.subjects),
            numbers(config.replications),
            numbers(len(config.actions)),
        )
    ]
    if not config.clips:
        return grid
    if config.clips > len(grid):
        raise ValueError(
            f"clips: got {config.clips}, but this config's grid has only {len(grid)}: "
            "raise subjects, replications or setups."
        )
    # A random order inside each class, then one clip of each class in turn.
    rank = np.random.default_rng([config.seed, 0]).permutation(len(grid))
    turn: dict[int, int] = {}
    order = []
    for index in rank:
        action = grid[index].action
        turn[action] = turn.get(action, 0) + 1
        order.append((turn[action], action, grid[index]))
    return sorted(name for _, _, name in sorted(order)[: config.clips])
