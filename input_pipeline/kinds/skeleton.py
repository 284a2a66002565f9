"""Streams of joints: interpolated to the model's frames, turned and mirrored."""

from collections.abc import Mapping

import tensorflow as tf

from input_pipeline import ops, records, sampling
from input_pipeline.draws import Draws
from input_pipeline.kinds import video
from input_pipeline.streams import STREAMS

Example = dict[str, tf.Tensor]


def keys(stored: str) -> list[str]:
    """Returns the features that are read of a stored stream."""
    found = [records.points_key(stored), records.shape_key(stored)]
    return [*found, records.times_key(stored)]


def present(record: Example, stored: str) -> tf.Tensor:
    """Returns whether the clip has the stream."""
    return tf.size(record[records.points_key(stored)]) > 0


def points(record: Example, stored: str) -> tf.Tensor:
    """Returns the stored joints, [m t v 3]."""
    shape = tf.concat([record[records.shape_key(stored)], [3]], 0)
    return tf.reshape(record[records.points_key(stored)], shape)


def read(
    record: Example,
    stream: str,
    shape: tuple[int, ...],
    draws: Draws,
    part: tf.Tensor | int,
    mirror: tuple[int, ...] | None,
) -> tf.Tensor:
    """Returns the joints of a stream, [m t v 3] or, with several views, [u m t v 3].

    ``mirror``: the joint that each joint of a flipped body is; None: none is flipped.
    """
    stored = points(record, STREAMS[stream].stored)
    frames = tf.shape(stored, tf.int64)[1]
    times = record[records.times_key(STREAMS[stream].stored)]
    persons, t = shape[:2]
    data = draws.data
    views = []
    every = [
        (ticks, m) for m in draws.mirrored(stream) for ticks in draws.times(stream, t)
    ]
    for ticks, flipped in every:
        places = sampling.timed_positions(ticks, frames, times, t)
        chosen = ops.skeleton_at(stored, places, persons)
        if draws.training and data.skeleton_turn:
            angle = ops.random_angle(draws.seed("turn"), data.skeleton_turn)
            chosen = ops.turn_skeleton(chosen, angle)
        if mirror is not None:
            chosen = ops.mirror_skeleton(chosen, flipped, mirror)
        crops = 1 if draws.training else data.eval_views_space
        views += [tf.ensure_shape(chosen, shape)] * crops
    together = data.eval_views_at_once
    if not draws.training and together:
        first = tf.cast(part, tf.int64) * together
        views = [tf.gather(tf.stack(views), first + j) for j in range(together)]
    return tf.stack(views) if len(views) > 1 else views[0]


def seen_in(
    record: Example,
    stream: str,
    image: str,
    shapes: Mapping[str, tuple[int, ...]],
    lens: tf.Tensor,
    draws: Draws,
    mirror: tuple[int, ...] | None,
) -> tf.Tensor:
    """Returns where joints are seen in the first view of a video, [t m v 2].

    In a mirrored view a joint is where the joint is that it then is, see `read`.

    Args:
      record: the clip.
      stream: of joints.
      image: the video.
      shapes: of both, as the model reads them.
      lens: of the clip's camera and this video, float32 [2 4].
      draws: when, where and whether mirrored the video is sampled.
      mirror: the joint that each joint of a flipped body is; None: none is flipped.
    """
    stored = points(record, STREAMS[stream].stored)
    t, h, w, _ = shapes[image]
    frames = STREAMS[image].stored
    _, (height, width) = video.frame(record, frames)
    part = video.window(record, frames, draws.places(image, width >= height)[0], (h, w))
    ticks = draws.times(image, t)[0]
    times = record[records.times_key(STREAMS[stream].stored)]
    index = sampling.timed_indices(ticks, tf.shape(stored, tf.int64)[1], times, t)
    persons = shapes[stream][0]
    chosen = ops.skeleton_at(stored, tf.cast(index, tf.float64), persons)
    seen = ops.project_skeleton(chosen, lens, video.size(record, frames), part)
    if mirror is None:
        return seen
    column, row = tf.unstack(tf.gather(seen, mirror, axis=2), axis=-1)
    opposite = tf.stack([1 - column, row], axis=-1)
    return tf.where(draws.mirrored(image)[0], opposite, seen)
