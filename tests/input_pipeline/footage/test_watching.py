"""Footage as a person gives it: when it is cut into windows, and how long these are."""

import numpy as np
import pytest

from input_pipeline.footage import SECOND, FootageError, watching
from input_pipeline.footage.watching import Footage, Wish
from input_pipeline.own_clip import Facts, part_of
from input_pipeline.recordings import Part
from tests.input_pipeline import tiny
from tests.input_pipeline.footage.test_windows import INPUTS, VIDEO, write

RGB = {"rgb": INPUTS["rgb"]}


def facts(*frames):
    return Facts(["a", "b"], VIDEO, frames={"rgb": np.array(frames)} if frames else {})


def test_a_file_much_longer_than_any_clip_is_looked_at_in_windows(tmp_path, capsys):
    paths = {"rgb": str(write(tmp_path / "a.mkv", range(25), 10))}
    data = tiny.config(tmp_path)
    assert watching.is_long(paths, data, facts(6, 12), Wish())
    assert "2.5 s long, more than twice the longest clip" in capsys.readouterr().out
    assert not watching.is_long(paths, data, facts(6, 13), Wish())
    assert not watching.is_long(paths, data, facts(), Wish())
    assert watching.is_long(paths, data, facts(), Wish(window=1.0))
    assert watching.is_long(paths, data, facts(), Wish(seconds=1.0))
    assert not watching.is_long({"rgb": "gone.avi"}, data, facts(6), Wish())
    assert watching.is_long({"rgb": "rtsp://camera"}, data, facts(6), Wish())
    part = part_of("start=0.5", paths)
    assert not watching.is_long(paths, data, facts(6), Wish(part=part))
    assert watching.is_long(paths, data, facts(6), Wish(part=part, stride=1.0))
    assert not watching.is_long({"skeleton": "a.npy"}, data, facts(6), Wish())


def test_a_long_recording_of_what_is_no_video_is_refused(tmp_path):
    data, known = tiny.config(tmp_path), {"skeleton": np.array([6, 10])}
    known["rgb"] = known["ir"] = np.array([12])
    facts = Facts(["a", "b"], VIDEO, frames=known)
    joints, values = str(tmp_path / "a.npy"), str(tmp_path / "t.npy")
    np.save(values, np.zeros((25, 4, 4), np.float32))
    for count in (20, 21):
        np.save(joints, np.zeros((count, 25, 3), np.float32))
        video = str(write(tmp_path / "a.mkv", range(24), 10))
        paths = {"rgb": video, "skeleton": joints}
        if count == 20:
            assert not watching.is_long(paths, data, facts, Wish())
            continue
        said = "a.npy has 21 frames, .* longest clip of the data set .10.* --part skele"
        with pytest.raises(FootageError, match=said):
            watching.is_long(paths, data, facts, Wish())
        part = part_of("skeleton_rate=10,start=1,end=2", paths)
        assert not watching.is_long(paths, data, facts, Wish(part=part))
    with pytest.raises(FootageError, match="t.npy has 25 .* ir is read as a clip"):
        watching.is_long({"ir": values}, data, facts, Wish())
    assert not watching.is_long({"skeleton": "gone.npy"}, data, facts, Wish())


def test_a_window_is_as_long_as_the_clips_of_the_data_set(tmp_path):
    paths = {"rgb": str(write(tmp_path / "a.mkv", range(40), 10))}
    data = tiny.config(tmp_path)
    with Footage(paths, data, RGB, facts(8, 12, 30), Wish()) as footage:
        assert (footage.look.length, footage.look.stride) == (1_200_000, 600_000)
        batches = list(footage.batches(lambda: None, print, most=4))
        assert [len(batch) for batch in batches] == [4, 2]
        clip = footage.clip(batches[0][0].record)
        assert clip["rgb"].shape == (5, 17, 19, 3) and clip["rgb"].std() > 10
        assert not footage.example()["rgb"].any() and footage.now() is None
        assert (
            "Windows of 1.20 s (5 frames a stream, one every 0.240 s)" in footage.told
        )
        assert footage.about == {
            "rgb": paths["rgb"],
            "window": "1.20 s",
            "stride": "0.60 s",
        }
        assert footage.link(tmp_path) == ("", 0.0)
    data = tiny.config(tmp_path, window=16)
    with Footage(paths, data, RGB, facts(8), Wish(stride=0.2)) as footage:
        assert (footage.look.length, footage.look.stride) == (1_600_000, 200_000)


def test_a_page_links_to_what_browsers_play(tmp_path):
    (tmp_path / "out").mkdir()
    path = write(tmp_path / "a b.mkv", range(10), 10)
    playable = path.rename(tmp_path / "a b.webm")
    wish = Wish(window=1.0, part=part_of("rgb_offset=2.7", {"rgb": playable}))
    with Footage(
        {"rgb": str(playable)}, tiny.config(tmp_path), RGB, facts(), wish
    ) as f:
        assert f.link(tmp_path / "out") == ("../a%20b.webm", 2.7)


def test_watching_ends_when_it_is_told_to(tmp_path):
    paths = {"rgb": str(write(tmp_path / "a.mkv", range(40), 10))}
    wish = Wish(window=1.0, stride=1.0)
    with Footage(paths, tiny.config(tmp_path), RGB, facts(), wish) as footage:
        (batch,) = footage.batches(lambda: True, print, most=4)
        assert [w.end for w in batch] == [SECOND]


def test_a_window_of_unknown_length_is_asked_for(tmp_path):
    paths = {"rgb": str(write(tmp_path / "a.mkv", range(10), 10))}
    with pytest.raises(FootageError, match="not known: .* Give --window SECONDS"):
        Footage(paths, tiny.config(tmp_path), RGB, facts(), Wish(stride=1.0))


@pytest.mark.parametrize("part", ["start=2", "end=9", "rgb_rate=5"])
def test_a_part_of_a_live_stream_is_refused(tmp_path, part):
    paths = {"rgb": "rtsp://camera"}
    wish = Wish(window=1.0, part=part_of(part, paths))
    with pytest.raises(FootageError, match="it takes STREAM_offset alone"):
        Footage(paths, tiny.config(tmp_path), RGB, facts(), wish)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"seconds": 0.0}, "--seconds is 0; expected seconds, more than 0"),
        ({"timeout": float("nan")}, "--timeout is nan"),
        ({"part": Part(2, 9, counted=("rgb", "a.avi"))}, "windows go by time"),
    ],
)
def test_a_wish_that_cannot_be_is_said(wish, message):
    with pytest.raises(FootageError, match=message):
        Wish(**wish)
