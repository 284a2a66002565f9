"""Lenses found from joints and their pixels, by hand."""

import numpy as np
import pytest
import tensorflow as tf

from input_pipeline import lenses, ops

NAN = np.nan


def camera(points: np.ndarray, focal: float = 0.6) -> np.ndarray:
    """A lens 5 cm beside the sensor: (column, row) as fractions of an image."""
    x, y, z = points.T
    column = 0.48 + focal * (x - 0.05) / z
    return np.stack([column, 0.53 - 1.1 * focal * y / z], -1)


def bodies(count: int = 300) -> np.ndarray:
    return np.random.default_rng(0).uniform([-1, -1, 2], [1, 1, 4], (count, 3))


def test_a_lens_is_found_again():
    points = bodies()
    seen = camera(points)
    seen[:7] = [[NAN, 0.5], [-np.inf, 0], [0, 0], [3, 0.2], [0.5, -1], [0, 0], [0, 0]]
    lens = lenses.fit(points, seen)
    np.testing.assert_allclose(
        lens, [[0.6, 0, 0.48, -0.03], [0, -0.66, 0.53, 0]], atol=1e-5
    )


def test_no_lens_is_found_where_there_is_none():
    points, rng = bodies(), np.random.default_rng(1)
    assert lenses.fit(points, rng.random((300, 2))) is None  # not of this camera
    assert lenses.fit(points[:50], camera(points[:50])) is None  # too few
    assert lenses.fit(points, np.zeros((300, 2))) is None  # never mapped
    points[:, 2] = 3  # one plane: near and far cannot be told apart
    assert lenses.fit(points, camera(points)) is None


def test_joints_are_seen_where_the_crop_shows_them():
    points = np.zeros((2, 1, 2, 3), np.float32)
    points[0, 0] = [[0.05, 0, 2], [1.05, -0.5, 2]]
    lens = tf.constant([[0.6, 0, 0.48, -0.03], [0, -0.66, 0.53, 0]], tf.float32)
    # Of 100 x 200 pixels, rows 20 to 70 and columns 40 to 120 are shown.
    seen = ops.project_skeleton(
        tf.constant(points),
        lens,
        (tf.constant(100), tf.constant(200)),
        tf.constant([20, 40, 50, 80]),
    ).numpy()
    assert seen.shape == (1, 2, 2, 2)
    # Whole frame: (0.48, 0.53) and (0.78, 0.695); in pixels (96, 53) and (156, 69.5).
    want = [[56 / 80, 33 / 50], [116 / 80, 49.5 / 50]]
    np.testing.assert_allclose(seen[0, 0], want, atol=1e-5)
    assert np.isnan(seen[0, 1]).all()  # the second person is not there


def test_what_two_sensors_both_see():
    """Three metres away, colour sees x / z from -1 to 1, y / z from -0.5 to 0.5; the
    infrared lens, 30 cm aside, x / z from -0.4 to 0.6 and y / z from -1 to 1."""
    colour = [[0.5, 0, 0.5, 0], [0, -1, 0.5, 0]]
    infrared = [[1, 0, 0.5, -0.3], [0, -0.5, 0.5, 0]]
    views = lenses.common_views(np.array([[colour, infrared]], np.float32))
    want = [[[0, 0.3, 1, 0.5], [0.25, 0, 0.5, 1]]]
    np.testing.assert_allclose(views, want, atol=1e-6)
    aside = [[1, 0, 0.5, 9], [0, -0.5, 0.5, 0]]  # nine metres
    with pytest.raises(ValueError, match="nothing in common"):
        lenses.common_views(np.array([[colour, aside]], np.float32))
