"""Cameras and colours of the staged world, by hand."""

import numpy as np

from input_pipeline.synthetic.config import SyntheticConfig
from input_pipeline.synthetic.room import BASELINE, Camera, camera, hue, room


def test_a_pinhole_by_hand():
    lens = Camera(np.array([0.0, 1, -2]), np.eye(3), (0.5, 1.0))
    seen = lens.see(np.array([1.0, 2, 2]))
    np.testing.assert_allclose(seen, [1, 1, 4])
    np.testing.assert_allclose(lens.project(seen), [0.5 + 0.5 / 4, 0.5 - 1 / 4])


def test_all_cameras_see_the_middle_of_the_scene_and_the_lenses_lie_apart():
    config = SyntheticConfig()
    place = room(config, 1)
    for number in (1, 2, 3):
        rgb, ir = (camera(config, place, number, m) for m in ("rgb", "ir"))
        np.testing.assert_allclose(rgb.axes @ rgb.axes.T, np.eye(3), atol=1e-12)
        middle = ir.project(ir.see(np.array([0.0, 0.92, 0.0])))
        np.testing.assert_allclose(middle, 0.5, atol=1e-12)
        apart = np.linalg.norm(rgb.position - ir.position)
        np.testing.assert_allclose(apart, BASELINE)


def test_hues_by_hand():
    np.testing.assert_allclose(hue(0, 1, 1), [255, 0, 0])
    np.testing.assert_allclose(hue(1 / 3, 1, 1), [0, 255, 0], atol=1e-9)
    np.testing.assert_allclose(hue(2 / 3, 0.5, 0.8), [102, 102, 204], atol=1e-9)
