"""When the frames of each kind of file were taken, and which of them a part is."""

import io

import numpy as np
import pytest
from PIL import Image

from input_pipeline import readers
from input_pipeline.formats.video import VideoOptions
from tests.input_pipeline import recorded

OPTIONS = VideoOptions(min_frames=1)
NAMES = [f"{i / 8:.3f}" for i in range(16)]


def test_times_of_every_kind_of_file(tmp_path):
    stamped = recorded.write_folder(tmp_path / "stamped", NAMES)
    counted = recorded.write_folder(tmp_path / "counted", "123456789")
    video = recorded.write(tmp_path / "a.avi", 16, 8)
    want = (np.arange(17) * 125_000).tolist()
    for count, times in (readers.images_times(stamped), readers.images_times(video)):
        assert count == 16 and times.tolist() == want
    assert readers.images_times(counted) == (9, None)
    assert readers.depth_times(counted) == (9, None)
    assert readers.depth_times(stamped)[1].tolist() == want
    joints = recorded.write_joints(tmp_path / "a.npy", 20)
    assert readers.skeleton_times(joints) == (20, None)


@pytest.mark.parametrize("part", [None, (3, 5)])
def test_depth_of_a_part(tmp_path, part):
    for number in range(8):
        values = np.full((4, 6), 1000 + number, np.uint16)
        Image.fromarray(values).save(tmp_path / f"{number}.png")
    found = readers.depth(tmp_path, "depth", OPTIONS, part)
    shown = [np.asarray(Image.open(io.BytesIO(data)))[0, 0] for data in found.frames]
    assert shown == list(range(1000, 1008))[slice(*part or (None,))]


def test_a_person_of_a_part_is_who_moves_in_it(tmp_path):
    points = np.full((3, 40, 17, 3), 0.5)
    points[:, :, :, 0] += np.arange(3)[:, None, None]
    points[0, :20, 0, 1] = np.arange(20)  # moves most in all, but not in the part
    points[1, 20:, 0, 1] = np.arange(20) / 10
    points[2, 20:, 0, 1] = np.arange(20) / 5
    np.save(tmp_path / "a.npy", points)
    found = readers.skeleton(tmp_path / "a.npy", "skeleton", OPTIONS, (20, 40))
    assert found.points[:, 0, 0, 0].tolist() == [2.5, 1.5]
