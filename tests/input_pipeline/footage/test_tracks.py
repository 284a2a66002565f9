"""Frames as they are kept: by hand, a grey value a frame."""

import io

import numpy as np
from PIL import Image

from input_pipeline.footage import Frame
from input_pipeline.footage.tracks import Track

made = []


def frame(start, value=None, size=(8, 16)):
    def picture():
        made.append(start)
        return np.full(size, start % 251 if value is None else value, np.uint8)

    return Frame(start, picture)


def track_of(*starts, wanted=None):
    track = Track()
    track.wanted = wanted or track.wanted
    for start in starts:
        track.add(frame(start))
    return track


def values(video):
    return [np.asarray(Image.open(io.BytesIO(f))).mean().round() for f in video.frames]


def test_a_cut_has_the_frames_shown_in_it_and_their_times():
    track = track_of(0, 10, 20, 30, 40)
    video = track.cut(15, 35, [16, 25, 34])
    assert values(video) == [10, 20, 30]
    assert video.times.tolist() == [-5, 5, 15, 20]
    assert (video.height, video.width) == (8, 16)
    # A frame that begins with the window, and one that begins with its end.
    assert track.cut(20, 30, [20]).times.tolist() == [0, 10]
    assert track.cut(-9, 0, [-5]) is None


def test_frames_that_nothing_looks_at_are_let_go_unmade():
    made.clear()
    wanted = lambda begin, end: begin <= 25 < end  # noqa: E731
    track = track_of(0, 10, 20, 30, 40, wanted=wanted)
    assert len(track) == 2  # the one that is looked at, and the newest
    assert values(track.cut(10, 40, [25])) == [20]
    assert made == [20]  # once


def test_what_comes_too_late_is_passed_over():
    track = track_of(0, 20, 10, 30)
    assert track.cut(0, 40, [0]).times.tolist() == [0, 20, 30, 40]


def test_what_is_older_than_windows_need_is_forgotten():
    track = track_of(*range(0, 100, 10))
    track.forget(35)
    assert track.cut(35, 50, [35]).times.tolist() == [-5, 5, 15]
    track.longest = 30
    track.add(frame(100))
    assert len(track) == 4  # 70 80 90 100


def test_a_stream_that_shows_nothing_for_too_long_is_missing():
    track = track_of(0, 10, 20)
    assert track.cut(0, 60, [5, 45], stale=25) is not None
    assert track.cut(0, 60, [5, 46], stale=25) is None
    assert track.cut(-40, 20, [-26, 5], stale=25) is None  # it began later
    assert track.cut(0, 60, [5, 46]) is not None  # of a file: nothing follows it yet
    track.end = 40
    assert track.cut(0, 60, [5, 46]) is None
    assert track.cut(0, 60, [5, 39]) is not None
    assert Track().cut(0, 10, [5]) is None


def test_frames_of_two_sizes_are_no_video():
    track = track_of(0, 10)
    track.add(frame(20, size=(4, 4)))
    track.add(frame(30, size=(4, 4)))
    assert track.cut(0, 20, [5]) is not None
    assert track.cut(5, 25, [5]) is None
    assert track.cut(20, 35, [25]).height == 4
