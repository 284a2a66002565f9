"""Files that were cut off, told by their containers."""

import numpy as np
import pytest

from input_pipeline.formats import whole
from input_pipeline.formats.errors import UnusableFile
from tests.input_pipeline import raw
from tests.input_pipeline.formats.test_container import NOISE, STEADY, means

CUT = [("avi", {}), ("mkv", {}), ("mp4", {"movflags": "faststart"}), ("wmv", {})]


@pytest.mark.parametrize("ending, options", CUT)
def test_what_was_cut_off_is_told_apart(tmp_path, ending, options):
    codec = "wmv2" if ending == "wmv" else "mpeg4"
    path = raw.write_timed(
        tmp_path / f"a.{ending}", (NOISE, STEADY), codec=codec, **options
    )
    assert len(means(path)[0]) == 40
    container = {"mkv": "matroska", "wmv": "asf"}.get(ending, ending)
    assert whole.lost_fraction(path, container) == 0
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    assert whole.lost_fraction(path, container) == pytest.approx(0.4, abs=0.01)
    with pytest.raises(UnusableFile, match="frames decoded") as caught:
        means(path)
    assert caught.value.reason == "truncated"


def test_a_cut_file_without_its_index_is_called_so(tmp_path):
    path = raw.write_timed(tmp_path / "a.mp4", (NOISE, STEADY))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UnusableFile, match="was cut off: .* % of its bytes"):
        means(path)


def test_an_avi_cut_after_dropped_frames_and_one_that_ends_in_them(tmp_path):
    late = np.r_[np.arange(39), 99] / 25
    path = raw.write_timed(tmp_path / "a.avi", (NOISE, late))
    assert len(means(path)[0]) == 40
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UnusableFile, match="the file promises 100"):
        means(path)


def test_bytes_behind_a_container_are_not_missed(tmp_path):
    for ending in ("avi", "mp4", "mkv"):
        path = raw.write_timed(tmp_path / f"a.{ending}", (NOISE, STEADY))
        path.write_bytes(path.read_bytes() + b"\0garbage of a camera")
        assert len(means(path)[0]) == 40
