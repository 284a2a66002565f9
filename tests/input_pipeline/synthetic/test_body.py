"""The staged body: its bones, feet and axes."""

import numpy as np
import pytest

from input_pipeline.formats import ntu
from input_pipeline.synthetic import (
    body,
    files,
    world,
)
from input_pipeline.synthetic.actions import (
    ACTIONS,
    Duet,
    Style,
    perform,
)
from tests.input_pipeline.synthetic.test_render import config


@pytest.mark.parametrize("action", ACTIONS)
def test_bodies_keep_their_bones_and_feet_on_the_floor(action):
    motion = perform(action, np.linspace(0, 1, 60), Style())
    poses = [motion.first, motion.second] if isinstance(motion, Duet) else [motion]
    bones = ((0, 1), (4, 5), (5, 6), (8, 9), (12, 13), (13, 14), (16, 17), (17, 18))
    for pose in poses:
        joints = body.joints(pose, 1.8, np.zeros((60, 3)), np.full(60, 0.3))
        for a, b in bones:
            length = np.linalg.norm(joints[:, a] - joints[:, b], axis=-1)
            np.testing.assert_allclose(length, length[0], rtol=1e-6)
        assert joints[..., 1].min() > -0.02
        # Nothing jumps: less than 40 cm in a sixtieth of the clip.
        assert np.linalg.norm(np.diff(joints, axis=0), axis=-1).max() < 0.4
        assert np.ptp(joints, axis=0).max() > 0.1


def test_axes_are_kinects():
    # Someone who faces the middle camera: her left is at negative x, up is up.
    found = files.skeletons(config(), world.stage(config(), ntu.NtuName(1, 2, 1, 1, 1)))
    points = dict(zip(ntu.JOINTS, found.points[0, 0], strict=True))
    assert points["shoulder_left"][0] < points["shoulder_right"][0]
    assert points["head"][1] > points["spine_base"][1] > points["foot_left"][1]
    # Columns grow with x, rows fall with y.
    left, right = (ntu.JOINTS.index(f"shoulder_{side}") for side in ("left", "right"))
    assert found.color_xy[0, 0, left, 0] < found.color_xy[0, 0, right, 0]
    assert found.depth_xy[0, 0, 3, 1] < found.depth_xy[0, 0, 0, 1]
