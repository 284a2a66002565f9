"""Arrays that cannot be metres [m t v 3] are refused; what may not be is noted."""

import numpy as np
import pytest

from input_pipeline.formats import notes, skeleton
from input_pipeline.formats.errors import UnusableFile


def body(persons: int = 2, frames: int = 30, joints: int = 25) -> np.ndarray:
    """Upright persons 3 m away, whose joints lie far apart and move 2 cm a frame."""
    random = np.random.default_rng(0)
    pose = random.uniform(-0.9, 0.9, (persons, 1, joints, 3))
    walk = random.normal(0, 0.01, (persons, frames, joints, 3)).cumsum(axis=1)
    return pose + walk + [0.0, 0.0, 3.0]


def read(path, array: np.ndarray):
    """The skeleton of a file with this array, and what was noted of it."""
    np.save(path / "a.npy", array)
    with notes.listening() as heard:
        return skeleton.read_skeleton(path / "a.npy"), heard


def reason(path, array: np.ndarray) -> str:
    with pytest.raises(UnusableFile) as caught:
        read(path, array)
    return str(caught.value)


@pytest.mark.parametrize("dtype", ["f2", ">f2", "f4", "f8", "longdouble"])
def test_metres_in_every_precision(tmp_path, dtype):
    points = body().astype(dtype)
    found, heard = read(tmp_path, points)
    assert not heard and found.tracked.all()
    order = np.argsort(-((points - points.mean(1, keepdims=True)) ** 2).sum((1, 2, 3)))
    np.testing.assert_array_equal(found.points, points.astype("f4")[order])


@pytest.mark.parametrize("lost", [np.inf, -np.inf, np.nan])
def test_infinite_half_floats_are_joints_not_seen(tmp_path, lost):
    points = body(1).astype(np.float16)
    points[0, :, 4] = [[1.0, 0.5, 3.0]] * 30
    points[0, 9:11, 4, 1] = lost
    single, _ = read(tmp_path, points.astype(np.float32))
    half, _ = read(tmp_path, points)
    np.testing.assert_array_equal(half.points, single.points)
    assert half.points[0, 9:11, 4].tolist() == [[1.0, 0.5, 3.0]] * 2
    assert half.tracked.sum() == 30 * 25 - 2 and not half.tracked[0, 9:11, 4].any()


@pytest.mark.parametrize(
    ("scale", "origin"), [(1000, 0), (1000, -3), (100, 0), (100, -3)]
)
@pytest.mark.parametrize("dtype", ["f4", "i4"])
def test_millimetres_and_centimetres_are_refused(tmp_path, scale, origin, dtype):
    """Seen from a camera, or from the body's own middle (3 m nearer)."""
    points = ((body() + [0, 0, origin]) * scale).astype(dtype)
    text = reason(tmp_path, points)
    assert "expected metres, within 20. Divide millimetres by 1000" in text


@pytest.mark.parametrize("name", ["a.npy", "a.csv"])
def test_pixels_with_a_score_are_refused(tmp_path, name):
    points = np.random.default_rng(0).uniform(0, 1, (30, 17, 3)) * [640, 480, 1]
    if name == "a.npy":
        np.save(tmp_path / name, points)
    else:
        np.savetxt(tmp_path / name, points.reshape(30, -1), delimiter=",")
    with pytest.raises(UnusableFile, match=r"pixels \(with a score in place of z\)"):
        skeleton.read_skeleton(tmp_path / name)


def test_pixels_as_parts_of_the_picture_are_noted(tmp_path):
    points = np.random.default_rng(0).uniform(0.01, 1, (30, 17, 3))
    assert "z looks like a score: " in read(tmp_path, points)[1][0]
    points[..., 2] = 0.5
    assert read(tmp_path, points)[1] == ["skeletons in a plane: z is 0.5 in all joints"]


def test_single_joints_far_away_are_noted_or_not_seen(tmp_path):
    points = body(1)
    points[0, 3, 3] = [0, 30, 3]
    points[0, 5, 5] = [0, 3000, 3]
    found, heard = read(tmp_path, points)
    assert heard == ["joints farther than 20 m: 2 of 750, up to 3000 m"]
    assert found.points[0, 3, 3].tolist() == [0, 30, 3] and found.tracked[0, 3, 3]
    between = (points[0, 4, 5] + points[0, 6, 5]) / 2
    np.testing.assert_allclose(found.points[0, 5, 5], between, rtol=1e-6)
    assert not found.tracked[0, 5, 5] and found.tracked.sum() == 749


