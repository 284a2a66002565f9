"""Which frames of a clip are read: integers only, the same in numpy and TensorFlow.

A clip of any length is cut into T equal segments and gives one frame a segment. The
place of a frame is a normalised timestamp, an integer number of ticks: segment i covers
[i * TICKS, (i + 1) * TICKS) and the whole clip T * TICKS. Every stream of a clip maps
the same ticks to its own number of frames, so that "frame 3" is the same moment in all
of them, whatever their lengths and rates.
"""

from typing import Any

import numpy as np
import tensorflow as tf

# A segment's length. 1 to 16 divide it, so that middles and views are exact; with int64
# no clip is long enough for T * TICKS * frames to overflow.
TICKS = 720_720


def segment_ticks(inside: Any, segments: int) -> Any:
    """Returns the timestamps [..., T] of one point in each of T segments.

    Args:
      inside: int64 [..., T] or [..., 1], the point's place in its segment, in
        [0, TICKS); drawn at random in training.
      segments: T.
    """
    return np.arange(segments, dtype=np.int64) * TICKS + inside


def view_ticks(segments: int, views: int = 1) -> np.ndarray:
    """Returns evaluation timestamps [u, T]: one view reads the middle of each segment.

    With u views, view j reads the middle of the j-th of u equal parts of each segment.
    """
    if segments < 1 or views < 1:
        raise ValueError(
            f"Got {segments} segments and {views} views; both must be at least 1."
        )
    middles = (2 * np.arange(views, dtype=np.int64)[:, None] + 1) * TICKS // (2 * views)
    return segment_ticks(middles, segments)


def centre_window(fraction: float) -> tuple[int, int]:
    """Returns start and length, in ticks of a clip TICKS long, of its middle part."""
    length = round(fraction * TICKS)
    return (TICKS - length) // 2, length


def in_window(ticks: Any, start: Any, length: Any, segments: int) -> Any:
    """Returns timestamps of a part of a clip as timestamps of the whole clip.

    Args:
      ticks: int64 [..., T], see `segment_ticks`, of the part.
      start, length: int64, the part, where the whole clip is TICKS long.
      segments: T.
    """
    return start * segments + ticks * length // TICKS


def frame_positions(ticks: Any, frames: Any, segments: int) -> Any:
    """Returns the float64 places of timestamps between the frames, to interpolate.

    Frame k lasts from k to k + 1 and is itself of the middle of that time: so the
    middles of as many segments as there are frames are exactly the frames. The first
    half frame and the last one give places outside of [0, frames - 1]. Arguments are
    those of `frame_indices`.
    """
    return ticks * frames / (segments * TICKS) - 0.5


def frame_indices(ticks: Any, frames: Any, segments: int) -> Any:
    """Returns floor(ticks * frames / (T * TICKS)): the frames at these timestamps.

    Works on numpy arrays and on TensorFlow tensors. A clip of fewer than T frames
    repeats frames; indices never decrease and stay in [0, frames).

    Args:
      ticks: int64 [..., T], see `segment_ticks`.
      frames: int64, how many frames the stream has (at least 1).
      segments: T.
    """
    return ticks * frames // (segments * TICKS)


def shown_at(ticks: Any, times: Any, segments: int) -> tuple[Any, Any]:
    """Returns the frames that are shown at timestamps, and the moments, as tensors.

    Args:
      ticks: int64 [T], see `segment_ticks`.
      times: int64 [t + 1], when frames start and the clip's length; see `clock`.
      segments: T.
    """
    moments = ticks * tf.reduce_sum(times[-1:]) // (segments * TICKS)
    begun = tf.cast(times[:-1, None] <= moments, tf.int64)
    return tf.maximum(tf.reduce_sum(begun, 0) - 1, 0), moments


def timed_indices(ticks: Any, count: Any, times: Any, segments: int) -> Any:
    """Returns the frames at timestamps: by their times, without any by their numbers.

    Arguments are those of `frame_indices` and `shown_at`.
    """
    by_time, _ = shown_at(ticks, times, segments)
    by_number = frame_indices(ticks, count, segments)
    return tf.where(tf.size(times) > 1, by_time, by_number)


def timed_positions(ticks: Any, count: Any, times: Any, segments: int) -> Any:
    """Returns places between the frames: by their times, without any by their numbers.

    As in `frame_positions` a frame is of the middle of the time that it lasts.
    """
    by_number = frame_positions(ticks, count, segments)
    index, moments = shown_at(ticks, times, segments)
    starts = tf.concat([times[:-1], [0]], 0)  # never empty
    last = tf.maximum(tf.reduce_sum(times[-1:]), tf.reduce_sum(times[-2:-1]) + 1)
    ends = tf.concat([times[1:-1], [last, last]], 0)
    begin, end = tf.gather(starts, index), tf.gather(ends, index)
    part = (moments - begin) / tf.maximum(end - begin, 1)
    by_time = tf.cast(index, tf.float64) + tf.clip_by_value(part, 0.0, 1.0) - 0.5
    return tf.where(tf.size(times) > 1, by_time, by_number)


def window_start(frames: Any, length: Any, numerator: Any, denominator: int) -> Any:
    """Returns the first frame of a window of ``length`` frames in a clip of ``frames``.

    0 / d puts it at the clip's start, d / d at its end: in evaluation view j of u lies
    at j / (u - 1), and a single one at 1 / 2.
    """
    return (frames - length) * numerator // denominator


def window_indices(
    ticks: Any, window: tuple[Any, Any, Any], count: Any, times: Any, segments: int
) -> Any:
    """Returns the frames at timestamps of a window: the same moments in every stream.

    Args:
      ticks: int64 [T], see `segment_ticks`, of the window.
      window: its first frame, its length, and how many frames there are, of the stream
        by whose frames it is counted; at an even rate they are a part of the time.
      count: int64, how many frames this stream has.
      times: of its frames, see `shown_at`; empty if their numbers will do.
      segments: T.
    """
    start, length, whole = window
    place = start * segments * TICKS + ticks * length
    by_time, _ = shown_at(place // whole, times, segments)
    by_number = place * count // (whole * segments * TICKS)
    return tf.where(tf.size(times) > 1, by_time, by_number)


def crop_places(views: int, landscape: Any) -> tuple[Any, Any]:
    """Returns the places (y, x) [u] of evaluation crops, as proportions of free space.

    The crops lie centred on the short side and evenly spread along the long one: one
    is the centre, three are the two ends and the centre.

    Args:
      views: u.
      landscape: whether the long side is x; may be a TensorFlow bool.
    """
    if views < 1:
        raise ValueError(f"Got {views} crops a frame; there must be at least 1.")
    spread = np.arange(views) / (views - 1) if views > 1 else np.full(1, 0.5)
    spread = spread.astype(np.float32)
    wide = landscape * np.ones(views, np.float32)
    return wide * 0.5 + (1 - wide) * spread, wide * spread + (1 - wide) * 0.5
