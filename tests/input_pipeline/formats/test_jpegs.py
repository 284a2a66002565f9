"""Frames kept as JPEG files: a word on flat ones, and memory that is bounded."""

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
