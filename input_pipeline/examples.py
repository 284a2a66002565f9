"""One clip, from its row in the index to the arrays that the model sees.

Read (the record alone, by its offset, checksum verified) -> parse (the features asked
for) -> sample -> decode (the sampled frames alone, the crop alone) -> augment.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from input_pipeline import differences, lenses, ops, records, sampling
from input_pipeline.checks import check_inputs, mirror_of
from input_pipeline.config import DataConfig
from input_pipeline.dataset import DatasetError, PreparedDataset, shard_problem

Example = dict[str, tf.Tensor]
# Bytes of a TFRecord around its data: length, checksum of it, checksum of the data.
_FRAMING = 16


class _Draws:
    """The random draws of one example; streams that share one get the same tensors."""

    def __init__(self, seed: tf.Tensor):
        self._seed = seed
        self._made: dict[tuple[str, str], Any] = {}

    def __call__(self, op: str, stream: str, draw: Callable[[tf.Tensor], Any]) -> Any:
        """Returns ``draw``'s result for an op and a stream ("": all streams)."""
        if (op, stream) not in self._made:
            self._made[op, stream] = draw(ops.op_seed(self._seed, op, stream))
        return self._made[op, stream]


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
        self.shapes = {stream: tuple(spec.shape) for stream, spec in inputs.items()}
        self.videos = [name for name in self.shapes if name != "skeleton"]
        self.seed = seed
        self.truth = dataset.has_truth and (seed is None or data.truth)
        # Whether the clip is cut in time, to what the skeleton's crop shows of it.
        self._cut = "skeleton" in self.shapes
        flips = self._cut and seed is not None
        self._mirror = mirror_of(dataset, data) if flips else None
        self._lenses: list[tf.Tensor] | None = None
        if self._cut and seed is None:
            found = lenses.of_rows(dataset, list(map(differences.source, self.videos)))
            self._lenses = found and [tf.constant(array) for array in found]
        self._paths = tf.constant([str(path) for path in dataset.shard_paths])
        self._index = {
            key: tf.constant(dataset.index[key], tf.int64)
            for key in ("shard", "offset", "length")
        }
        self._names = tf.constant(dataset.names.astype(object))
        self._kept: tf.Tensor | None = None
        self._slots: tf.Tensor | None = None

    def keep_in_memory(self, rows: np.ndarray) -> None:
        """Reads these records now, if they are small enough, and never again.

        Raises:
          DatasetError: one of them is damaged.
        """
        if self.dataset.index["length"][rows].sum() > self.data.cache_mb * 2**20:
            return
        self.check_lengths(rows)
        kept: list[bytes] = []
        try:
            read = tf.data.Dataset.from_tensor_slices(rows).map(self.read)
            kept.extend(read.as_numpy_iterator())
        except tf.errors.OpError as error:
            raise self.explain(int(rows[len(kept)]), error) from None
        slots = np.full(len(self.dataset), -1, np.int64)
        slots[rows] = np.arange(len(rows))
        self._slots, self._kept = tf.constant(slots), tf.constant(kept)

    def check_lengths(self, rows: np.ndarray) -> None:
        """Raises DatasetError if a record says another length than the index.

        TensorFlow takes as much memory as its first bytes say, and dies of it.
        """
        if self._kept is None:
            for row in map(int, rows):
                if self.dataset.says_another_length(row):
                    raise self.explain(row, ValueError("another length"))

    def read(self, row: tf.Tensor) -> tf.Tensor:
        """Returns the serialized record of one row; see `check_lengths`."""
        if self._kept is not None:
            return tf.gather(self._kept, tf.gather(self._slots, row))
        shard, offset, length = (tf.gather(c, row) for c in self._index.values())
        # The public tf.data.TFRecordDataset has no way to say where to start.
        one_file = tf.raw_ops.TFRecordDatasetV2(
            filenames=tf.gather(self._paths, shard)[None],
            compression_type="",
            buffer_size=length + _FRAMING,
            byte_offsets=offset[None],
        )
        kinds: dict[str, Any] = {"output_types": [tf.string], "output_shapes": [[]]}
        first = tf.raw_ops.TakeDataset(input_dataset=one_file, count=1, **kinds)
        return tf.raw_ops.DatasetToSingleElement(dataset=first, **kinds)[0]

    def parse(self, serialized: tf.Tensor) -> Example:
        """Returns the stored features that the inputs need."""
        keys = [records.NAME]
        for stream in dict.fromkeys(map(differences.source, self.videos)):
            keys += [records.frames_key(stream)]
            keys += [records.height_key(stream), records.width_key(stream)]
            if self.truth:
                keys += [records.visible_key(stream), records.box_key(stream)]
        if "skeleton" in self.shapes:
            keys += [records.POINTS, records.SHAPE]
        return tf.io.parse_single_example(serialized, records.parse_spec(tuple(keys)))

    # There is no Python control flow on tensors here; converting it takes long.
    @tf.autograph.experimental.do_not_convert
    def __call__(self, row: tf.Tensor, epoch: tf.Tensor | int = 0) -> Example:
        """Returns the streams of one clip and, in evaluation, its ground truth."""
        record = self.parse(self.read(row))
        name = tf.gather(self._names, row)
        tf.debugging.Assert(record[records.NAME] == name, ["Another clip", name])
        draws = None
        if self.seed is not None:
            draws = _Draws(ops.example_seed(self.seed, epoch, row))
        example, boxes, visible = {}, [], []
        if self._lenses is not None:
            example["joints_seen"] = self._joints_seen(record, row)
        for stream, shape in self.shapes.items():
            if stream == "skeleton":
                example[stream] = self._skeleton(record, shape, draws, epoch)
                continue
            views = self._views_of(record, stream, shape[0], draws, epoch)
            example[stream], truth = self._video(record, stream, shape, draws, views)
            if truth is not None:
                boxes.append(truth[0])
                visible.append(truth[1])
        if boxes:
            example["actor_box"] = tf.concat(boxes, 0)
            example["actor_visible"] = tf.concat(visible, 0)
        return example

    def _times(
        self, stream: str, frames: int, draws: _Draws | None
    ) -> list[np.ndarray | tf.Tensor]:
        owner = "" if self.data.shared_time else differences.source(stream)
        if draws is None:
            views = list(sampling.view_ticks(frames, self.data.eval_views_time))
        elif stream == "skeleton":  # evenly: what it is made of are differences
            views = list(sampling.view_ticks(frames))
        else:
            draw = f"time {frames}"
            views = [draws(draw, owner, lambda seed: ops.random_ticks(seed, frames))]
        if not self._cut or (stream != "skeleton" and owner):
            return views
        if draws is None:
            window = sampling.centre_window(self.data.test_skeleton_crop)
        else:
            shortest = self.data.skeleton_crop_min
            window = draws(
                "window", owner, lambda seed: ops.random_window(seed, shortest)
            )
        return [sampling.in_window(ticks, *window, frames) for ticks in views]

    def _places(
        self, stream: str, landscape: tf.Tensor, draws: _Draws | None
    ) -> list[ops.Crop]:
        data = self.data
        if draws is None:
            crops = data.eval_views_space
            ys, xs = sampling.crop_places(crops, tf.cast(landscape, tf.float32))
            short = tf.constant(data.test_resize, tf.float32)
            return [ops.Place(short, ys[i], xs[i]) for i in range(crops)]
        owner = "" if data.shared_crop else differences.source(stream)
        if data.crop == "corners":
            scales, distort = data.crop_scales, data.crop_distort
            return [
                draws(
                    "crop", owner, lambda seed: ops.random_corner(seed, scales, distort)
                )
            ]
        shortest, longest = data.resize_min, data.resize_max
        return [
            draws("crop", owner, lambda seed: ops.random_place(seed, shortest, longest))
        ]

    def _flip(self, stream: str, draws: _Draws | None) -> tf.Tensor:
        if draws is None:
            return tf.constant(False)
        owner = "" if self.data.shared_flip else differences.source(stream)
        return draws("flip", owner, lambda seed: ops.random_flip(seed, self.data.flip))

    def _indices(
        self, stream: str, frames: int, count: tf.Tensor, draws: _Draws | None
    ) -> list[tf.Tensor]:
        """The frames of each view in time, [t]; of a window if there is one."""
        window = self.data.window
        if not window:
            times = self._times(stream, frames, draws)
            return [sampling.frame_indices(ticks, count, frames) for ticks in times]
        length = tf.minimum(count, window)
        if draws is not None:
            owner = "" if self.data.shared_time else differences.source(stream)
            place = draws("window of frames", owner, ops.random_tick)
            # Every window that fits is equally likely.
            starts = [sampling.window_start(count + 1, length, place, sampling.TICKS)]
            ticks = self._times(stream, frames, draws)[0]
        else:
            views = self.data.eval_views_time
            places = [(j, views - 1) for j in range(views)] if views > 1 else [(1, 2)]
            starts = [sampling.window_start(count, length, *place) for place in places]
            ticks = sampling.view_ticks(frames)[0]
        index = sampling.frame_indices(ticks, length, frames)
        return [start + index for start in starts]

    def _views_of(
        self,
        record: Example,
        stream: str,
        frames: int,
        draws: _Draws | None,
        part: tf.Tensor | int,
    ) -> list[tuple[tf.Tensor, ops.Crop]]:
        """The frames and the crop of each view; of many, those of this part alone."""
        stored = differences.source(stream)
        count = tf.size(record[records.frames_key(stored)], tf.int64)
        landscape = (
            record[records.width_key(stored)] >= record[records.height_key(stored)]
        )
        indices = self._indices(stream, frames, count, draws)
        places = self._places(stream, landscape, draws)
        together = self.data.eval_views_at_once
        if draws is not None or not together:
            return [(index, place) for index in indices for place in places]
        all_indices, all_places = (
            tf.stack(indices),
            [tf.stack(values) for values in zip(*places, strict=True)],
        )
        views: list[tuple[tf.Tensor, ops.Crop]] = []
        for j in range(together):
            view = tf.cast(part, tf.int64) * together + j
            index = tf.gather(all_indices, view // len(places))
            crop = (tf.gather(values, view % len(places)) for values in all_places)
            views.append((index, ops.Place(*crop)))
        return views

    def _views(self, views: list[tf.Tensor]) -> tf.Tensor:
        return tf.stack(views) if len(views) > 1 else views[0]

    def _video(
        self,
        record: Example,
        stream: str,
        shape: tuple[int, ...],
        draws: _Draws | None,
        views: list[tuple[tf.Tensor, ops.Crop]],
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor] | None]:
        stored = differences.source(stream)
        jpegs = record[records.frames_key(stored)]
        count = tf.size(jpegs, tf.int64)
        height = tf.cast(record[records.height_key(stored)], tf.int32)
        width = tf.cast(record[records.width_key(stored)], tf.int32)
        t, h, w, _ = shape
        flipped = self._flip(stream, draws)
        shown, truth = [], None
        for index, place in views:
            seen, number = index, t
            if stream != stored:
                seen = differences.frame_indices(index, count)
                number = t * differences.FRAMES
            chosen = tf.ensure_shape(tf.gather(jpegs, seen), [number])
            part = ops.window(height, width, place, (h, w))
            frames = ops.decode(chosen, part, (h, w), records.CHANNELS[stored])
            frames = ops.flip(frames, flipped)
            if stream != stored:
                frames = differences.subtract(frames)
            shown.append(frames)
            if truth is None and self.truth:  # of the first view
                boxes = tf.reshape(record[records.box_key(stored)], [-1, 4])
                visible = record[records.visible_key(stored)] > 0
                truth = ops.crop_boxes(
                    tf.gather(boxes, index),
                    tf.gather(visible, index),
                    (height, width),
                    part,
                    flipped,
                )
        return self._views(shown), truth

    def _skeleton(
        self,
        record: Example,
        shape: tuple[int, ...],
        draws: _Draws | None,
        part: tf.Tensor | int,
    ) -> tf.Tensor:
        points = _points(record)
        frames = tf.shape(points, tf.int64)[1]
        persons, t = shape[:2]
        most = self.data.skeleton_turn
        views = []
        for ticks in self._times("skeleton", t, draws):
            places = sampling.frame_positions(ticks, frames, t)
            chosen = ops.skeleton_at(points, places, persons)
            if draws is not None and most:
                angle = draws("turn", "", lambda seed: ops.random_angle(seed, most))
                chosen = ops.turn_skeleton(chosen, angle)
            if self._mirror is not None:
                flipped = self._flip("skeleton", draws)
                chosen = ops.mirror_skeleton(chosen, flipped, self._mirror)
            crops = self.data.eval_views_space if draws is None else 1
            views += [tf.ensure_shape(chosen, shape)] * crops
        together = self.data.eval_views_at_once
        if draws is None and together:
            first = tf.cast(part, tf.int64) * together
            views = [tf.gather(tf.stack(views), first + j) for j in range(together)]
        return self._views(views)

    def _joints_seen(self, record: Example, row: tf.Tensor) -> tf.Tensor:
        """Where the joints are seen in the first view of the videos, [s*t m v 2]."""
        matrices, slots = self._lenses  # type: ignore[misc]
        points = _points(record)
        persons = self.shapes["skeleton"][0]
        seen = []
        for number, stream in enumerate(self.videos):
            t, h, w, _ = self.shapes[stream]
            stored = differences.source(stream)
            height = tf.cast(record[records.height_key(stored)], tf.int32)
            width = tf.cast(record[records.width_key(stored)], tf.int32)
            place = self._places(stream, width >= height, None)[0]
            part = ops.window(height, width, place, (h, w))
            ticks = self._times(stream, t, None)[0]
            index = sampling.frame_indices(ticks, tf.shape(points, tf.int64)[1], t)
            chosen = ops.skeleton_at(points, tf.cast(index, tf.float64), persons)
            lens = tf.gather(matrices, tf.gather(slots, row))[number]
            seen.append(ops.project_skeleton(chosen, lens, (height, width), part))
        joints_seen = tf.concat(seen, 0)
        frames = sum(self.shapes[stream][0] for stream in self.videos)
        return tf.ensure_shape(
            joints_seen, [frames, persons, self.shapes["skeleton"][2], 2]
        )

    def explain(self, row: int, error: Exception) -> DatasetError:
        """Returns an error that says which record is at fault, and how to mend it."""
        dataset = self.dataset
        name, offset = str(dataset.names[row]), int(dataset.offsets[row])
        shard = dataset.shard_paths[int(dataset.index["shard"][row])]
        where = f"The record of clip {name!r} ({shard}, byte {offset})"
        facts = dataset.info["shards"][int(dataset.index["shard"][row])]
        problem = shard_problem(dataset.folder, facts)
        if problem:
            return DatasetError(
                f"{problem} The clip {name!r} was to be read from it. Bring the shard "
                "back; the same command then continues from the last checkpoint."
            )
        again = (
            f"Copy the shard again, or delete {dataset.folder} and prepare it again."
        )
        damaged = DatasetError(
            f"{where} is damaged: its length or checksum is wrong. {again}"
        )
        if self.dataset.says_another_length(row):
            return damaged
        try:
            found = records.decode(self.read(tf.constant(row)).numpy(), str(shard))
        except tf.errors.OpError:
            return damaged
        except records.RecordError as schema_error:
            return DatasetError(str(schema_error))
        for stream in self.shapes:
            if getattr(found, differences.source(stream)) is None:
                return DatasetError(
                    f"{where} has no stream {stream!r}, which the model reads. Leave "
                    "the clip out of the split and prepare the data set again, or "
                    "choose a model without this stream."
                )
        if found.name != name:
            return DatasetError(
                f"{where} holds the clip {found.name!r}: index and shards are not of "
                f"one preparation. {again}"
            )
        reason = str(getattr(error, "message", error)).strip().splitlines()[0]
        return DatasetError(f"{where} cannot be decoded: {reason}. {again}")


def _points(record: Example) -> tf.Tensor:
    """The stored skeleton, [m t v 3]."""
    return tf.reshape(
        record[records.POINTS], tf.concat([record[records.SHAPE], [3]], 0)
    )
