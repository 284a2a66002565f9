"""RandAugment and random erasing of a clip's frames: one draw for all frames of a clip.

Cubuk et al., "RandAugment" (2020): N operations one after another, each of fourteen as
likely, at one magnitude M of 10. What moves pixels (shear, translation, rotation) is
drawn once for all streams of a clip; what changes their values once a stream, for two
sensors see two kinds of light. Histograms are of the whole clip, so that nothing
flickers. Zhong et al., "Random Erasing" (2020): a rectangle, the same in all frames
and, as fractions, in all streams. All are functions of the seeds.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from input_pipeline import ops

# At magnitude 10: shares of a side, and degrees.
SHEAR, TRANSLATE, ROTATE = 0.3, 0.45, 30.0
# What stands where there was nothing; 0 of distances: not measured.
FILL = 128.0
MOVING = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
# The smallest and largest share of the frame that is erased, and of its sides' ratio.
ERASED, RATIO = (0.02, 1 / 3), (0.3, 1 / 0.3)

Change = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def augment(
    frames: tf.Tensor, seed: tf.Tensor, own_seed: tf.Tensor, level: float
) -> tf.Tensor:
    """Applies one operation to frames [t h w c], uint8, or uint16 distances.

    Args:
      frames: of a clip, all alike.
      seed: of all streams that move together: which operation, and which way.
      own_seed: of this stream: which change of values.
      level: the magnitude, 0 to 1.
    """
    number = len(MOVING) + len(VALUES)
    which = tf.random.stateless_uniform([], ops.fold_in(seed, 0), 0, number, tf.int32)
    way = _sign(ops.fold_in(seed, 1))
    moved = [lambda n=name: move(frames, n, way * level) for name in MOVING]

    def changed() -> tf.Tensor:
        if frames.dtype != tf.uint8:  # distances stay what they are
            return frames
        one = tf.random.stateless_uniform(
            [], ops.fold_in(own_seed, 0), 0, len(VALUES), tf.int32
        )
        x = tf.cast(frames, tf.float32)
        signed = _sign(ops.fold_in(own_seed, 1)) * level
        branches = [lambda f=f: f(x, signed) for f in VALUES.values()]
        return tf.cast(
            tf.round(tf.clip_by_value(tf.switch_case(one, branches), 0.0, 255.0)),
            tf.uint8,
        )

    after = tf.switch_case(tf.minimum(which, len(MOVING)), [*moved, changed])
    return tf.ensure_shape(after, frames.shape)


def _sign(seed: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.random.stateless_uniform([], seed) < 0.5, -1.0, 1.0)


def move(frames: tf.Tensor, name: str, amount: tf.Tensor | float) -> tf.Tensor:
    """Shears, translates or rotates frames about their middle; ``amount`` from -1 to 1.

    Distances are not mixed: each pixel is the nearest one.
    """
    _, h, w, _ = frames.shape
    cx, cy = (w - 1) / 2, (h - 1) / 2
    one, zero = tf.constant(1.0), tf.constant(0.0)
    amount = tf.cast(amount, tf.float32)
    if name == "rotate":
        angle = amount * (ROTATE * np.pi / 180)
        a, b = tf.cos(angle), tf.sin(angle)
        rows = [a, -b, cx - a * cx + b * cy, b, a, cy - b * cx - a * cy]
    elif name == "shear_x":
        s = amount * SHEAR
        rows = [one, s, -s * cy, zero, one, zero]
    elif name == "shear_y":
        s = amount * SHEAR
        rows = [one, zero, zero, s, one, -s * cx]
    elif name == "translate_x":
        rows = [one, zero, amount * (TRANSLATE * w), zero, one, zero]
    else:
        rows = [one, zero, zero, zero, one, amount * (TRANSLATE * h)]
    exact = frames.dtype != tf.uint8
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(frames, tf.float32),
        transforms=tf.stack([*rows, zero, zero])[None],
        output_shape=tf.constant([h, w], tf.int32),
        fill_value=0.0 if exact else FILL,
        interpolation="NEAREST" if exact else "BILINEAR",
        fill_mode="CONSTANT",
    )
    return tf.cast(tf.round(moved), frames.dtype)


def _blend(other: tf.Tensor, x: tf.Tensor, signed: tf.Tensor) -> tf.Tensor:
    """Returns x drawn to ``other``, or away from it, by a factor of 0.1 to 1.9."""
    return other + (1 + 0.9 * signed) * (x - other)


def _grey(x: tf.Tensor) -> tf.Tensor:
    if x.shape[-1] == 1:
        return x
    return tf.reduce_sum(x * [0.299, 0.587, 0.114], axis=-1, keepdims=True)


def _sharpness(x: tf.Tensor, signed: tf.Tensor) -> tf.Tensor:
    channels = x.shape[-1]
    kernel = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
    kernel = np.repeat(kernel[:, :, None, None], channels, 2)
    padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    smooth = tf.nn.depthwise_conv2d(padded, kernel, [1, 1, 1, 1], "VALID")
    return _blend(smooth, x, signed)


def _autocontrast(x: tf.Tensor, signed: tf.Tensor) -> tf.Tensor:
    del signed
    low = tf.reduce_min(x, axis=[0, 1, 2])
    high = tf.reduce_max(x, axis=[0, 1, 2])
    scaled = (x - low) * 255 / tf.maximum(high - low, 1.0)
    return tf.where(high > low, scaled, x)


def _equalize(x: tf.Tensor, signed: tf.Tensor) -> tf.Tensor:
    """Spreads values as evenly as their counts allow, channel by channel, as PIL."""
    del signed

    def one(channel: tf.Tensor) -> tf.Tensor:
        values = tf.cast(tf.reshape(channel, [-1]), tf.int32)
        counts = tf.math.bincount(values, minlength=256, maxlength=256)
        last = tf.boolean_mask(counts, counts > 0)[-1]
        step = (tf.reduce_sum(counts) - last) // 255
        before = tf.cumsum(counts, exclusive=True)
        table = tf.minimum((before + step // 2) // tf.maximum(step, 1), 255)
        table = tf.where(step > 0, table, tf.range(256))
        return tf.cast(tf.gather(table, tf.cast(channel, tf.int32)), tf.float32)

    return tf.stack([one(c) for c in tf.unstack(x, axis=-1)], axis=-1)


def _posterize(x: tf.Tensor, signed: tf.Tensor) -> tf.Tensor:
    step = 2.0 ** tf.round(4 * tf.abs(signed))  # 8 to 4 bits are kept
    return tf.floor(x / step) * step


def _solarize(x: tf.Tensor, signed: tf.Tensor) -> tf.Tensor:
    return tf.where(x < 256 * (1 - tf.abs(signed)), x, 255 - x)


# What changes values, of frames [t h w c] of 0 to 255, by an amount of -1 to 1.
VALUES: dict[str, Change] = {
    "identity": lambda x, signed: x,
    "brightness": lambda x, signed: _blend(tf.zeros_like(x), x, signed),
    "contrast": lambda x, signed: _blend(tf.reduce_mean(_grey(x)), x, signed),
    "colour": lambda x, signed: _blend(_grey(x), x, signed),
    "sharpness": _sharpness,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
    "posterize": _posterize,
    "solarize": _solarize,
}


def erase(
    frames: tf.Tensor, seed: tf.Tensor, own_seed: tf.Tensor, probability: float
) -> tf.Tensor:
    """Fills a rectangle of all frames [t h w c] with noise, with this probability.

    The noise does not change from frame to frame; of distances it is 0, not measured.
    ``seed``: of all streams; ``own_seed``: of the noise.
    """
    _, h, w, channels = frames.shape
    draw = tf.random.stateless_uniform([5], seed)
    area = ERASED[0] + draw[1] * (ERASED[1] - ERASED[0])
    low, high = np.log(RATIO[0]), np.log(RATIO[1])
    ratio = tf.exp(low + draw[2] * (high - low))
    tall = tf.minimum(tf.sqrt(area * ratio), 1.0)
    wide = tf.minimum(tf.sqrt(area / ratio), 1.0)
    top, left = draw[3] * (1 - tall), draw[4] * (1 - wide)
    y = (tf.range(h, dtype=tf.float32) + 0.5) / h
    x = (tf.range(w, dtype=tf.float32) + 0.5) / w
    rows, columns = (y >= top) & (y < top + tall), (x >= left) & (x < left + wide)
    inside = (rows[:, None] & columns[None])[None, :, :, None]
    noise = tf.zeros([1, h, w, channels], frames.dtype)
    if frames.dtype == tf.uint8:
        shape = [1, h, w, channels]
        noise = tf.random.stateless_uniform(shape, own_seed, 0, 256, tf.int32)
        noise = tf.cast(noise, tf.uint8)
    return tf.where(inside & (draw[0] < probability), noise, frames)
