"""Records as they lie in the shards: read alone, by their offsets, checksums verified.

And, where one cannot be read or decoded, which it is and how to mend it.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from input_pipeline import records, streams
from input_pipeline.dataset import DatasetError, PreparedDataset, shard_problem
from input_pipeline.tfrecord import FRAMING


class RecordReader:
    """Row number -> serialized record; kept in memory if they are small enough."""

    def __init__(self, dataset: PreparedDataset):
        self.dataset = dataset
        self._paths = tf.constant([str(path) for path in dataset.shard_paths])
        self._index = {
            key: tf.constant(dataset.index[key], tf.int64)
            for key in ("shard", "offset", "length")
        }
        self._kept: tf.Tensor | None = None
        self._slots: tf.Tensor | None = None

    def keep_in_memory(self, rows: np.ndarray, most_bytes: int) -> int | None:
        """Reads these records now, if they have at most so many bytes, and never again.

        Returns:
          The row that cannot be read; None if all could, or are too large.
        """
        if self.dataset.index["length"][rows].sum() > most_bytes:
            return None
        kept: list[bytes] = []
        try:
            read = tf.data.Dataset.from_tensor_slices(rows).map(self)
            kept.extend(read.as_numpy_iterator())
        except tf.errors.OpError:
            return int(rows[len(kept)])
        slots = np.full(len(self.dataset), -1, np.int64)
        slots[rows] = np.arange(len(rows))
        self._slots, self._kept = tf.constant(slots), tf.constant(kept)
        return None

    def of_another_length(self, rows: Iterable[Any]) -> int | None:
        """Returns the first row whose record says another length than the index.

        TensorFlow takes as much memory as its first bytes say, and dies of it.
        """
        if self._kept is not None:
            return None
        says = self.dataset.says_another_length
        return next((int(row) for row in rows if says(int(row))), None)

    def __call__(self, row: tf.Tensor) -> tf.Tensor:
        """Returns the serialized record of one row; see `of_another_length`."""
        if self._kept is not None:
            return tf.gather(self._kept, tf.gather(self._slots, row))
        shard, offset, length = (tf.gather(c, row) for c in self._index.values())
        # The public tf.data.TFRecordDataset has no way to say where to start.
        one_file = tf.raw_ops.TFRecordDatasetV2(
            filenames=tf.gather(self._paths, shard)[None],
            compression_type="",
            buffer_size=length + FRAMING,
            byte_offsets=offset[None],
        )
        kinds: dict[str, Any] = {"output_types": [tf.string], "output_shapes": [[]]}
        first = tf.raw_ops.TakeDataset(input_dataset=one_file, count=1, **kinds)
        return tf.raw_ops.DatasetToSingleElement(dataset=first, **kinds)[0]

    def explain(
        self, row: int, error: Exception | None, needed: Iterable[str]
    ) -> DatasetError:
        """Returns an error that says which record is at fault, and how to mend it.

        Args:
          row: of the record that could not be read or decoded.
          error: what was said of it.
          needed: the streams that the clip must have.
        """
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
        if dataset.says_another_length(row):
            return damaged
        try:
            found = records.decode(self(tf.constant(row)).numpy(), str(shard))
        except tf.errors.OpError:
            return damaged
        except records.RecordError as schema_error:
            return DatasetError(str(schema_error))
        for stream in needed:
            if streams.source(stream) not in found.streams:
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
