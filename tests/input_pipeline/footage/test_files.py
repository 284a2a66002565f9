"""Long files: their frames and times, and what is said of those that cannot be read."""

import numpy as np
import pytest

from input_pipeline.footage import FootageError
from input_pipeline.footage.files import File
from input_pipeline.formats.video import VideoOptions
from input_pipeline.recordings import Clock
from tests.input_pipeline.test_own_clip import write_video


def test_frames_have_the_times_of_the_recording(tmp_path):
    path = write_video(tmp_path / "a.mkv", 12, 46, 64)
    file = File(path, "rgb", VideoOptions(23), Clock(2.7))
    assert (file.rate, file.seconds, file.end) == (10, pytest.approx(1.2), None)
    frames = list(file.frames())
    assert [f.start for f in frames] == [2_700_000 + 100_000 * i for i in range(12)]
    assert file.end == 3_900_000
    assert frames[3].picture().shape == (23, 32, 3)
    assert frames[3].picture().dtype == np.uint8


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.avi", None, r"The ir file .*gone\.avi cannot be read: missing"),
        ("empty.avi", b"", "empty: the file has no bytes"),
        ("text.avi", b"no video at all" * 99, "undecodable: its container is not"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FootageError, match=message):
        File(tmp_path / name, "ir", VideoOptions())


def test_a_folder_of_pictures_is_no_footage(tmp_path):
    with pytest.raises(FootageError, match="Make a video of them to look at it in"):
        File(tmp_path, "ir", VideoOptions())


def test_a_file_that_was_cut_off_is_said_at_its_end(tmp_path):
    path = write_video(tmp_path / "a.avi", 12, 46, 64)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(FootageError, match="truncated|undecodable"):
        list(File(path, "rgb", VideoOptions()).frames())
