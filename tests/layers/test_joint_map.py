"""Where joints lie in a map: by hand."""

import numpy as np

from jaxact.layers.joint_map import joint_map


def test_a_joint_is_shared_among_the_cells_around_it():
    seen = np.full((1, 1, 1, 3, 2), np.nan, np.float32)
    seen[0, 0, 0, 0] = 0.625, 0.25  # column 2 of 4 (centre .625), row 0 of 2
    seen[0, 0, 0, 1] = 0.5, 0.375  # between columns 1 and 2; rows 0 (3/4) and 1 (1/4)
    found = np.asarray(joint_map(seen, 1, 2, 4))
    assert found.shape == (1, 1, 2, 4, 3)
    want = np.zeros((2, 4, 3))
    want[0, 2, 0] = 1
    want[:, 1:3, 1] = [[0.375, 0.375], [0.125, 0.125]]
    np.testing.assert_allclose(found[0, 0], want, atol=1e-6)  # NaN: nowhere


def test_steps_are_means_of_their_frames_and_persons_are_added():
    seen = np.full((2, 5, 2, 1, 2), np.nan, np.float32)
    seen[0, 0, 0, 0] = seen[0, 1, 0, 0] = 0.5, 0.5  # two of three frames of step 0
    seen[0, 3, :, 0] = 0.5, 0.5  # both persons, in one of two frames of step 1
    found = np.asarray(joint_map(seen, 2, 1, 1))
    np.testing.assert_allclose(found[..., 0, 0, 0], [[2 / 3, 1], [0, 0]], rtol=1e-6)


def test_what_is_outside_of_the_frame_fades_over_a_cell():
    seen = np.zeros((1, 1, 1, 4, 2), np.float32)
    seen[0, 0, 0, :, 0] = -0.0625, -0.125, 1.0625, 7  # half a cell of four is 0.125
    seen[..., 1] = 0.5
    found = np.asarray(joint_map(seen, 1, 1, 4))[0, 0, 0]
    want = np.zeros((4, 4))
    want[0, 0] = want[3, 2] = 0.25
    np.testing.assert_allclose(found, want, atol=1e-6)
