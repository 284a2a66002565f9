"""Streams of frames: the sampled ones alone are decoded, and of them the crop alone."""

import tensorflow as tf

from input_pipeline import differences, ops, records
from input_pipeline.draws import Draws
from input_pipeline.streams import STREAMS

Example = dict[str, tf.Tensor]
# The frames and the crop of one view, and whether it is mirrored.
View = tuple[tf.Tensor, ops.Crop, tf.Tensor]
# Boxes [t 4] of the actor in the frames that are seen, and whether he is in them [t].
Truth = tuple[tf.Tensor, tf.Tensor]


def keys(stored: str, truth: bool) -> list[str]:
    """Returns the features that are read of a stored stream, with or without truth."""
    found = [records.frames_key(stored), records.times_key(stored)]
    found += [records.height_key(stored), records.width_key(stored)]
    if truth:
        found += [records.visible_key(stored), records.box_key(stored)]
    return found


def present(record: Example, stored: str) -> tf.Tensor:
    """Returns whether the clip has the stream."""
    return tf.size(record[records.frames_key(stored)]) > 0


def view_key(stored: str) -> str:
    """Returns the name of the part of a stream's frames of which crops are taken.

    It is no stored feature: (y, x, height, width), fractions of the frame, [4].
    """
    return f"{stored}/view"


def bodies_key(stored: str) -> str:
    """Returns the name of the part of a stream's frames that no crop may cut.

    It is no stored feature: (y0, x0, y1, x1), pixels of the frame, float32 [4].
    """
    return f"{stored}/bodies"


def frame(
    record: Example, stored: str
) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
    """Returns where the frames' part that is looked at begins, int32 [2], and its size.

    The whole frame, or the part of `view_key`.
    """
    whole = tf.stack(size(record, stored))
    if view_key(stored) not in record:
        return tf.zeros_like(whole), size(record, stored)
    start, extent = tf.split(record[view_key(stored)], 2)
    real = tf.cast(whole, tf.float32)
    start = tf.cast(tf.round(start * real), tf.int32)
    extent = tf.maximum(tf.cast(tf.round(extent * real), tf.int32), 1)
    return start, (extent[0], extent[1])


def window(
    record: Example, stored: str, place: ops.Crop, shape: tuple[int, int]
) -> tf.Tensor:
    """Returns the part (y, x, height, width) int32 [4] of a frame that a crop shows."""
    start, (height, width) = frame(record, stored)
    hold = None
    if bodies_key(stored) in record:
        skipped = tf.cast(tf.tile(start, [2]), tf.float32)
        hold = record[bodies_key(stored)] - skipped
    part = ops.window(height, width, place, shape, hold)
    return tf.concat([part[:2] + start, part[2:]], 0)


def size(record: Example, stored: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns height and width of the stored frames, int32."""
    height = tf.cast(record[records.height_key(stored)], tf.int32)
    width = tf.cast(record[records.width_key(stored)], tf.int32)
    return height, width


def views_of(
    record: Example, stream: str, frames: int, draws: Draws, part: tf.Tensor | int
) -> list[View]:
    """Returns the views of a clip; of those evaluated in parts, the ones of a part."""
    stored = STREAMS[stream].stored
    count = tf.size(record[records.frames_key(stored)], tf.int64)
    _, (height, width) = frame(record, stored)
    times = record[records.times_key(stored)]
    indices = draws.indices(stream, frames, count, times)
    places = draws.places(stream, width >= height)
    together = draws.data.eval_views_at_once
    mirrored = draws.mirrored(stream)
    if draws.training or not together:
        return [(i, place, m) for m in mirrored for i in indices for place in places]
    all_indices, all_places = (
        tf.stack(indices),
        [tf.stack(values) for values in zip(*places, strict=True)],
    )
    views: list[View] = []
    for j in range(together):
        view = tf.cast(part, tf.int64) * together + j
        flipped = view // (len(indices) * len(places))
        index = tf.gather(all_indices, view // len(places) % len(indices))
        crop = (tf.gather(values, view % len(places)) for values in all_places)
        views.append((index, ops.Place(*crop), tf.gather(mirrored, flipped)))
    return views


def read(
    record: Example,
    stream: str,
    shape: tuple[int, ...],
    draws: Draws,
    part: tf.Tensor | int,
) -> tf.Tensor:
    """Returns the frames of a stream, [t h w c] or, with several views, [u t h w c]."""
    about = STREAMS[stream]
    encoded = record[records.frames_key(about.stored)]
    t, h, w, _ = shape
    quarters = draws.quarters(stream)
    shown = []
    for index, place, flipped in views_of(record, stream, t, draws, part):
        seen, number = index, t
        if about.made_from:
            seen = differences.frame_indices(index, tf.size(encoded, tf.int64))
            number = t * differences.FRAMES
        chosen = tf.ensure_shape(tf.gather(encoded, seen), [number])
        part_shown = window(record, about.stored, place, (h, w))
        frames = ops.decode(chosen, part_shown, (h, w), STREAMS[about.stored])
        frames = ops.flip(frames, flipped)
        if quarters is not None:
            frames = ops.turn(frames, quarters)
        frames = draws.augmented(stream, frames)
        shown.append(differences.subtract(frames) if about.made_from else frames)
    return tf.stack(shown) if len(shown) > 1 else shown[0]


def truth(
    record: Example,
    stream: str,
    shape: tuple[int, ...],
    draws: Draws,
    part: tf.Tensor | int,
) -> Truth:
    """Returns where the actor is in the first view of a stream."""
    stored = STREAMS[stream].stored
    t, h, w, _ = shape
    index, place, flipped = views_of(record, stream, t, draws, part)[0]
    boxes = tf.reshape(record[records.box_key(stored)], [-1, 4])
    visible = record[records.visible_key(stored)] > 0
    return ops.crop_boxes(
        tf.gather(boxes, index),
        tf.gather(visible, index),
        size(record, stored),
        window(record, stored, place, (h, w)),
        flipped,
    )
