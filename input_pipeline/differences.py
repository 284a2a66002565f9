"""The stream rgb_diff: how the colours of a clip change from frame to frame.

It is made from the stored stream rgb. For every frame that is sampled, the frames that
follow it are decoded with it, cropped and flipped alike, and subtracted one from the
next: motion without the cost of optical flow (TSM-NetVLAD, section 2.2).

Which frames are sampled goes by time (see `clock`); what is subtracted are neighbours,
as in the paper, whatever time lies between them. At equal steps of time a slow part of
a clip would give the same frame twice, and differences of nothing.
"""

from typing import Any

import tensorflow as tf

FRAMES = 6  # consecutive frames that are subtracted: 5 differences of 3 channels


def frame_indices(index: Any, count: Any) -> tf.Tensor:
    """Returns the frames [t * FRAMES] to subtract: ``index`` and those that follow.

    Near the end the last FRAMES frames are taken; a clip of fewer repeats its last.

    Args:
      index: int64 [t], the sampled frames.
      count: int64, how many frames the clip has.
    """
    first = tf.clip_by_value(index, 0, tf.maximum(count - FRAMES, 0))
    following = first[:, None] + tf.range(FRAMES, dtype=tf.int64)
    return tf.reshape(tf.minimum(following, count - 1), [-1])


def subtract(frames: tf.Tensor) -> tf.Tensor:
    """Returns int16 differences [t h w c * (FRAMES - 1)] of uint8 [t * FRAMES h w c].

    The channels of the first difference come first.
    """
    _, h, w, c = frames.shape
    runs = tf.cast(tf.reshape(frames, [-1, FRAMES, h, w, c]), tf.int16)
    steps = tf.transpose(runs[:, 1:] - runs[:, :-1], [0, 2, 3, 1, 4])
    return tf.reshape(steps, [frames.shape[0] // FRAMES, h, w, c * (FRAMES - 1)])
