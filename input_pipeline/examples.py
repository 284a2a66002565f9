"""One clip, from its row in the index to the arrays that the model sees.

Read (the record alone, by its offset, checksum verified) -> parse (the features asked
for) -> sample -> decode (the sampled frames alone, the crop alone) -> augment.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from input_pipeline import lenses, ops, records
from input_pipeline.checks import check_inputs, mirror_of
from input_pipeline.config import DataConfig, DataConfigError
from input_pipeline.dataset import DatasetError, PreparedDataset
from input_pipeline.draws import Draws
from input_pipeline.kinds import skeleton, video
from input_pipeline.reading import RecordReader
from input_pipeline.streams import STREAMS, of_kind, source

Example = dict[str, tf.Tensor]


class ExampleReader:
    """Row number (and epoch) -> example; to be mapped over a tf.data.Dataset.

    Without a seed the sampling is that of evaluation: fixed frames and crops, a view
    axis in front if there are several views, and the ground truth where there is any.
    """

    def __init__(
        self,
        dataset: PreparedDataset,
        data: DataConfig,
        inputs: Mapping[str, Any],
        seed: int | None = None,
    ):
        check_inputs(dataset, data, inputs)
        self.dataset = dataset
        self.data = data
        self.read = RecordReader(dataset)
        self.shapes = {stream: tuple(spec.shape) for stream, spec in inputs.items()}
        self.videos = of_kind("video", self.shapes)
        self.bodies = of_kind("joints", self.shapes)
        self._stored = tuple(dict.fromkeys(map(source, self.videos)))
        self.seed = seed
        self.truth = dataset.has_truth and (seed is None or data.truth)
        flips = "flip" if seed is not None else "eval_flip"
        self._mirror = mirror_of(dataset, data, flips) if self.bodies else None
        self._lenses = self._lenses_of_joints_seen()
        self._views = self._common_views() if data.common_view else None
        self._held = None
        if data.hold_bodies:
            self._held = self._known_lenses("hold_bodies", self._stored)
        self._names = tf.constant(dataset.names.astype(object))
        self._dropout = data.stream_dropout if seed is not None else 0.0
        # Only where it may be False: a model is told nothing that it need not handle.
        may_lack = data.allow_missing or data.stream_dropout > 0
        self._says_present = may_lack and len(self.shapes) > 1

    def _common_views(self) -> list[tf.Tensor]:
        """The part of every camera's and stream's frames that is looked at, by row."""
        matrices, slots = self._known_lenses("common_view", self._stored)
        try:
            return [tf.constant(lenses.common_views(matrices)), slots]
        except ValueError as error:
            raise DataConfigError(f"data.common_view is True. {error}") from None

    def _lenses_of_joints_seen(self) -> tuple[np.ndarray, tf.Tensor] | None:
        """The lenses of every camera and video of the model, and each row's camera."""
        videos = [source(name) for name in self.videos]
        if self.data.joints_seen:
            if not (self.bodies and videos):
                raise DataConfigError(
                    "data.joints_seen is True, but the model reads "
                    f"{', '.join(self.shapes)}: joints are seen in the videos of a "
                    "model that reads skeletons, too. Set it to False."
                )
            return self._known_lenses("joints_seen", videos)
        if self.seed is not None or not self.bodies:
            return None
        found = lenses.of_rows(self.dataset, videos)
        return found and (found[0], tf.constant(found[1]))

    def _known_lenses(
        self, field: str, videos: Sequence[str]
    ) -> tuple[np.ndarray, tf.Tensor]:
        """The lenses of every camera and these videos, and each row's camera."""
        found = lenses.of_rows(self.dataset, videos)
        if found is None:
            raise DataConfigError(
                f"data.{field} is True, but {self.dataset.name!r} does not know "
                "its cameras' lenses: they are fitted to NTU's skeletons. Prepare it "
                f"with --streams rgb,ir,skeleton, or set data.{field} to False."
            )
        return found[0], tf.constant(found[1])

    def keep_in_memory(self, rows: np.ndarray) -> None:
        """Reads these records now, if they are small enough, and never again.

        Raises:
          DatasetError: one of them is damaged.
        """
        most = self.data.cache_mb * 2**20
        if self.dataset.index["length"][rows].sum() <= most:
            self.check_lengths(rows)
            bad = self.read.keep_in_memory(rows, most)
            if bad is not None:
                raise self.explain(bad, None)

    def check_lengths(self, rows: np.ndarray) -> None:
        """Raises DatasetError if a record says another length than the index."""
        bad = self.read.of_another_length(rows)
        if bad is not None:
            raise self.explain(bad, None)

    def explain(self, row: int, error: Exception | None) -> DatasetError:
        """Returns an error that says which record is at fault, and how to mend it."""
        needed = () if self.data.allow_missing else self.shapes
        return self.read.explain(row, error, needed)

    def parse(self, serialized: tf.Tensor) -> Example:
        """Returns the stored features that the inputs need."""
        keys = [records.NAME]
        for stored in self._stored:
            keys += video.keys(stored, self.truth)
        for stored in self._stored_bodies():
            keys += skeleton.keys(stored)
        return tf.io.parse_single_example(serialized, records.parse_spec(keys))

    # There is no Python control flow on tensors here; converting it takes long.
    @tf.autograph.experimental.do_not_convert
    def __call__(self, row: tf.Tensor, epoch: tf.Tensor | int = 0) -> Example:
        """Returns the streams of one clip and, in evaluation, its ground truth.

        ``epoch``: in evaluation the part of the views.
        """
        record = self.parse(self.read(row))
        name = tf.gather(self._names, row)
        tf.debugging.Assert(record[records.NAME] == name, ["Another clip", name])
        return self.sample(record, row, epoch)

    @tf.autograph.experimental.do_not_convert
    def sample(
        self, record: Example, row: tf.Tensor, epoch: tf.Tensor | int
    ) -> Example:
        """Returns what `__call__` does, of the stored features of that row."""
        if self._views is not None:
            parts, slots = self._views
            shown = tf.unstack(
                tf.gather(parts, tf.gather(slots, row)), len(self._stored)
            )
            record |= dict(zip(map(video.view_key, self._stored), shown, strict=True))
        if self._held is not None:
            record |= self._bodies(record, row)
        seed = None
        if self.seed is not None:
            seed = ops.example_seed(self.seed, epoch, row)
        counts = [
            tf.size(record[records.frames_key(stored)], tf.int64)
            for stored in self._stored
        ]
        longest = tf.reduce_max(tf.stack(counts)) if len(counts) > 1 else None
        draws = Draws(self.data, seed, bool(self.bodies), longest)
        present = self._present(record, draws)
        example: Example = {}
        if self._lenses is not None:
            example["joints_seen"] = self._joints_seen(record, row, draws, present)
        for stream in self.shapes:
            read = functools.partial(self._stream, record, stream, draws, epoch)
            nothing = functools.partial(self._nothing, stream)
            example[stream] = self._if(present[stream], read, nothing)
        if self._says_present:
            example["present"] = tf.stack(list(present.values()))
        if self.truth and self.videos:
            found = [
                self._truth(record, stream, draws, epoch, present[stream])
                for stream in self.videos
            ]
            boxes, visible = zip(*found, strict=True)
            example["actor_box"] = tf.concat(boxes, 0)
            example["actor_visible"] = tf.concat(visible, 0)
        return example

    def _stored_bodies(self) -> list[str]:
        """The stored streams of joints that are read: the model's, and for crops."""
        read = dict.fromkeys(map(source, self.bodies))
        if self._held is not None:
            read |= dict.fromkeys(of_kind("joints", self.dataset.streams))
        return list(read)

    def _bodies(self, record: Example, row: tf.Tensor) -> Example:
        """The part of each video that holds the clip's bodies."""
        matrices, slots = self._held  # type: ignore[misc]
        camera = tf.gather(tf.constant(matrices), tf.gather(slots, row))
        (stored,) = of_kind("joints", self.dataset.streams)
        points = skeleton.points(record, stored)
        found = {}
        for i, name in enumerate(self._stored):
            frame = video.size(record, name)
            box = ops.body_box(points, camera[i], frame, lenses.BODY_MARGIN)
            found[video.bodies_key(name)] = box
        return found

    def _stream(
        self, record: Example, stream: str, draws: Draws, part: tf.Tensor | int
    ) -> tf.Tensor:
        shape = self.shapes[stream]
        if STREAMS[stream].kind == "video":
            return video.read(record, stream, shape, draws, part)
        return skeleton.read(record, stream, shape, draws, part, self._mirror)

    def _present(self, record: Example, draws: Draws) -> dict[str, tf.Tensor]:
        """Which streams the clip has and keeps; all of them where it must."""
        there = dict.fromkeys(self.shapes, tf.constant(True))
        if self.data.allow_missing:
            kinds: dict[str, Any] = {"video": video, "joints": skeleton}
            there = {
                stream: kinds[STREAMS[stream].kind].present(record, source(stream))
                for stream in self.shapes
            }
        if self._dropout:
            seed = draws.seed("stream dropout")
            kept = ops.random_kept(seed, tf.stack(list(there.values())), self._dropout)
            there = dict(zip(there, tf.unstack(kept), strict=True))
        return there

    def _if(
        self, present: tf.Tensor, read: Callable[[], Any], lacking: Callable[[], Any]
    ) -> Any:
        """What ``read`` returns, or ``lacking`` where the stream is not there."""
        if self.data.allow_missing or self._dropout:
            return tf.cond(present, read, lacking)
        return read()

    def _nothing(self, stream: str) -> tf.Tensor:
        """Zeros in place of a stream, with the axis of views where there is one."""
        data, views = self.data, 1
        if self.seed is None:
            views = data.eval_views_at_once or data.eval_views
        shape = self.shapes[stream]
        return tf.zeros((views, *shape) if views > 1 else shape, STREAMS[stream].dtype)

    def _truth(
        self,
        record: Example,
        stream: str,
        draws: Draws,
        part: tf.Tensor | int,
        present: tf.Tensor,
    ) -> video.Truth:
        shape = self.shapes[stream]
        look = functools.partial(video.truth, record, stream, shape, draws, part)
        t = shape[0]
        return self._if(present, look, lambda: (tf.zeros((t, 4)), tf.zeros(t, tf.bool)))

    def _joints_seen(
        self,
        record: Example,
        row: tf.Tensor,
        draws: Draws,
        present: Mapping[str, tf.Tensor],
    ) -> tf.Tensor:
        """Where the joints are seen in the first view of the videos, [s*t m v 2]."""
        matrices, slots = self._lenses  # type: ignore[misc]
        (body,) = self.bodies
        persons, _, joints = self.shapes[body][:3]
        camera = tf.gather(tf.constant(matrices), tf.gather(slots, row))
        seen = []
        for i, stream in enumerate(self.videos):
            about = (stream, self.shapes, camera[i], draws, self._mirror)
            look = functools.partial(skeleton.seen_in, record, body, *about)
            shape = (self.shapes[stream][0], persons, joints, 2)
            nothing = functools.partial(tf.fill, shape, np.float32("nan"))
            both = present[body] & present[stream]
            seen.append(tf.ensure_shape(self._if(both, look, nothing), shape))
        return tf.concat(seen, 0)
