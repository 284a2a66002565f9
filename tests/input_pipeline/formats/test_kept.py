"""Files are asked once, and again when they change."""

import pytest

from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.kept import kept
from input_pipeline.formats.notes import listening, note


def test_a_file_is_asked_again_when_it_is_another_one(tmp_path):
    asked = []

    @kept(2)
    def size(path):
        asked.append(path.name)
        return path.stat().st_size

    path = tmp_path / "a"
    path.write_text("one")
    assert (size(path), size(path)) == (3, 3) and asked == ["a"]
    path.write_text("three")
    assert size(path) == 5 and asked == ["a", "a"]
    with pytest.raises(UnusableFile, match="missing: there is no such file"):
        size(tmp_path / "b")


def test_what_is_asked_besides_tells_answers_apart(tmp_path):
    @kept(2)
    def text(path, sign):
        note("odd", "is not heard")
        return path.name + sign

    (tmp_path / "a").touch()
    with listening() as heard:
        assert [text(tmp_path / "a", sign) for sign in "!?!"] == ["a!", "a?", "a!"]
    assert not heard
