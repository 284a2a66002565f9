"""Ops on one clip: (stored example, seed) -> what the model sees. Stateless TensorFlow.

Randomness: an op's seed is a function of (seed, epoch, example, op), and of the stream
too where the streams need not agree. Streams that share a seed make the same draw, and
draws are proportions of a clip's length and of a frame's size; so streams that differ
in both stay aligned without any state between them.
"""

import zlib
from typing import NamedTuple

import tensorflow as tf

from input_pipeline import sampling


def fold_in(seed: tf.Tensor, data: tf.Tensor | int) -> tf.Tensor:
    """Returns a new seed [2], a function of an old one and an integer."""
    return tf.random.experimental.stateless_fold_in(seed, data)


def example_seed(seed: int, epoch: tf.Tensor, example: tf.Tensor) -> tf.Tensor:
    """Returns the seed [2] of one example in one epoch."""
    first = tf.constant([seed, 0], tf.int64)
    return fold_in(fold_in(first, epoch), example)


def op_seed(seed: tf.Tensor, op: str, stream: str = "") -> tf.Tensor:
    """Returns the seed of one op; without a stream, the same for all streams."""
    return fold_in(seed, zlib.crc32(f"{op}/{stream}".encode()))


def random_ticks(seed: tf.Tensor, segments: int) -> tf.Tensor:
    """Returns timestamps [t], one random point in each segment; see `sampling`."""
    inside = tf.random.stateless_uniform([segments], seed, 0, sampling.TICKS, tf.int64)
    return sampling.segment_ticks(inside, segments)


class Place(NamedTuple):
    """Where a crop lies, without pixels: the same for frames of any size."""

    short: tf.Tensor  # length of the short side before the crop
    y: tf.Tensor  # 0: at the top, 1: at the bottom
    x: tf.Tensor  # 0: at the left, 1: at the right


def random_place(seed: tf.Tensor, shortest: int, longest: int) -> Place:
    """Returns a crop at a uniformly random scale and place."""
    short = tf.random.stateless_uniform(
        [], fold_in(seed, 0), shortest, longest + 1, tf.int32
    )
    y, x = tf.unstack(tf.random.stateless_uniform([2], fold_in(seed, 1)))
    return Place(tf.cast(short, tf.float32), y, x)


def random_flip(seed: tf.Tensor, probability: float) -> tf.Tensor:
    """Returns a random bool."""
    return tf.random.stateless_uniform([], seed) < probability


def window(
    height: tf.Tensor, width: tf.Tensor, place: Place, size: tuple[int, int]
) -> tf.Tensor:
    """Returns the part (y, x, height, width) int32 [4] of a frame that a crop shows.

    It is what ``size`` covers once the frame's short side is ``place.short`` long,
    in whole pixels of the frame as it is.
    """
    frame = tf.cast(tf.stack([height, width]), tf.float32)
    scale = tf.reduce_min(frame) / place.short
    part = tf.clip_by_value(tf.round(tf.constant(size, tf.float32) * scale), 1.0, frame)
    start = tf.round(tf.stack([place.y, place.x]) * (frame - part))
    return tf.cast(tf.concat([start, part], 0), tf.int32)


def decode(
    jpegs: tf.Tensor, part: tf.Tensor, size: tuple[int, int], channels: int
) -> tf.Tensor:
    """Decodes the window ``part`` of JPEG frames [t] and resizes it: uint8 [t h w c].

    Only the window is decoded, not the frame. The accurate DCT costs nothing
    measurable here. Enlarging is bilinear; shrinking is antialiased, at three times
    the cost: without it fine texture turns to noise.
    """

    def one(jpeg: tf.Tensor) -> tf.Tensor:
        frame = tf.io.decode_and_crop_jpeg(
            jpeg, part, channels=channels, dct_method="INTEGER_ACCURATE"
        )
        return tf.ensure_shape(frame, [None, None, channels])

    frames = tf.map_fn(one, jpegs, fn_output_signature=tf.uint8)
    return resize(frames, size)


def resize(frames: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Resizes uint8 frames [t h w c] to ``size``; see `decode`."""
    given = tf.shape(frames)[1:3]

    def enlarge() -> tf.Tensor:
        return tf.raw_ops.ResizeBilinear(
            images=frames, size=size, half_pixel_centers=True
        )

    def shrink() -> tf.Tensor:
        return tf.image.resize(frames, size, antialias=True)

    def change() -> tf.Tensor:
        resized = tf.cond(tf.reduce_any(given > size), shrink, enlarge)
        # Both kernels only average: nothing leaves 0..255, nothing needs clipping.
        return tf.cast(tf.round(resized), tf.uint8)

    resized = tf.cond(tf.reduce_all(given == size), lambda: frames, change)
    return tf.ensure_shape(resized, [frames.shape[0], *size, frames.shape[-1]])


def flip(frames: tf.Tensor, flipped: tf.Tensor) -> tf.Tensor:
    """Mirrors frames [t h w c] left to right where ``flipped``."""
    t, h, w, c = frames.shape
    # Reversing the middle of three axes is four times as fast as the third of four.
    rows = tf.reshape(frames, [t * h, w, c])
    mirrored = tf.cond(flipped, lambda: tf.reverse(rows, [1]), lambda: rows)
    return tf.reshape(mirrored, [t, h, w, c])


def crop_boxes(
    boxes: tf.Tensor,
    visible: tf.Tensor,
    frame: tuple[tf.Tensor, tf.Tensor],
    part: tf.Tensor,
    flipped: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Carries boxes along with crop and flip.

    Args:
      boxes: float32 [t 4], y0 x0 y1 x1 as fractions of the whole frame.
      visible: bool [t].
      frame: height and width of the whole frame.
      part: the `window` that is shown.
      flipped: whether it is mirrored.

    Returns:
      The boxes as fractions of the window, clipped to it, and whether they are
      visible: not if nothing of them lies in the window. Unseen boxes are zeros.
    """
    pixels = tf.cast(tf.stack([*frame, *frame]), tf.float32)
    start, shown = tf.split(tf.cast(part, tf.float32), 2)
    boxes = (boxes * pixels - tf.tile(start, [2])) / tf.tile(shown, [2])
    y0, x0, y1, x1 = tf.unstack(tf.clip_by_value(boxes, 0.0, 1.0), axis=-1)
    x0, x1 = tf.where(flipped, 1 - x1, x0), tf.where(flipped, 1 - x0, x1)
    visible = visible & (y1 > y0) & (x1 > x0)
    boxes = tf.stack([y0, x0, y1, x1], axis=-1)
    return tf.where(visible[:, None], boxes, 0.0), visible


def skeleton_frames(points: tf.Tensor, indices: tf.Tensor, persons: int) -> tf.Tensor:
    """Returns frames of a skeleton [m t v 3] for ``persons`` persons.

    Missing persons are zeros, as an untracked joint is; of too many the first are kept.
    """
    points = tf.gather(points[:persons], indices, axis=1)
    missing = persons - tf.shape(points)[0]
    return tf.pad(points, [[0, missing], [0, 0], [0, 0], [0, 0]])
