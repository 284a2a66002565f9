"""The rooms of the staged world, and the cameras that stand in them.

Everything random is drawn from a generator seeded by what it belongs to, so that a
setup's room is the same in every clip.
"""

import dataclasses

import numpy as np

from input_pipeline.synthetic.body import UP
from input_pipeline.synthetic.config import SyntheticConfig

# Directions from which cameras 1, 2 and 3 see the scene, as in NTU RGB+D.
CAMERA_ANGLES = (45.0, 0.0, -45.0)
# Kinect v2's colour and infrared lenses sit this far apart, in metres.
BASELINE = 0.052
# First words of the seeds, so that no two uses share random numbers.
ROOM, SUBJECT, TAKE, CLIP = 1, 2, 3, 4


@dataclasses.dataclass(frozen=True)
class Box:
    """A piece of furniture: centre on the floor, sizes, turn, colour, temperature."""

    centre: np.ndarray  # [3], its underside
    size: np.ndarray  # [3]: width, height, depth
    yaw: float
    color: np.ndarray
    heat: float


@dataclasses.dataclass(frozen=True)
class Room:
    """What stands still: walls, floor, furniture, and where the cameras stand."""

    wall: np.ndarray
    floor: np.ndarray
    heat: tuple[float, float]  # wall, floor
    panels: int  # vertical stripes of the wall
    boxes: list[Box]
    distance: float  # of the cameras, metres
    height: float


@dataclasses.dataclass(frozen=True)
class Camera:
    """A pinhole: world metres -> camera metres (Kinect's axes) -> fractions.

    x points to the sensor's left, y up, z forward; pictures are mirrored, as Kinect's
    are, so that x and the column grow together.
    """

    position: np.ndarray
    axes: np.ndarray  # [3 3], rows x y z
    focal: tuple[float, float]  # in fractions of width and of height

    def see(self, points: np.ndarray) -> np.ndarray:
        """World points [... 3] -> camera coordinates [... 3]."""
        return (points - self.position) @ self.axes.T

    def project(self, seen: np.ndarray) -> np.ndarray:
        """Camera coordinates [... 3] -> (column, row) as fractions of the picture."""
        z = np.maximum(seen[..., 2], 0.2)
        column = 0.5 + self.focal[0] * seen[..., 0] / z
        row = 0.5 - self.focal[1] * seen[..., 1] / z
        return np.stack([column, row], -1)


def generator(config: SyntheticConfig, *words: int) -> np.random.Generator:
    """Random numbers that belong to these words and this seed alone."""
    return np.random.default_rng([config.seed, *words])


def room(config: SyntheticConfig, number: int) -> Room:
    """The room of a setup: furniture stands behind the actor for every camera."""
    rng = generator(config, ROOM, number)
    boxes = []
    for _ in range(rng.integers(5, 9)):
        angle, radius = rng.uniform(-1.1, 1.1), rng.uniform(1.5, 3.0)
        boxes.append(
            Box(
                centre=np.array([radius * np.sin(angle), 0, radius * np.cos(angle)]),
                size=rng.uniform([0.25, 0.3, 0.25], [0.9, 1.7, 0.6]),
                yaw=float(rng.uniform(-1, 1)),
                color=hue(rng.uniform(0, 1), rng.uniform(0.1, 0.6), 0.75),
                heat=float(rng.choice([rng.uniform(30, 80), rng.uniform(90, 125)])),
            )
        )
    return Room(
        wall=hue(rng.uniform(0, 1), rng.uniform(0.05, 0.3), rng.uniform(0.55, 0.9)),
        floor=hue(rng.uniform(0.05, 0.15), 0.35, rng.uniform(0.35, 0.6)),
        heat=(float(rng.uniform(45, 80)), float(rng.uniform(30, 60))),
        panels=int(rng.integers(3, 9)),
        boxes=boxes,
        distance=float(rng.uniform(2.2, 2.5)) * config.distance,
        height=float(rng.uniform(1.0, 1.4)),
    )


def camera(config: SyntheticConfig, place: Room, number: int, modality: str) -> Camera:
    """Camera 1, 2 or 3 of a room, through its colour or its infrared lens."""
    angle = np.deg2rad(CAMERA_ANGLES[number - 1])
    sensor = getattr(config, modality)
    position = np.array(
        [
            place.distance * np.sin(angle),
            place.height,
            -place.distance * np.cos(angle),
        ]
    )
    ahead = np.array([0.0, 0.92, 0.0]) - position
    ahead /= np.linalg.norm(ahead)
    aside = np.cross(UP, ahead)
    aside /= np.linalg.norm(aside)
    if modality == "rgb":
        position = position + BASELINE * aside
    focal = 0.5 / np.tan(np.deg2rad(sensor.fov) / 2)
    return Camera(
        position=position,
        axes=np.stack([aside, np.cross(ahead, aside), ahead]),
        focal=(focal * sensor.height / sensor.width, focal),
    )


def hue(angle: float, saturation: float, value: float) -> np.ndarray:
    """A hue, saturation, value in [0, 1] -> RGB in [0, 255]."""
    wheel = np.abs((angle * 6 + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1
    return 255 * value * (1 - saturation * (1 - np.clip(wheel, 0, 1)))
