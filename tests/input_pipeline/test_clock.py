"""Streams are sampled by the times of their frames where numbers would be wrong."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from input_pipeline import clock, records, sampling
from input_pipeline.encode import Clip, EncodeOptions, encode_clip
from input_pipeline.formats import notes
from input_pipeline.formats.video import VideoOptions
from tests.input_pipeline import raw

OPTIONS = EncodeOptions(("rgb", "ir"), VideoOptions(min_frames=1))
EVEN = np.arange(100) / 25  # 4 s
# 30 frames in 1.2 s, then 10 in 2.8 s.
UNEVEN = np.r_[np.arange(30), 30 + 7 * np.arange(10)] / 25


def prepared(**paths):
    """The record of a clip as it is read back, and what was noted."""
    with notes.listening() as heard:
        record = encode_clip(Clip("a", 0, paths, {}), OPTIONS)
    return records.decode(records.encode(record)), [
        text for text in heard if "flat" not in text
    ]


def film(path, times):
    """A video each of whose frames is as bright as it is late: 50 levels a second."""
    return raw.write_timed(path, (raw.greys(*np.round(times * 50)), times))


def moments(record, stream, segments=8):
    """When the frames were taken that evaluation shows, by their brightness, s."""
    video = record.video(stream)
    times = np.zeros(0, np.int64) if video.times is None else video.times
    ticks = sampling.view_ticks(segments)[0]
    index = sampling.timed_indices(
        ticks, len(video.frames), tf.constant(times), segments
    )
    images = (Image.open(io.BytesIO(video.frames[i])) for i in index.numpy())
    return np.array([np.asarray(image).mean() / 50 for image in images])


@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi", "ts"])
def test_an_uneven_stream_shows_the_moments_of_an_even_one(tmp_path, ending):
    uneven = film(tmp_path / f"a.{ending}", UNEVEN)
    even = film(tmp_path / "b.mp4", EVEN)
    record, heard = prepared(rgb=uneven, ir=even)
    # The last frame of the uneven one starts after 3.72 s and lasts at least 0.04 s.
    length = record.video("ir").times[-1] / 1e6
    assert 3.7 < length <= 4
    want = (np.arange(8) + 0.5) * length / 8
    for stream, times in (("ir", EVEN), ("rgb", UNEVEN)):
        # Shown is the frame that was the latest then.
        latest = [times[times <= moment + 1e-6].max() for moment in want]
        np.testing.assert_allclose(moments(record, stream), latest, atol=0.06)
    assert not [text for text in heard if "durations" in text]


def test_a_stream_that_starts_late_and_one_that_ends_early(tmp_path):
    for name, part in (("late", EVEN[50:]), ("short", EVEN[:60])):
        rgb, ir = film(tmp_path / "a.mkv", EVEN), film(tmp_path / f"{name}.mkv", part)
        record, heard = prepared(rgb=rgb, ir=ir)
        shown = moments(record, "rgb"), moments(record, "ir")
        np.testing.assert_allclose(shown[0], shown[1], atol=0.06)
        length = len(part) / 25
        want = part[0] + length * (np.arange(8) + 0.5) / 8
        np.testing.assert_allclose(shown[0], want, atol=0.08)
        assert heard[0].startswith("streams of different durations: rgb 0.00 to 4.00 s")
        assert f"over the {length:.2f} s that they share" in heard[0]


def test_even_streams_of_one_time_have_no_times(tmp_path):
    slow = film(tmp_path / "slow.mkv", EVEN[::5])
    record, heard = prepared(rgb=film(tmp_path / "a.mkv", EVEN), ir=slow)
    assert not heard
    features = tf.train.Example.FromString(records.encode(record)).features.feature
    assert not [key for key in features if "times" in key]


def test_what_has_no_times_gets_those_of_as_many_frames():
    times = np.array([0, 10, 20, 70, 80])
    video = records.Video([b"x"] * 4, 4, 4, times=times)
    points = np.ones((1, 4, 2, 3), np.float32)
    body = records.Skeleton(points, np.ones((1, 4, 2), bool))
    record = records.Record("a", 0, streams={"rgb": video, "skeleton": body})
    clock.align(record)
    assert body.times.tolist() == video.times.tolist() == [0, 10, 20, 70, 80]
    ticks = sampling.view_ticks(8)[0]  # at 5, 15, 25, ... of 80
    places = sampling.timed_positions(ticks, 4, tf.constant(body.times), 8)
    want = [0, 1, 1.6, 1.8, 2, 2.2, 2.4, 3]
    np.testing.assert_allclose(places, want, atol=1e-9)


def test_clocks_that_share_no_time(tmp_path):
    ours, theirs = np.array([0, 5, 30, 40]), np.array([0, 5, 30, 40]) + 10**9
    record = records.Record("a", 0)
    for name, times in (("rgb", ours), ("ir", theirs)):
        record.streams[name] = records.Video([b"x"] * 3, 4, 4, times=times)
    with notes.listening() as heard:
        clock.align(record)
    assert "share no time" in heard[0]
    assert record.video("ir").times.tolist() == ours.tolist()
