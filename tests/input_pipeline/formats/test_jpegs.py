"""Frames kept as JPEG files: a word on flat ones, and memory that is bounded."""

import errno

import numpy as np
import pytest

from input_pipeline import records, tfrecord
from input_pipeline.encode import Clip, EncodeOptions, encode_clip
from input_pipeline.formats import jpegs
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.jpegs import encode_jpeg
from input_pipeline.formats.video import read_video
from tests.input_pipeline import raw
from tests.input_pipeline.formats.test_container import NOISE, ONE, STEADY, means


def test_a_nearly_flat_file_gets_a_word(tmp_path):
    path = raw.write_timed(tmp_path / "a.mkv", (raw.greys(*[50] * 8), STEADY[:8]))
    assert means(path)[1][0].startswith("nearly flat pictures: 98 of 100 pixels")


def test_pictures_of_a_long_file_wait_on_the_disk(tmp_path, monkeypatch):
    path = raw.write_timed(tmp_path / "a.mkv", (NOISE, STEADY))
    whole = records.Record("a", 0, streams={"ir": read_video(path, "ir", ONE)})
    monkeypatch.setattr(jpegs, "HELD_BYTES", 4096)
    found = read_video(path, "ir", ONE)
    held = [frame for frame in found.frames if isinstance(frame, bytes)]
    assert held and sum(map(len, held)) <= 4096
    assert [*map(bytes, found.frames)] == whole.streams["ir"].frames
    record = records.Record("a", 0, streams={"ir": found})
    assert records.encode(record) == records.encode(whole)
    framed = [b"".join(tfrecord.framed(records.pieces(r))) for r in (whole, record)]
    assert framed[0] == framed[1]


def test_a_full_disk_is_no_fault_of_the_clip(tmp_path, monkeypatch):
    path = raw.write_timed(tmp_path / "a.mkv", (NOISE, STEADY))
    monkeypatch.setattr(jpegs, "HELD_BYTES", 4096)

    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(jpegs.Spool, "add", full)
    clip = Clip("a", 0, {"ir": path}, {})
    with pytest.raises(OSError, match="No space left"):
        encode_clip(clip, EncodeOptions(("ir",), ONE))


def test_a_side_longer_than_a_jpeg_s_is_refused():
    with pytest.raises(
        UnusableFile, match="1 x 65501 pixels; a JPEG has at most 65500"
    ):
        encode_jpeg(np.zeros((65_501, 1), np.uint8), 90)
    assert encode_jpeg(np.zeros((65_500, 1), np.uint8), 90)
