"""Skeleton ops with results one can work out by hand."""

import numpy as np
import tensorflow as tf

from input_pipeline import ops, sampling
from tests.input_pipeline.test_ops import SEED


def at(points: np.ndarray, places: list[float], persons: int = 1) -> np.ndarray:
    given = tf.constant(points, tf.float32)
    return ops.skeleton_at(given, tf.constant(places, tf.float64), persons).numpy()


def test_places_are_the_frames_where_there_are_as_many_segments():
    ticks = sampling.view_ticks(5)[0]
    places = sampling.frame_positions(ticks, 5, 5)
    assert places.tolist() == [0, 1, 2, 3, 4]
    # Twice as many frames: half way between the two of each segment.
    assert sampling.frame_positions(ticks, 10, 5).tolist() == [0.5, 2.5, 4.5, 6.5, 8.5]
    # The centre 60 %: seconds 1 to 4 of 5, of which the middles of five parts.
    inside = sampling.in_window(ticks, *sampling.centre_window(0.6), 5)
    places = sampling.frame_positions(inside, 5, 5)
    np.testing.assert_allclose(places, [0.8, 1.4, 2.0, 2.6, 3.2], atol=1e-5)


def test_joints_move_in_straight_lines_between_frames():
    points = np.ones((2, 3, 2, 3))
    points[0, :, 1] = [[1, 2, 3], [2, 2, 5], [8, 2, 1]]
    points[1] = 7
    found = at(points, [-0.4, 0, 0.25, 1, 1.5, 2, 2.3])
    assert found.shape == (1, 7, 2, 3)
    want = [[1, 2, 3], [1, 2, 3], [1.25, 2, 3.5], [2, 2, 5], [5, 2, 3]]
    np.testing.assert_allclose(found[0, :, 1], [*want, [8, 2, 1], [8, 2, 1]])
    assert (found[0, :, 0] == 1).all()


def test_nothing_is_made_up_between_there_and_not_there():
    points = np.full((1, 3, 2, 3), 4.0)
    points[0, 1, 0] = 0  # joint 0 is not there in frame 1
    points[0, :, 1, 0] = [1, 2, 3]
    found = at(points, [0.4, 0.6, 1.0, 1.4, 1.6])
    assert found[0, :, 0, 0].tolist() == [4, 0, 0, 0, 4]
    np.testing.assert_allclose(found[0, :, 1, 0], [1.4, 1.6, 2, 2.4, 2.6])


def test_persons_are_padded_and_cut():
    points = np.arange(1, 2 * 3 * 5 * 3 + 1).reshape(2, 3, 5, 3)
    three = at(points, [2, 0], 3)
    np.testing.assert_array_equal(three[:2], points[:, [2, 0]])
    assert three.shape == (3, 2, 5, 3) and not three[2].any()
    np.testing.assert_array_equal(at(points, [1], 1), points[:1, [1]])


def test_a_mirrored_body_has_its_left_on_the_other_side():
    points = np.arange(1.0, 2 * 2 * 3 * 3 + 1).reshape(2, 2, 3, 3).astype(np.float32)
    mirror = (0, 2, 1)

    def flip(given: np.ndarray, flipped: bool) -> np.ndarray:
        result = ops.mirror_skeleton(tf.constant(given), tf.constant(flipped), mirror)
        return result.numpy()

    mirrored = flip(points, True)
    np.testing.assert_array_equal(mirrored[1, 0, 1], points[1, 0, 2] * [-1, 1, 1])
    np.testing.assert_array_equal(mirrored[0, 1, 0], points[0, 1, 0] * [-1, 1, 1])
    np.testing.assert_array_equal(flip(mirrored, True), points)
    np.testing.assert_array_equal(flip(points, False), points)


def test_a_quarter_turn_takes_depth_to_the_side():
    points = np.zeros((1, 1, 3, 3), np.float32)
    points[0, 0, :2] = [[1, 2, 3], [-1, 0, 4]]
    turned = ops.turn_skeleton(tf.constant(points), tf.constant(np.pi / 2, tf.float32))
    want = [[3, 2, -1], [4, 0, 1], [0, 0, 0]]
    np.testing.assert_allclose(turned[0, 0], want, atol=1e-6)


def test_angles_cover_their_range():
    angles = [float(ops.random_angle(ops.op_seed(SEED, str(i)), 30)) for i in range(99)]
    assert np.pi / 6 * 0.9 < max(angles) <= np.pi / 6
    assert -np.pi / 6 <= min(angles) < -np.pi / 6 * 0.9


def test_windows_cover_their_range():
    seeds = [ops.op_seed(SEED, "w", str(i)) for i in range(200)]
    drawn = [ops.random_window(seed, 0.5) for seed in seeds]
    starts, lengths = np.array(drawn).T / sampling.TICKS
    assert 0.5 <= lengths.min() < 0.53 and 0.97 < lengths.max() <= 1
    assert 0 <= starts.min() < 0.01 and (starts + lengths).max() <= 1
    assert starts.max() > 0.4
    # A whole clip can only start at its start.
    assert [int(x) for x in ops.random_window(SEED, 1.0)] == [0, sampling.TICKS]


def test_window_draws_never_change():
    # Frozen: a resumed run must go on with the draws it began with.
    assert [int(x) for x in ops.random_window(SEED, 0.5)] == [119881, 553510]
