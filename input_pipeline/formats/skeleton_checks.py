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
# Metres that a body, or a hand, reaches along its longest axis; in feet it is more.
SMALLEST_BODY, LARGEST_BODY = 0.05, 5.0
# So many times as long as high is who lies, and an array whose y is not upward.
LONGER = 1.5
# Trackers write -1 or 99 three times for what they do not see; of measured positions
# fewer than this have three equal numbers.
MARKED = 0.01
_AXES = "expected are metres: x to the side, y upward, z away from the camera"


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
    elif len(values) and 0 <= values[:, 2].min() and values[:, 2].max() <= 1:
        note("z looks like a score", f"it lies between 0 and 1; {_AXES}")
    if len(values) > 1 and (values == np.rint(values)).all():
        note("skeletons of whole metres", "all positions are whole numbers")
    same = (values[:, :2] == values[:, 1:]).all(axis=-1)
    if (count := int(same.sum())) > MARKED * len(values):
        note(
            "joints that look like marks of nothing",
            f"x, y and z of {count} of {len(values)} are the same, as "
            f"{values[same][0, 0]:.4g}; what was not seen is nan, empty or three zeros",
        )
    _note_build(points, seen)


def _note_build(points: np.ndarray, seen: np.ndarray) -> None:
    """Note bodies of a size that nobody has, or longest along another axis than y."""
    whole = seen.all(axis=-1)  # [m t]: bodies of which nothing is missing
    if not whole.any():
        return
    spread = np.ptp(points[whole], axis=1)  # [bodies 3]
    size = float(np.median(spread.max(axis=-1)))
    if not SMALLEST_BODY <= size <= LARGEST_BODY:
        note("bodies of an odd size", f"{size:.3g} m, where nobody is missing a joint")
    x, y, z = np.median(spread, axis=0)
    if max(x, z) > LONGER * y:
        note(
            "bodies that are longest along another axis than y",
            f"they reach {x:.2g}, {y:.2g} and {z:.2g} m along x, y and z; {_AXES}",
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
