"""What clips may be encoded with, and what is too large for a record."""

import pytest

from input_pipeline.encode import Clip, ClipError, EncodeOptions, encode_clip
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.video import read_video
from tests.input_pipeline import raw
from tests.input_pipeline.formats.test_container import NOISE, ONE, STEADY


@pytest.mark.parametrize("streams", [(), ("rgb", "rgb"), ("rgb", "flow")])
def test_wrong_streams_are_refused(streams):
    with pytest.raises(ValueError, match="expected one or more"):
        EncodeOptions(streams=streams)


def test_what_no_record_can_hold_is_refused_by_name(tmp_path, monkeypatch):
    path = raw.write_timed(tmp_path / "a.mkv", (NOISE, STEADY))
    size = sum(map(len, read_video(path, "ir", ONE).frames))
    monkeypatch.setattr("input_pipeline.records.MAX_BYTES", size // 2)
    with pytest.raises(
        UnusableFile, match="GB in 2. frames, .* Cut the clip into"
    ) as e:
        read_video(path, "ir", ONE)
    assert e.value.reason == "too long"
    monkeypatch.setattr("input_pipeline.records.MAX_BYTES", int(1.5 * size))
    clip = Clip("long", 0, {"rgb": path, "ir": path}, {})
    encode_clip(Clip("long", 0, {"ir": path}, {}), EncodeOptions(("ir",), ONE))
    with pytest.raises(ClipError, match="clip long, ir file .*a.mkv: too long"):
        encode_clip(clip, EncodeOptions(("rgb", "ir"), ONE))
