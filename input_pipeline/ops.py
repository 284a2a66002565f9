"""Ops on one clip: (stored example, seed) -> what the model sees. Stateless TensorFlow.

Randomness: an op's seed is a function of (seed, epoch, example, op), and of the stream
too where the streams need not agree. Streams that share a seed make the same draw, and
draws are proportions of a clip's length and of a frame's size; so streams that differ
in both stay aligned without any state between them.
"""

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from input_pipeline import sampling
from input_pipeline.streams import Stream


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


def random_window(seed: tf.Tensor, shortest: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns start and length of a random part of a clip, in ticks of TICKS.

    The length is uniform between the fraction ``shortest`` and the whole clip, then
    the start is uniform where it fits.
    """
    least = round(shortest * sampling.TICKS)
    length = tf.random.stateless_uniform(
        [], fold_in(seed, 0), least, sampling.TICKS + 1, tf.int64
    )
    free = sampling.TICKS - length
    start = tf.random.stateless_uniform([], fold_in(seed, 1), 0, free + 1, tf.int64)
    return start, length


class Place(NamedTuple):
    """Where a crop lies, without pixels: the same for frames of any size."""

    short: tf.Tensor  # length of the short side before the crop
    y: tf.Tensor  # 0: at the top, 1: at the bottom
    x: tf.Tensor  # 0: at the left, 1: at the right

    def extent(self, frame: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
        """Returns height and width of the part that a model of ``size`` is shown."""
        return tf.constant(size, tf.float32) * (tf.reduce_min(frame) / self.short)


class Corner(NamedTuple):
    """A crop whose sides are proportions of the frame's short side."""

    sides: tf.Tensor  # height and width over the short side, float32 [2]
    y: tf.Tensor
    x: tf.Tensor

    def extent(self, frame: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
        """Returns height and width of the part that a model of any size is shown."""
        del size
        return self.sides * tf.reduce_min(frame)


Crop = Place | Corner


def random_place(seed: tf.Tensor, shortest: int, longest: int) -> Place:
    """Returns a crop at a uniformly random scale and place."""
    short = tf.random.stateless_uniform(
        [], fold_in(seed, 0), shortest, longest + 1, tf.int32
    )
    y, x = tf.unstack(tf.random.stateless_uniform([2], fold_in(seed, 1)))
    return Place(tf.cast(short, tf.float32), y, x)


# Where TSN's crops lie, in quarters of the free height and width: the four corners and
# the centre, the middles of the four edges, and the four places half way between the
# centre and a corner (Wang et al., "Temporal Segment Networks", section 3.2, and the
# thirteen offsets of its published code).
CORNERS = (
    *((0, 0), (0, 4), (4, 0), (4, 4), (2, 2)),
    *((2, 0), (2, 4), (4, 2), (0, 2)),
    *((1, 1), (1, 3), (3, 1), (3, 3)),
)


def scale_pairs(scales: Sequence[float], distort: int) -> list[tuple[float, float]]:
    """Returns the (height, width) that a crop may have: at most ``distort`` steps of
    the list of scales apart, so that the aspect changes a little and no more."""
    return [
        (height, width)
        for i, height in enumerate(scales)
        for j, width in enumerate(scales)
        if abs(i - j) <= distort
    ]


def random_corner(seed: tf.Tensor, scales: Sequence[float], distort: int) -> Corner:
    """Returns a crop at one of `CORNERS`, its sides one of `scale_pairs`, all alike."""
    pairs = scale_pairs(scales, distort)
    pair = tf.random.stateless_uniform([], fold_in(seed, 0), 0, len(pairs), tf.int32)
    place = tf.random.stateless_uniform([], fold_in(seed, 1), 0, len(CORNERS), tf.int32)
    y, x = tf.unstack(tf.gather(tf.constant(CORNERS, tf.float32) / 4, place))
    return Corner(tf.gather(tf.constant(pairs, tf.float32), pair), y, x)


def random_tick(seed: tf.Tensor) -> tf.Tensor:
    """Returns a random place in [0, TICKS); see `sampling`."""
    return tf.random.stateless_uniform([], seed, 0, sampling.TICKS, tf.int64)


def random_kept(seed: tf.Tensor, there: tf.Tensor, dropout: float) -> tf.Tensor:
    """Returns which streams [s] of those that are there are kept; never none of them.

    Each is left out with probability ``dropout``; where all would be, one of them, each
    as likely, is kept.
    """
    drawn = tf.random.stateless_uniform(there.shape, seed)
    kept = there & (drawn >= dropout)
    last = tf.argmax(tf.where(there, drawn, -1.0), output_type=tf.int32)
    only = tf.range(there.shape[0]) == last
    return tf.where(tf.reduce_any(kept), kept, only & there)


def random_flip(seed: tf.Tensor, probability: float) -> tf.Tensor:
    """Returns a random bool."""
    return tf.random.stateless_uniform([], seed) < probability


def window(
    height: tf.Tensor,
    width: tf.Tensor,
    place: Crop,
    size: tuple[int, int],
    hold: tf.Tensor | None = None,
) -> tf.Tensor:
    """Returns the part (y, x, height, width) int32 [4] of a frame that a crop shows.

    It is what ``size`` covers once the frame's short side is ``place.short`` long, or
    what a corner crop's sides say, in whole pixels of the frame as it is.

    Args:
      height, width: of the frame.
      place: of the crop, in the room that it has.
      size: height and width of what the model is shown.
      hold: float32 [4], y0 x0 y1 x1 in pixels: what the crop must not cut. It grows as
        far as it must, in its own proportions while the frame has room for them, and
        its place is one among those that hold this. With y0 > y1 there is nothing.
    """
    frame = tf.cast(tf.stack([height, width]), tf.float32)
    part = place.extent(frame, size)
    if hold is not None:
        first, last = tf.split(tf.round(hold), 2)
        part *= tf.maximum(tf.reduce_max((last - first) / part), 1.0)
    part = tf.clip_by_value(tf.round(part), 1.0, frame)
    low, high = tf.zeros_like(part), frame - part
    if hold is not None:
        low, high = (tf.clip_by_value(x, low, high) for x in (last - part, first))
    start = tf.round(low + tf.stack([place.y, place.x]) * (high - low))
    return tf.cast(tf.concat([start, part], 0), tf.int32)


def decode(
    encoded: tf.Tensor, part: tf.Tensor, size: tuple[int, int], stream: Stream
) -> tf.Tensor:
    """Decodes the window ``part`` of a stored stream's frames [t] and resizes it.

    Of JPEG images, uint8 [t h w c], only the window is decoded, not the frame. The
    accurate DCT costs nothing measurable here. Enlarging is bilinear; shrinking is
    antialiased, at three times the cost: without it fine texture turns to noise. Of
    16-bit PNG images, uint16, every new pixel is the old one that its centre lies in:
    distances are not mixed, least of all with 0, "not measured".
    """
    if stream.codec == "png16":
        rows, columns = (
            part[i] + (2 * tf.range(size[i]) + 1) * part[2 + i] // (2 * size[i])
            for i in range(2)
        )

        def exact(png: tf.Tensor) -> tf.Tensor:
            frame = tf.io.decode_png(png, channels=stream.channels, dtype=tf.uint16)
            return tf.gather(tf.gather(frame, rows), columns, axis=1)

        pixels = tf.map_fn(exact, encoded, fn_output_signature=tf.uint16)
        return tf.ensure_shape(pixels, [encoded.shape[0], *size, stream.channels])

    def one(jpeg: tf.Tensor) -> tf.Tensor:
        frame = tf.io.decode_and_crop_jpeg(
            jpeg, part, channels=stream.channels, dct_method="INTEGER_ACCURATE"
        )
        return tf.ensure_shape(frame, [None, None, stream.channels])

    frames = tf.map_fn(one, encoded, fn_output_signature=tf.uint8)
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


def random_quarters(seed: tf.Tensor) -> tf.Tensor:
    """Returns a random number of quarter turns, 0 to 3."""
    return tf.random.stateless_uniform([], seed, 0, 4, tf.int32)


def turn(frames: tf.Tensor, quarters: tf.Tensor) -> tf.Tensor:
    """Turns square frames [t h h c] by so many quarters, anticlockwise."""
    turned = tf.image.rot90(frames, quarters)
    return tf.ensure_shape(turned, frames.shape)


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


def skeleton_at(points: tf.Tensor, places: tf.Tensor, persons: int) -> tf.Tensor:
    """Returns a skeleton [m t v 3] at places between its frames, for ``persons``.

    Linear interpolation, joint by joint; the first and the last frame reach to the
    ends. A joint at the origin is one that is not there: where only one of two frames
    has it, nothing is made up between them, and the nearer frame is taken as it is.
    Missing persons are zeros; of too many the first are kept.

    Args:
      points: float32 [m t v 3], t at least 1.
      places: float64 [T], see `sampling.frame_positions`.
      persons: how many to return.
    """
    points = points[:persons]
    last = tf.cast(tf.shape(points)[1] - 1, places.dtype)
    places = tf.clip_by_value(places, 0.0, last)
    before = tf.floor(places)
    weight = tf.cast(places - before, tf.float32)[:, None, None]
    low = tf.gather(points, tf.cast(before, tf.int64), axis=1)
    high = tf.gather(points, tf.cast(tf.math.ceil(places), tf.int64), axis=1)
    both = _present(low) & _present(high)
    nearer = tf.where(weight < 0.5, low, high)
    points = tf.where(both, low + weight * (high - low), nearer)
    missing = persons - tf.shape(points)[0]
    return tf.pad(points, [[0, missing], [0, 0], [0, 0], [0, 0]])


def _present(points: tf.Tensor) -> tf.Tensor:
    return tf.reduce_any(points != 0, axis=-1, keepdims=True)


def random_angle(seed: tf.Tensor, most: float) -> tf.Tensor:
    """Returns a uniformly random angle between -most and most, given in degrees."""
    return tf.random.stateless_uniform([], seed, -1.0, 1.0) * (most * np.pi / 180)


def turn_skeleton(points: tf.Tensor, angle: tf.Tensor) -> tf.Tensor:
    """Turns a skeleton [m t v 3] about the camera's upright axis, y, by an angle.

    From z, away from the camera, towards x; absent joints stay at the origin.
    """
    x, y, z = tf.unstack(points, axis=-1)
    cos, sin = tf.cos(angle), tf.sin(angle)
    return tf.stack([cos * x + sin * z, y, cos * z - sin * x], axis=-1)


def mirror_skeleton(
    points: tf.Tensor, flipped: tf.Tensor, mirror: tuple[int, ...]
) -> tf.Tensor:
    """Mirrors a skeleton [m t v 3] left to right where ``flipped``.

    The camera looks along z: x changes its sign, and joint i becomes the negated joint
    ``mirror[i]``, as a person's left hand becomes a right hand in a mirror.
    """
    opposite = tf.gather(points, mirror, axis=2) * tf.constant([-1.0, 1.0, 1.0])
    return tf.where(flipped, opposite, points)


def body_box(
    points: tf.Tensor,
    lens: tf.Tensor,
    frame: tuple[tf.Tensor, tf.Tensor],
    margin: float,
) -> tf.Tensor:
    """Returns the box of all bodies of a clip in an image, y0 x0 y1 x1, float32 [4].

    In pixels of the whole frame; a joint outside of it counts as one at its edge.
    Without joints y0 and x0 are inf, y1 and x1 -inf.

    Args:
      points: joints [m t v 3] in metres, camera coordinates.
      lens: float32 [2 4], see `input_pipeline.lenses`.
      frame: height and width of the whole frame.
      margin: so much of the box's longer side is added all around.
    """
    whole = tf.stack([0, 0, *frame])
    seen = tf.reshape(project_skeleton(points, lens, frame, whole), [-1, 2])[:, ::-1]
    seen = tf.boolean_mask(seen, tf.reduce_all(tf.math.is_finite(seen), axis=-1))
    seen = tf.clip_by_value(seen, 0.0, 1.0) * tf.cast(tf.stack(frame), tf.float32)
    first, last = tf.reduce_min(seen, axis=0), tf.reduce_max(seen, axis=0)
    border = margin * tf.reduce_max(last - first)
    return tf.concat([first - border, last + border], 0)


def project_skeleton(
    points: tf.Tensor,
    lens: tf.Tensor,
    frame: tuple[tf.Tensor, tf.Tensor],
    part: tf.Tensor,
) -> tf.Tensor:
    """Returns where joints [m t v 3] are seen in a crop, [t m v 2] (column, row).

    Fractions of the crop; outside of 0..1 a joint is outside of it. Absent joints, and
    those behind the camera, are NaN.

    Args:
      points: metres, camera coordinates.
      lens: float32 [2 4], see `input_pipeline.lenses`.
      frame: height and width of the whole frame.
      part: the `window` that is shown.
    """
    x, y, z = tf.unstack(points, axis=-1)
    ray = tf.stack([x / z, y / z, tf.ones_like(z), 1 / z], axis=-1)
    seen = tf.einsum("mtvk,ik->tmvi", ray, lens)
    height, width = frame
    size = tf.cast(tf.stack([width, height]), tf.float32)
    y0, x0, h, w = tf.unstack(tf.cast(part, tf.float32))
    seen = (seen * size - tf.stack([x0, y0])) / tf.stack([w, h])
    there = tf.transpose(z > 0, [1, 0, 2])[..., None]
    return tf.where(there, seen, np.float32("nan"))
