"""Motion of videos, folders and skeletons, by hand."""

import numpy as np
import pytest
from PIL import Image

from input_pipeline.formats.errors import UnusableFile
from input_pipeline.offsets.motion import Motion, NoMotion, of_file
from tests.input_pipeline import raw

LEVELS = (0, 0, 100, 100, 130)


def test_motion_is_the_mean_difference_of_pictures(tmp_path):
    times = [0, 0.04, 0.4, 0.44, 1.0]
    video = raw.write_timed(tmp_path / "a.mkv", (raw.greys(*LEVELS), times))
    found = of_file(video, "rgb")
    np.testing.assert_allclose(found.times, times, atol=1e-3)
    np.testing.assert_allclose(found.amount, [0, 100, 0, 30], atol=4)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, level in enumerate(LEVELS):
        image = np.full((40, 50), level * 100, np.uint16)  # of 16 bits: 0 to 13000
        image[0, :] = 0
        Image.fromarray(image).save(folder / f"{number}.png")
    found = of_file(folder, "ir", rate=10)
    np.testing.assert_allclose(found.times, np.arange(5) / 10)
    want = np.array([0, 100, 0, 30]) * 255 / 130 * 39 / 40
    np.testing.assert_allclose(found.amount, want, atol=2)


def test_motion_of_joints_is_their_mean_way(tmp_path):
    points = np.full((4, 10, 3), 1.0)
    points[1:, :5, 0] += 0.5  # half of the joints go half a metre
    points[3, :, 1] += 0.25
    np.save(tmp_path / "a.npy", points)
    found = of_file(tmp_path / "a.npy", "skeleton", rate=30)
    np.testing.assert_allclose(found.amount, [0.25, 0, 0.25])
    with pytest.raises(UnusableFile, match="column skeleton_rate"):
        of_file(tmp_path / "a.npy", "skeleton")
    with pytest.raises(NoMotion, match="not read from depth; take rgb"):
        of_file(tmp_path / "a.npy", "depth")


def test_a_curve_is_the_mean_over_a_width():
    motion = Motion(np.array([0.0, 1, 2, 4]), np.array([2.0, 0, 8]))
    found = motion.curve(np.array([0.5, 1.0, 2.0, 3.0]), 1.0)
    # 2 a second, then 0, then 4; half and half where they meet.
    assert found.tolist() == [2, 1, 2, 4]
