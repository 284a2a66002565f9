"""Whether an array of joints can be what it is taken for: metres, and [m t v 3].

Nothing in an array says in which unit or order its numbers are. What cannot be a body
in metres, or frames in that order, is refused with the cure; what may be is noted.
"""

import math

import numpy as np

from input_pipeline.formats.notes import note

# Metres; no camera sees a body's joints farther away. Single joints beyond are faults
# of a tracker; where half of all lie beyond, the unit is another one.
FARTHEST_BODY = 20.0
# More tracks than this are frames in the persons' place (Kinect sees six at most).
MAX_TRACKS = 64
# And more than this do not outnumber their frames.
FEW_TRACKS = 6
# Fewer joints than this are no body, of several persons.
FEWEST_JOINTS = 3
# From a frame to the next a body moves less than its joints lie apart. An axis of at
# least so many places whose steps are so many times smaller than those along the
# frames' axis is the true axis of frames.
LONG = 8
SMOOTHER = 8.0


def check_units(points: np.ndarray, seen: np.ndarray) -> None:
    """Raise ValueError where ``points`` [m t v 3] cannot be in metres.

    ``seen`` bool [m t v]: which joints count.
    """
    values = points[seen]
    reach = np.abs(values).max(axis=-1, initial=0.0)  # [joints seen]
    if len(reach) and (middle := float(np.median(reach))) > FARTHEST_BODY:
        raise ValueError(
            f"half of the joints lie farther than {middle:.4g} from the origin; "
            f"expected metres, within {FARTHEST_BODY:g}. Divide millimetres by 1000, "
            "centimetres by 100; pixels (with a score in place of z) are no positions "
            "in space"
        )
    if (far := int((reach > FARTHEST_BODY).sum())) > 0:
        note(
            f"joints farther than {FARTHEST_BODY:g} m",
            f"{far} of {len(reach)}, up to {reach.max():.4g} m",
        )
    still = points.shape[1] > 1 and seen.any() and (points == points[:, :1]).all()
    if still:
        note("skeletons that never move", f"all {points.shape[1]} frames are the same")
    if len(values) > 1 and (values[:, 2] == values[0, 2]).all():
        note("skeletons in a plane", f"z is {values[0, 2]:.4g} in all joints")
    elif len(values) and values.min() >= 0 and values[:, 2].max() <= 1:
        note(
            "z looks like a score",
            "it lies between 0 and 1, and x and y are nowhere negative; expected are "
            "metres: x to the side, y upward, z away from the camera",
        )


def check_shape(array: np.ndarray) -> None:
    """Raise ValueError where an array is neither [t v 3] nor, by its sizes, [m t v 3].

    Persons beyond `MAX_TRACKS`, more persons than frames, or no joints to speak of.
    """
    shape = array.shape
    if array.dtype.kind not in "fiu" or len(shape) not in (3, 4) or shape[-1] != 3:
        raise ValueError(
            f"the array is {array.dtype} {list(shape)}; expected numbers of "
            f"shape [m t v 3] or [t v 3]"
            f"{_advice(shape) if array.dtype.kind in 'fiu' else ''}"
        )
    persons, frames, joints = shape[:3] if len(shape) == 4 else (1, *shape[:2])
    if persons > min(MAX_TRACKS, max(FEW_TRACKS, frames)):
        raise ValueError(
            f"the array is {list(shape)}, of {persons} persons; expected [m t v 3], "
            "persons before frames (np.moveaxis)"
        )
    if len(shape) == 4 and joints < FEWEST_JOINTS:
        raise ValueError(
            f"the array is {list(shape)}, of {joints} joints; expected [m t v 3], "
            "persons before frames before joints (np.moveaxis)"
        )


def check_axes(points: np.ndarray, seen: np.ndarray) -> None:
    """Raise ValueError where time is another axis of ``points`` [m t v 3] than t."""
    shape = list(points.shape)
    steps = [_step(points, seen, axis) for axis in range(3)]
    for axis, name in ((0, "persons"), (2, "joints")):
        if shape[axis] >= LONG and 0 < steps[axis] * SMOOTHER < steps[1]:
            raise ValueError(
                f"the array is {shape}; expected [m t v 3], but neighbours on the axis "
                f"of {name} lie {steps[axis]:.2g} apart, and on that of frames "
                f"{steps[1]:.2g}: the {shape[axis]} are the frames, it seems. "
                f"np.swapaxes(array, {axis - 4}, -3) puts them in order"
            )


def _step(points: np.ndarray, seen: np.ndarray, axis: int) -> float:
    """Root of the mean squared distance of neighbours on an axis; NaN without any."""
    points, seen = np.moveaxis(points, axis, 0), np.moveaxis(seen, axis, 0)
    both = seen[1:] & seen[:-1]
    apart = (points[1:] - points[:-1])[both]
    return math.sqrt((apart**2).sum(axis=-1).mean()) if len(apart) else math.nan


def _advice(shape: tuple[int, ...]) -> str:
    """Say what may be done with an array that is not [m t v 3]; "" if nothing is known.

    ``shape``: its own.
    """
    threes = [axis for axis, size in enumerate(shape) if size == 3]
    if len(shape) == 5 and 1 in shape:
        axis = shape.index(1)
        return f": first take its only member, np.squeeze(array, {axis})"
    if len(shape) not in (3, 4):
        return ""
    if len(shape) == 4 and threes == [0]:
        return (
            ": if it is [3 t v m], np.transpose(array, (3, 1, 2, 0)) puts it in order"
        )
    if len(threes) == 1:
        return f": np.moveaxis(array, {threes[0]}, -1) puts x y z last"
    if shape[-1] == 2:
        return ": it seems to hold x and y without z, which are no positions in space"
    if shape[-1] == 4:
        return ": if x y z are followed by a score, array[..., :3]"
    return ""
