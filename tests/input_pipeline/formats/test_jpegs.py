"""Frames kept as JPEG files: a word on flat ones, and memory that is bounded."""

import numpy as np
import pytest

from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.jpegs import encode_jpeg
from input_pipeline.formats.video import read_video
from tests.input_pipeline import raw
from tests.input_pipeline.formats.test_container import NOISE, ONE, STEADY, means


def test_a_nearly_flat_file_gets_a_word(tmp_path):
    path = raw.write_timed(tmp_path / "a.mkv", (raw.greys(*[50] * 8), STEADY[:8]))
    assert means(path)[1][0].startswith("nearly flat pictures: 98 of 100 pixels")


def test_a_long_file_is_counted_before_it_is_held(tmp_path, monkeypatch):
    from input_pipeline.formats import jpegs

    path = raw.write_timed(tmp_path / "a.mkv", (NOISE, STEADY))
    frames = read_video(path, "ir", ONE).frames
    held = []
    add = jpegs.Frames.add

    def watched(self, *arguments):
        add(self, *arguments)
        held.append(sum(map(len, self.frames)))

    monkeypatch.setattr(jpegs.Frames, "add", watched)
    monkeypatch.setattr(jpegs, "HELD_BYTES", 4096)
    assert read_video(path, "ir", ONE).frames == frames
    assert len(held) == 80 and max(held[:40]) <= 4096 and max(held) > 4096


def test_a_side_longer_than_a_jpeg_s_is_refused():
    with pytest.raises(
        UnusableFile, match="1 x 65501 pixels; a JPEG has at most 65500"
    ):
        encode_jpeg(np.zeros((65_501, 1), np.uint8), 90)
    assert encode_jpeg(np.zeros((65_500, 1), np.uint8), 90)