@pytest.mark.parametrize("frames", [10, 30, 100])
@pytest.mark.parametrize("persons", [1, 2])
@pytest.mark.parametrize(
    "order",
    ["t v m 3", "t m v 3", "m v t 3", "v t m 3", "v m t 3", "3 t v m", "m t 3 v"],
)
def test_axes_in_another_order_are_refused(tmp_path, order, persons, frames):
    points = body(persons, frames)
    axes = ["m t v 3".split().index(axis) for axis in order.split()]
    assert "expected" in reason(tmp_path, points.transpose(axes))


@pytest.mark.parametrize("joints", [17, 25])
@pytest.mark.parametrize("order", ["v t 3", "3 t v", "t 3 v", "v 3 t"])
def test_axes_of_one_person_in_another_order_are_refused(tmp_path, order, joints):
    points = body(1, 40, joints)[0]
    axes = ["t v 3".split().index(axis) for axis in order.split()]
    assert "expected" in reason(tmp_path, points.transpose(axes))


def test_what_to_do_with_another_order_is_said(tmp_path):
    points = body(2, 40)
    assert "np.transpose(array, (3, 1, 2, 0))" in reason(
        tmp_path, points.T.swapaxes(1, 2)
    )
    turned = points.swapaxes(1, 2)
    text = reason(tmp_path, turned)
    assert "the 40 are the frames, it seems. np.swapaxes(array, -2, -3)" in text
    np.testing.assert_array_equal(np.swapaxes(turned, -2, -3), points)
    assert "np.moveaxis(array, 1, -1)" in reason(tmp_path, points[0].swapaxes(1, 2))
    assert "array[..., :3]" in reason(tmp_path, np.ones((40, 25, 4)))
    assert "x and y without z" in reason(tmp_path, np.ones((40, 17, 2)))
    assert "np.squeeze(array, 0)" in reason(tmp_path, np.ones((1, 3, 40, 25, 2)))


def test_what_stands_still_or_jumps_is_in_order(tmp_path):
    """Nothing is refused for a body at rest, a lively one, or two that are alike."""
    rest = np.repeat(body(1, 1), 30, axis=1)
    assert read(tmp_path, rest)[0].points.shape == (1, 30, 25, 3)
    lively = np.random.default_rng(0).normal(size=(2, 30, 25, 3)) + [0, 0, 3]
    assert read(tmp_path, lively)[0].points.shape == (2, 30, 25, 3)
    twice = np.repeat(lively[:1], 9, axis=0)
    assert "the 9 are the frames" in reason(
        tmp_path, twice + np.arange(9)[:, None, None, None] / 1e4
    )
    assert read(tmp_path, twice)[0].points.shape == (2, 30, 25, 3)


def test_a_body_that_never_moves_is_noted(tmp_path):
    points = body(1, 1, 17)[0]
    still = np.repeat(points, 30, axis=0)
    assert read(tmp_path, still)[1] == [
        "skeletons that never move: all 30 frames are the same"
    ]
    still[7, 3, 1] += 0.001
    assert read(tmp_path, still)[1] == []
    with pytest.raises(UnusableFile, match=r"complex128 .* or \[t v 3\]$"):
        read(tmp_path, still.astype(complex))


def test_what_no_body_in_metres_is_like_gets_a_word(tmp_path):
    points = body(1, 30)[0]  # some 1.8 m along each axis
    for change, said in (
        (points * 3.28, "bodies of an odd size: 5.85 m, where nobody is missing a jo"),
        (points / 50, "bodies of an odd size: 0.0357 m"),
        (np.rint(points), "skeletons of whole metres: all positions are whole numbers"),
        (
            points * [1, 0.3, 1],
            "longest along another axis than y: they reach 1.7, 0.5 a",
        ),
        (points * [1, 1, 0.1] + [0, 0, 0.5], "z looks like a score: it lies between 0"),
    ):
        assert said in " | ".join(read(tmp_path, change)[1])
    marked = points.copy()
    marked[:10, 3] = -1  # 10 of 750 joints
    (line,) = read(tmp_path, marked)[1]
    assert line.startswith("joints that look like marks of nothing: x, y and z of 10 ")
    assert "are the same, as -1; what was not seen is nan" in line
    marked[3:] = points[3:]  # 3 of 750 may be so by chance
    assert read(tmp_path, marked)[1] == []


def test_an_array_of_objects_is_called_so(tmp_path):
    text = reason(tmp_path, body(1, 2)[0].astype(object))
    assert "the array [2, 25, 3] is of Python objects, which are not read" in text
