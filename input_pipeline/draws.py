"""How one clip is sampled: when, where and whether mirrored, in every stream of it.

Training draws at random: streams that share a draw have the same seed, so they need no
state between them. Evaluation takes fixed frames and crops, maybe several views.
"""

import numpy as np
import tensorflow as tf

from input_pipeline import ops, randaugment, sampling
from input_pipeline.config import DataConfig
from input_pipeline.streams import STREAMS, source


class Draws:
    """The times, crops and flips of one clip.

    Args:
      data: what the config says of them.
      seed: int64 [2] of the clip in this epoch; None: the sampling of evaluation.
      cut: whether the clip is cut in time, to what the skeleton's crop shows of it.
      longest: int64, how many frames the video has that has most; None: only one video
        is sampled.
    """

    def __init__(
        self,
        data: DataConfig,
        seed: tf.Tensor | None,
        cut: bool,
        longest: tf.Tensor | None = None,
    ):
        self.data, self.cut, self._longest = data, cut, longest
        self._seed = seed

    @property
    def training(self) -> bool:
        """Whether anything is random."""
        return self._seed is not None

    def seed(self, op: str, owner: str = "") -> tf.Tensor:
        """Returns the seed of one op; ``owner`` "": all streams draw the same."""
        return ops.op_seed(self._seed, op, owner)

    def times(self, stream: str, frames: int) -> list[np.ndarray | tf.Tensor]:
        """Returns the timestamps [t] of each view; see `sampling`."""
        owner = "" if self.data.shared_time else source(stream)
        of_joints = STREAMS[stream].kind == "joints"
        if not self.training:
            views = list(sampling.view_ticks(frames, self.data.eval_views_time))
        elif of_joints:  # evenly: what it is made of are differences
            views = list(sampling.view_ticks(frames))
        else:
            views = [ops.random_ticks(self.seed(f"time {frames}", owner), frames)]
        if not self.cut or (not of_joints and owner):
            return views
        if self.training:
            shortest = self.data.skeleton_crop_min
            window = ops.random_window(self.seed("window", owner), shortest)
        else:
            window = sampling.centre_window(self.data.test_skeleton_crop)
        return [sampling.in_window(ticks, *window, frames) for ticks in views]

    def places(self, stream: str, landscape: tf.Tensor) -> list[ops.Crop]:
        """Returns the crop of each view."""
        data = self.data
        if not self.training:
            crops = data.eval_views_space
            ys, xs = sampling.crop_places(crops, tf.cast(landscape, tf.float32))
            short = tf.constant(data.test_resize, tf.float32)
            return [ops.Place(short, ys[i], xs[i]) for i in range(crops)]
        seed = self.seed("crop", "" if data.shared_crop else source(stream))
        if data.crop == "corners":
            return [ops.random_corner(seed, data.crop_scales, data.crop_distort)]
        return [ops.random_place(seed, data.resize_min, data.resize_max)]

    def flip(self, stream: str) -> tf.Tensor:
        """Returns whether a stream is mirrored."""
        if not self.training:
            return tf.constant(False)
        owner = "" if self.data.shared_flip else source(stream)
        return ops.random_flip(self.seed("flip", owner), self.data.flip)

    def quarters(self, stream: str) -> tf.Tensor | None:
        """Returns by how many quarters a stream is turned; None: it never is."""
        if not self.training or not self.data.quarter_turns:
            return None
        owner = "" if self.data.shared_flip else source(stream)
        return ops.random_quarters(self.seed("quarter turns", owner))

    def augmented(self, stream: str, frames: tf.Tensor) -> tf.Tensor:
        """Returns frames of a stored stream after RandAugment and erasing."""
        data = self.data
        if not self.training:
            return frames
        owner = "" if data.shared_crop else source(stream)
        for i in range(data.rand_ops):
            name = f"rand augment {i}"
            seeds = self.seed(name, owner), self.seed(name, f"{source(stream)} values")
            frames = randaugment.augment(frames, *seeds, data.rand_magnitude / 10)
        if data.erase:
            seeds = self.seed("erase", owner), self.seed("noise", source(stream))
            frames = randaugment.erase(frames, *seeds, data.erase)
        return frames

    def mirrored(self, stream: str) -> list[tf.Tensor]:
        """Returns whether a view is mirrored: of each view in time and space, all."""
        if self.training:
            return [self.flip(stream)]
        both = (False, True) if self.data.eval_flip else (False,)
        return [tf.constant(flipped) for flipped in both]

    def indices(
        self, stream: str, frames: int, count: tf.Tensor, times: tf.Tensor
    ) -> list[tf.Tensor]:
        """Returns the frames [t] of each view in time; of a window if there is one.

        ``times``: of the stored frames, see `clock`; empty if their numbers will do. A
        window is the time of so many frames of the longest stream at an even rate, in
        all streams that draw their time together.
        """
        window = self.data.window
        if not window:
            return [
                sampling.timed_indices(ticks, count, times, frames)
                for ticks in self.times(stream, frames)
            ]
        whole = count
        if self._longest is not None and self.data.shared_time:
            whole = self._longest
        length = tf.minimum(whole, window)
        if self.training:
            owner = "" if self.data.shared_time else source(stream)
            place = ops.random_tick(self.seed("window of frames", owner))
            # Every window that fits is equally likely.
            starts = [sampling.window_start(whole + 1, length, place, sampling.TICKS)]
            ticks = self.times(stream, frames)[0]
        else:
            views = self.data.eval_views_time
            places = [(j, views - 1) for j in range(views)] if views > 1 else [(1, 2)]
            starts = [sampling.window_start(whole, length, *place) for place in places]
            ticks = sampling.view_ticks(frames)[0]
        return [
            sampling.window_indices(ticks, (start, length, whole), count, times, frames)
            for start in starts
        ]
