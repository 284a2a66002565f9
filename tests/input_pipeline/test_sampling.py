"""Frame indices, checked against sequences written out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from input_pipeline import sampling
from input_pipeline.sampling import TICKS


def middle(frames: int, segments: int) -> list[int]:
    ticks = sampling.view_ticks(segments)[0]
    return sampling.frame_indices(ticks, frames, segments).tolist()


def test_one_view_reads_the_middle_of_each_segment():
    assert middle(16, 8) == [1, 3, 5, 7, 9, 11, 13, 15]
    assert middle(24, 8) == [1, 4, 7, 10, 13, 16, 19, 22]
    assert middle(100, 8) == [6, 18, 31, 43, 56, 68, 81, 93]
    assert middle(8, 8) == list(range(8))
    assert middle(7, 1) == [3]


def test_short_clips_repeat_frames():
    assert middle(3, 8) == [0, 0, 0, 1, 1, 2, 2, 2]
    assert middle(1, 4) == [0, 0, 0, 0]


def test_views_are_spread_evenly_inside_the_segments():
    ticks = sampling.view_ticks(4, views=3)
    indices = sampling.frame_indices(ticks, 24, 4)
    assert indices.tolist() == [[1, 7, 13, 19], [3, 9, 15, 21], [5, 11, 17, 23]]


def test_segments_are_cut_exactly():
    # 10 frames in 4 segments of 2.5: the first ticks of a segment lie in its first
    # frame, the last ones in its last.
    first = sampling.frame_indices(sampling.segment_ticks(0, 4), 10, 4)
    last = sampling.frame_indices(sampling.segment_ticks(TICKS - 1, 4), 10, 4)
    assert first.tolist() == [0, 2, 5, 7]
    assert last.tolist() == [2, 4, 7, 9]


@pytest.mark.parametrize("frames", [1, 2, 7, 8, 31, 300, 100_003])
def test_indices_rise_and_stay_inside(frames):
    inside = np.random.default_rng(frames).integers(0, TICKS, (50, 32))
    indices = sampling.frame_indices(sampling.segment_ticks(inside, 32), frames, 32)
    assert (np.diff(indices) >= 0).all()
    assert indices.min() >= 0 and indices.max() < frames


def test_streams_of_other_lengths_show_the_same_moment():
    inside = np.random.default_rng(0).integers(0, TICKS, 8)
    ticks = sampling.segment_ticks(inside, 8)
    few, many = (sampling.frame_indices(ticks, n, 8) for n in (30, 90))
    assert (many // 3 == few).all()


def test_tensorflow_agrees_with_numpy():
    inside = np.random.default_rng(1).integers(0, TICKS, (9, 8))
    ticks = sampling.segment_ticks(inside, 8)
    want = sampling.frame_indices(ticks, 101, 8)
    got = sampling.frame_indices(
        sampling.segment_ticks(tf.constant(inside), 8), tf.constant(101, tf.int64), 8
    )
    assert np.array_equal(got.numpy(), want)


def test_crops_lie_along_the_long_side():
    assert [p.tolist() for p in sampling.crop_places(1, True)] == [[0.5], [0.5]]
    wide = [p.tolist() for p in sampling.crop_places(3, True)]
    tall = [p.tolist() for p in sampling.crop_places(3, False)]
    assert wide == [[0.5, 0.5, 0.5], [0, 0.5, 1]]
    assert tall == [[0, 0.5, 1], [0.5, 0.5, 0.5]]


def test_no_views_are_refused():
    with pytest.raises(ValueError, match="8 segments and 0 views; both must be at"):
        sampling.view_ticks(8, 0)
    with pytest.raises(ValueError, match="Got 0 crops a frame"):
        sampling.crop_places(0, True)
