"""One clip, from its row in the index to the arrays that the model sees.

Read (the record alone, by its offset, checksum verified) -> parse (the features asked
for) -> sample -> decode (the sampled frames alone, the crop alone) -> augment.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from input_pipeline import ops, records, sampling
from input_pipeline.config import DataConfig, DataConfigError
from input_pipeline.dataset import DatasetError, PreparedDataset

Example = dict[str, tf.Tensor]
# Bytes of a TFRecord around its data: length, checksum of it, checksum of the data.
_FRAMING = 16


def check_inputs(
    dataset: PreparedDataset, data: DataConfig, inputs: Mapping[str, Any]
) -> None:
    """Refuses a model that asks for what is not there, before anything is read.

    Args:
      dataset: what there is.
      data: how it is to be sampled.
      inputs: the shape and dtype of each stream of one example, as the model wants it.

    Raises:
      DatasetError: the data set lacks a stream, or has it in another form.
      DataConfigError: crops do not fit into the resized frames.
    """
    for stream, spec in inputs.items():
        if stream not in dataset.streams:
            raise DatasetError(
                f"The model reads the stream {stream!r}, but the data set "
                f"{dataset.name!r} in {dataset.folder} holds only "
                f"{', '.join(dataset.streams)}. Prepare it again with this stream "
                "(python -m input_pipeline.prepare ... --streams), or choose a model "
                "without it."
            )
        shape, dtype = tuple(spec.shape), np.dtype(spec.dtype)
        if stream == "skeleton":
            joints = dataset.streams[stream].get("joints", shape[-2])
            fits = len(shape) == 4 and shape[2:] == (joints, 3) and dtype == np.float32
            want = f"float32 (persons, frames, {joints}, 3)"
        else:
            channels = records.CHANNELS[stream]
            fits = len(shape) == 4 and shape[3] == channels and dtype == np.uint8
            want = f"uint8 (frames, height, width, {channels})"
        if not fits:
            raise DatasetError(
                f"The model wants the stream {stream!r} as {dtype} {shape}; the data "
                f"set {dataset.name!r} gives {want}. Change the model's inputs()."
            )
        if stream != "skeleton":
            _check_crop(data, stream, shape[1:3])


def _check_crop(data: DataConfig, stream: str, size: tuple[int, int]) -> None:
    for field in ("resize_min", "test_resize"):
        if getattr(data, field) < max(size):
            raise DataConfigError(
                f"data.{field} is {getattr(data, field)}, but the model's crop of the "
                f"stream {stream!r} is {size[0]} x {size[1]}: frames are resized to "
                "that short side before the crop, so it must be at least as long."
            )


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
        self.videos = [name for name in self.shapes if name in records.VIDEO_STREAMS]
        self.seed = seed
        self.truth = seed is None and dataset.has_truth
        self._paths = tf.constant([str(path) for path in dataset.shard_paths])
        self._index = {
            key: tf.constant(dataset.index[key], tf.int64)
            for key in ("shard", "offset", "length")
        }
        self._names = tf.constant(dataset.names.astype(object))
        self._kept: tf.Tensor | None = None
        self._slots: tf.Tensor | None = None

    def keep_in_memory(self, rows: np.ndarray) -> None:
        """Reads these records now, if they are small enough, and never again."""
        if self.dataset.index["length"][rows].sum() > self.data.cache_mb * 2**20:
            return
        read = tf.data.Dataset.from_tensor_slices(rows).map(self.read)
        kept = list(read.as_numpy_iterator())
        slots = np.full(len(self.dataset), -1, np.int64)
        slots[rows] = np.arange(len(rows))
        self._slots, self._kept = tf.constant(slots), tf.constant(kept)

    def read(self, row: tf.Tensor) -> tf.Tensor:
        """Returns the serialized record of one row."""
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
        for stream in self.videos:
            keys += [records.frames_key(stream)]
            keys += [records.height_key(stream), records.width_key(stream)]
            if self.truth:
                keys += [records.visible_key(stream), records.box_key(stream)]
        if "skeleton" in self.shapes:
            keys += [records.POINTS, records.SHAPE]
        return tf.io.parse_single_example(serialized, records.parse_spec(tuple(keys)))

    def __call__(self, row: tf.Tensor, epoch: tf.Tensor | int = 0) -> Example:
        """Returns the streams of one clip and, in evaluation, its ground truth."""
        record = self.parse(self.read(row))
        name = tf.gather(self._names, row)
        tf.debugging.Assert(record[records.NAME] == name, ["Another clip", name])
        key = None if self.seed is None else ops.example_seed(self.seed, epoch, row)
        example, boxes, visible = {}, [], []
        for stream, shape in self.shapes.items():
            if stream == "skeleton":
                example[stream] = self._skeleton(record, shape, key)
                continue
            example[stream], truth = self._video(record, stream, shape, key)
            boxes.append(truth[0])
            visible.append(truth[1])
        if self.truth and self.videos:
            example["actor_box"] = tf.concat(boxes, 0)
            example["actor_visible"] = tf.concat(visible, 0)
        return example

    def _times(self, stream: str, frames: int, key: tf.Tensor | None) -> list[Any]:
        if key is None:
            return list(sampling.view_ticks(frames, self.data.eval_views_time))
        owner = "" if self.data.shared_time else stream
        return [ops.random_ticks(ops.op_seed(key, "time", owner), frames)]

    def _places(self, stream: str, landscape: Any, key: tf.Tensor | None) -> list[Any]:
        data = self.data
        if key is not None:
            owner = "" if data.shared_crop else stream
            seed = ops.op_seed(key, "crop", owner)
            return [ops.random_place(seed, data.resize_min, data.resize_max)]
        ys, xs = sampling.crop_places(
            data.eval_views_space, tf.cast(landscape, tf.float32)
        )
        short = tf.constant(data.test_resize, tf.float32)
        return [ops.Place(short, ys[i], xs[i]) for i in range(data.eval_views_space)]

    def _flipped(self, stream: str, key: tf.Tensor | None) -> tf.Tensor | bool:
        if key is None:
            return False
        owner = "" if self.data.shared_flip else stream
        return ops.random_flip(ops.op_seed(key, "flip", owner), self.data.flip)

    def _views(self, views: list[tf.Tensor]) -> tf.Tensor:
        return tf.stack(views) if len(views) > 1 else views[0]

    def _video(
        self, record: Example, stream: str, shape: tuple[int, ...], key: Any
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor] | tuple[None, None]]:
        jpegs = record[records.frames_key(stream)]
        count = tf.size(jpegs, tf.int64)
        height = tf.cast(record[records.height_key(stream)], tf.int32)
        width = tf.cast(record[records.width_key(stream)], tf.int32)
        t, size, channels = shape[0], shape[1:3], shape[3]
        flipped = self._flipped(stream, key)
        views, truth = [], None
        for ticks in self._times(stream, t, key):
            index = sampling.frame_indices(ticks, count, t)
            chosen = tf.ensure_shape(tf.gather(jpegs, index), [t])
            for place in self._places(stream, width >= height, key):
                part = ops.window(height, width, place, size)
                frames = ops.decode(chosen, part, size, channels)
                views.append(ops.flip(frames, flipped) if key is not None else frames)
                if truth is None and self.truth:  # of the first view
                    boxes = tf.reshape(record[records.box_key(stream)], [-1, 4])
                    visible = record[records.visible_key(stream)] > 0
                    truth = ops.crop_boxes(
                        tf.gather(boxes, index),
                        tf.gather(visible, index),
                        (height, width),
                        part,
                        flipped,
                    )
        return self._views(views), truth or (None, None)

    def _skeleton(
        self, record: Example, shape: tuple[int, ...], key: tf.Tensor | None
    ) -> tf.Tensor:
        stored = tf.concat([record[records.SHAPE], [3]], 0)
        points = tf.reshape(record[records.POINTS], stored)
        persons, t = shape[:2]
        views = []
        for ticks in self._times("skeleton", t, key):
            index = sampling.frame_indices(ticks, stored[1], t)
            chosen = ops.skeleton_frames(points, index, persons)
            crops = self.data.eval_views_space if key is None else 1
            views += [tf.ensure_shape(chosen, shape)] * crops
        return self._views(views)

    def explain(self, row: int, error: Exception) -> DatasetError:
        """Returns an error that says which record is at fault, and how to mend it."""
        dataset = self.dataset
        name, offset = str(dataset.names[row]), int(dataset.offsets[row])
        shard = dataset.shard_paths[int(dataset.index["shard"][row])]
        where = f"The record of clip {name!r} ({shard}, byte {offset})"
        again = (
            f"Copy the shard again, or delete {dataset.folder} and prepare it again."
        )
        try:
            found = records.decode(self.read(tf.constant(row)).numpy(), str(shard))
        except tf.errors.OpError:
            return DatasetError(f"{where} is damaged: its checksum is wrong. {again}")
        except records.RecordError as schema_error:
            return DatasetError(str(schema_error))
        for stream in self.shapes:
            if getattr(found, stream) is None:
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
