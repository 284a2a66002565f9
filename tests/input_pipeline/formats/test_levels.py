"""Which values of more than 8 bits become 0 and 255."""

import numpy as np
import pytest

from input_pipeline.formats import levels, notes, video
from input_pipeline.formats.levels import Range, Scaling, parse_scalings
from input_pipeline.formats.video import VideoOptions
from tests.input_pipeline import raw
from tests.input_pipeline.formats.test_container import STEADY, means


def test_sixteen_bits_have_one_range_for_the_file(tmp_path):
    """2000 to 4000 becomes 0 to 255, and 3000 half of it: none is cut off."""
    for ending in ("mkv", "avi"):
        values = np.array([2000, 3000, 4000], np.uint16)
        images = np.broadcast_to(values[:, None, None], (3, 24, 32)).copy()
        path = raw.write_timed(tmp_path / f"a.{ending}", (images, STEADY[:3]))
        for stream in ("ir", "rgb"):
            found, heard = means(path, stream)
            np.testing.assert_allclose(found, [0, 127.5, 255], atol=1)
            stored = video.read_video(path, stream, VideoOptions(min_frames=1))
            assert stored.levels == (2000, 4000)
            assert "values 2000 to 4000 of 16 bits become 0 to 255" in heard[0]


RAMP = np.arange(101, dtype=np.float32).reshape(1, 101)  # 0, 1, ... 100


def scaled(scaling, *pictures):
    found = Range(Scaling.parse(scaling) if scaling else Scaling())
    with notes.listening() as heard:
        for number, picture in enumerate(pictures):
            found.add(picture, 32, f"frame {number}")
        found.say()
    return [found.scaled(p, *p.shape)[0].tolist() for p in pictures], found, heard


def test_the_default_cuts_nothing_off():
    (first, second), found, heard = scaled("", RAMP, RAMP + 100)
    assert (first[0], second[-1]) == (0, 255)
    assert found.levels == (0, 200)
    assert len(heard) == 1


def test_a_fixed_range_is_the_same_for_all_and_says_what_it_cuts():
    (first,), found, heard = scaled("fixed:20:70", RAMP)
    assert first[:22] == [0] * 21 + [5] and first[70:] == [255] * 31
    assert found.levels == (20, 70)
    assert heard[1] == (
        "values outside of the scaling: 19.80% lie below 20 and become 0, 29.70% above "
        "70 and become 255"
    )
    assert len(scaled("fixed:0:100", RAMP)[2]) == 1


def test_percentiles_of_the_recording_pass_over_what_is_rare():
    """Of 0 to 100, and one pixel of a million, 10 to 90 percent are 10 and 91."""
    wild = np.append(RAMP, [[1e6]], axis=1)
    (first,), found, heard = scaled("recording:10:90", wild)
    np.testing.assert_allclose(found.levels, (10.1, 90.9), atol=1e-4)
    assert first[10] == 0 and first[91] == 255
    assert "(the file has 0 to 1e+06)" in heard[0]


def test_percentiles_of_the_frame_are_each_frame_s_own():
    (first, second), found, _ = scaled("frame:0:100", RAMP, 2 * RAMP + 50)
    assert first == second
    assert found.levels == (0, 100, 50, 250)


def test_of_a_long_recording_some_frames_tell_the_percentiles(monkeypatch):
    monkeypatch.setattr(levels, "_SAMPLE", 20 * RAMP.size)
    _, found, _ = scaled("recording:0:50", *(RAMP + i for i in range(100)))
    assert sum(map(len, found._sample)) <= 20 * RAMP.size
    np.testing.assert_allclose(found.levels, (0, 100), atol=2)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("fixed:-20:120.5", "fixed:-20:120.5"),
        ("recording", "recording:1:99"),
        ("frame:2:98", "frame:2:98"),
    ],
)
def test_scalings_are_written_as_they_are_read(text, read):
    assert str(Scaling.parse(text)) == read
    assert Scaling.parse(read) == Scaling.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fixed", r"The scaling is 'fixed'; expected fixed:LOW:HIGH"),
        ("celsius:20:40", "expected fixed:LOW:HIGH"),
        ("fixed:20", "expected fixed:LOW:HIGH"),
        ("fixed:40:20", "the first number must be less"),
        ("fixed:nan:20", "the first number must be less"),
        ("recording:1:101", "both from 0 to 100"),
        ("heat=frame", "is of 'heat'; it may be of rgb, ir"),
        ("depth=frame", "is of 'depth'; it may be of rgb, ir"),
    ],
)
def test_a_scaling_that_cannot_be_meant(text, message):
    with pytest.raises(ValueError, match=message):
        parse_scalings(text)


def test_scalings_by_stream():
    assert parse_scalings("") == {}
    both = parse_scalings("frame")
    assert both == {"rgb": Scaling.parse("frame"), "ir": Scaling.parse("frame")}
    assert parse_scalings("ir=fixed:1:2, rgb=frame") == {
        "ir": Scaling("fixed", 1, 2),
        "rgb": Scaling("frame", 1, 99),
    }
