"""Which files of a folder can be clips, and names that are not UTF-8."""

import os

import pytest

from input_pipeline.builders import files
from input_pipeline.builders.base import RawDataError


def test_videos_and_folders_of_images_are_clips_and_others_are_counted(tmp_path):
    names = ("run/a.MP4", "run/b/1.jpg", "run/b/2.png", "run/c.txt", "run/d")
    for name in (*names, "sit/loose.jpg", ".hidden/e.avi", "run/.f.avi"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found, others = files.survey(tmp_path)
    assert found == [tmp_path / "run" / "a.MP4", tmp_path / "run" / "b"]
    assert others == {".txt": 1, "no ending": 1, ".jpg": 1}
    assert list(files.video_files(tmp_path)) == [tmp_path / "run" / "a.MP4"]
    assert files.find(tmp_path, "*.txt", "") == [tmp_path / "run" / "c.txt"]
    with pytest.raises(RawDataError, match=r"There is no \*.csv in .* Get it."):
        files.find(tmp_path, "*.csv", "Get it.")


def test_names_that_are_not_utf8_are_those_of_the_disk(tmp_path):
    path = tmp_path / "list"
    path.write_bytes(b"\xef\xbb\xbfa.avi \n\n caf\xe9.avi\n")
    plain, odd = files.read_lines(path)
    assert plain == "a.avi" and os.fsencode(odd) == b"caf\xe9.avi"
    assert files.clean(odd) == r"caf\xe9.avi"


def test_a_link_into_a_folder_above_it_is_followed_once(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.avi").touch()
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "back").symlink_to(tmp_path / "raw")
    (tmp_path / "raw" / "._a.avi").touch()
    found = list(files.video_files(tmp_path / "raw"))
    assert found == [tmp_path / "raw" / "linked" / "a.avi"]
