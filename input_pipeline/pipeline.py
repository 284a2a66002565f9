"""Batches: which clips, in which order, on which host.

Batch k is a pure function of the config and k. Training goes through positions
p = k * batch_size + i, and `input_pipeline.order` says which clip stands at which: an
epoch may end inside a batch, and starting at any step costs nothing. Hosts take
consecutive parts of the same global batch: the order of the data does not depend on how
many there are.
"""

import atexit
import dataclasses
import itertools
import os
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from input_pipeline import folds, joints, split_doubts, splits
from input_pipeline.checks import check_rows
from input_pipeline.config import DataConfig, DataConfigError
from input_pipeline.dataset import DatasetError, PreparedDataset
from input_pipeline.examples import ExampleReader
from input_pipeline.order import Order

# The accelerators belong to JAX; TensorFlow would take all of their memory.
tf.config.set_visible_devices([], "GPU")

Batch = dict[str, np.ndarray]
# Batch number -> ids and epochs of the examples that this host reads for it.
Schedule = Callable[[int], tuple[np.ndarray, np.ndarray]]
# What still yields batches. Closed before the interpreter ends, whoever holds it (a
# traceback may): later its threads wait for Python, and Python for them, for ever.
_unfinished: weakref.WeakSet[Generator[Batch, None, None]] = weakref.WeakSet()


@atexit.register
def _close_unfinished() -> None:
    for batches in list(_unfinished):
        batches.close()


@dataclasses.dataclass(frozen=True)
class DatasetFacts:
    """What a script needs to know of a data set besides its batches."""

    name: str
    version: str
    title: str  # what reports call it
    protocol: str  # the one in use, never ""
    classes: tuple[str, ...]  # by label
    num_clips: dict[str, int]  # of each split of the protocol, after data.limit
    names: np.ndarray  # clip names by id, all clips of the data set
    difficulties: tuple[str, ...]  # by bit of a batch's "difficulty"
    has_truth: bool  # whether evaluation batches say where the actor is
    bones: tuple[tuple[int, int], ...]  # pairs of joints; none if not known
    digest: str  # of what the clips were prepared from, and how
    class_counts: tuple[int, ...]  # training clips by label
    folds: int  # how many there are; 0: the splits are the protocol's
    doubts: tuple[str, ...]  # what will not hold of these splits, a sentence each
    values: dict[str, str]  # how raw values became pictures, by stream


def dataset_facts(data: DataConfig) -> DatasetFacts:
    """Returns the facts of the data set and protocol that ``data`` names.

    Raises:
      DatasetError: the data set is not prepared or has no such protocol.
    """
    dataset = _open(data)
    protocol = data.protocol or dataset.default_protocol
    if protocol not in dataset.protocols:
        dataset.rows(protocol, "train")  # raises, with the protocols that there are
    layout = joints.of_stream(dataset.skeleton)
    number = folds.of(dataset, data)[2] if data.folds else 0
    said = f"{protocol}, fold {data.fold} of {number} by {data.folds}"
    return DatasetFacts(
        name=dataset.name,
        version=dataset.version,
        title=dataset.title,
        protocol=said if data.folds else protocol,
        classes=tuple(dataset.classes),
        num_clips=splits.counts(dataset, data),
        names=dataset.names,
        difficulties=tuple(dataset.difficulties),
        has_truth=dataset.has_truth,
        bones=layout.bones if layout else (),
        digest=dataset.digest(protocol, data.folds),
        class_counts=split_doubts.class_counts(dataset, data, "train"),
        folds=number,
        doubts=(*split_doubts.of(dataset, data), *_enlarged(dataset, data)),
        values={
            name: facts["scaling"]
            for name, facts in dataset.streams.items()
            if "scaling" in facts
        },
    )


def _enlarged(dataset: PreparedDataset, data: DataConfig) -> list[str]:
    """Returns a sentence where training crops are cut from enlarged frames."""
    sides = [
        facts.get("short_side", data.resize_max) for facts in dataset.streams.values()
    ]
    if data.crop != "random" or (stored := min(sides, default=0)) >= data.resize_max:
        return []
    return [
        f"the frames are stored with a short side of {stored} pixels at most, and "
        f"training enlarges them to {data.resize_min} to {data.resize_max} before it "
        "cuts: training sees blurred pictures, testing does not. Prepare the set with "
        f"--short_side {data.resize_max} where the raw files are larger, or lower "
        "data.resize_min and data.resize_max."
    ]


def train_batches(
    data: DataConfig,
    inputs: Mapping[str, Any],
    batch_size: int,
    seed: int,
    start_step: int = 0,
    host: int = 0,
    hosts: int = 1,
) -> Iterator[Batch]:
    """Returns an endless iterator of training batches; the first is ``start_step``'s.

    Args:
      data: which data set, and how its clips are sampled.
      inputs: the streams of one example by name; only .shape and .dtype are read:
        videos uint8 [t h w c], skeletons float32 [m t v 3].
      batch_size: of the global batch; this host yields batch_size / hosts rows of it.
      seed: of the order and of all augmentation; every integer is a seed, 0 too.
      start_step: number of the first batch.
      host: which of the hosts this is.
      hosts: how many there are.

    Returns:
      Dicts of numpy arrays: the streams with b in front, and label int32 [b], mask
      bool [b] (all True), id int64 [b]; where clips may lack some of several streams
      (data.allow_missing, data.stream_dropout), present bool [b s]: which of them, in
      the order of ``inputs``, are not zeros for want of them; with data.truth also the
      ground truth of `eval_batches`, moved along with crop, flip and choice of frames,
      and with data.joints_seen likewise its joints_seen.

    Raises:
      DatasetError: at once, if data set, protocol or stream is not there or there are
        fewer clips than a batch needs; while iterating, naming the record, if one is
        damaged.
      DataConfigError: at once, if a value of the config cannot be used.
    """
    local = _local_size(data, batch_size, host, hosts)
    dataset = _open(data)
    rows = splits.rows(dataset, data, "train")
    if data.truth and not dataset.has_truth:
        raise DataConfigError(
            f"data.truth asks for the ground truth in training batches, but the data "
            f"set {dataset.name!r} has none. Set it to False."
        )
    if len(rows) < batch_size:
        raise DatasetError(
            f"The training split of {dataset.name!r} has {len(rows)} clips, fewer than "
            f"a batch of {batch_size}. Lower the batch size (train.batch_size), or "
            "raise data.limit if that is what leaves so few."
        )
    reader = ExampleReader(dataset, data, inputs, seed)
    check_rows(dataset, rows, inputs, data)

    labels = dataset.labels[rows]
    order = Order(rows, labels, seed, data.balance, data.repeats)

    def schedule(step: int) -> tuple[np.ndarray, np.ndarray]:
        return order.at(step * batch_size + host * local + np.arange(local))

    reader.keep_in_memory(rows)
    return _batches(reader, schedule, start_step, None, local)


def eval_batches(
    data: DataConfig,
    inputs: Mapping[str, Any],
    split: str,
    batch_size: int,
    host: int = 0,
    hosts: int = 1,
) -> Iterator[Batch]:
    """Returns an iterator over a split: over all hosts, every clip exactly once.

    Every host gets the same number of batches, all of the same size; rows without a
    clip have mask False, id -1 and zeros elsewhere. Arguments and errors are those of
    `train_batches`. Frames and crops are fixed; with several views
    (data.eval_views_time, eval_views_space, eval_flip) streams have a view axis.
    If not all of them come at once (data.eval_views_at_once), every batch of clips is
    followed by the same clips' next views; ``view`` int32 [b] says which is the first.

    Returns:
      Dicts as `train_batches` yields and, where the data set has ground truth,
      actor_visible bool [b s*t], actor_box float32 [b s*t 4] (fractions of the first
      view's crop) and difficulty int32 [b]; s are the video streams in their order.
      Where skeletons and videos are read, and the data set knows its lenses,
      joints_seen float32 [b s*t m v 2]: (column, row) of the joints at the moment of
      each frame, as fractions of the first view's crop, NaN where there is none.
    """
    once = dataclasses.replace(data, repeats=1)  # evaluation repeats nothing
    local = _local_size(once, batch_size, host, hosts)
    dataset = _open(data)
    rows = splits.rows(dataset, data, split)
    reader = ExampleReader(dataset, data, inputs)
    check_rows(dataset, rows, inputs, data)

    views = data.eval_views
    together = data.eval_views_at_once or views
    parts = views // together

    def schedule(step: int) -> tuple[np.ndarray, np.ndarray]:
        step, part = divmod(step, parts)
        start = step * batch_size + host * local
        ids = rows[start : min(start + local, (step + 1) * batch_size)]
        return ids, np.full_like(ids, part)

    stop = -(-len(rows) // batch_size) * parts
    batches = _batches(reader, schedule, 0, stop, local)
    if parts == 1:
        return batches
    first = itertools.cycle(np.arange(parts, dtype=np.int32) * together)
    return (batch | {"view": np.full(local, next(first))} for batch in batches)


def _open(data: DataConfig) -> PreparedDataset:
    return PreparedDataset.open(data.dir, data.name, data.version)


def _local_size(data: DataConfig, batch_size: int, host: int, hosts: int) -> int:
    """Checks what does not need the data set; returns the rows of one host's batch."""
    if batch_size < 1 or batch_size % hosts or not 0 <= host < hosts:
        raise DataConfigError(
            f"Got a global batch of {batch_size} for host {host} of {hosts}; it must "
            "be positive and a multiple of the number of hosts, counted from 0."
        )
    views, together = data.eval_views, data.eval_views_at_once
    problems = {
        "resize_min resize_max: resize_min must be positive and at most resize_max": (
            0 < data.resize_min <= data.resize_max
        ),
        "flip: it must be a probability, from 0 to 1": 0 <= data.flip <= 1,
        "eval_views_time eval_views_space: both must be at least 1": (
            data.eval_views_time >= 1 and data.eval_views_space >= 1
        ),
        "skeleton_crop_min test_skeleton_crop: both must be above 0 and at most 1": (
            0 < data.skeleton_crop_min <= 1 and 0 < data.test_skeleton_crop <= 1
        ),
        "skeleton_turn: it must be from 0 to 180 degrees": (
            0 <= data.skeleton_turn <= 180
        ),
        f"eval_views_at_once: it must divide the number of views, {views}, or be 0": (
            together == 0 or together > 0 and views % together == 0
        ),
        "crop_scales: they must be above 0 and at most 1": (
            all(0 < scale <= 1 for scale in data.crop_scales or (0,))
        ),
        "stream_dropout: it must be at least 0 and below 1": (
            0 <= data.stream_dropout < 1
        ),
        "crop_distort: it must not be negative": data.crop_distort >= 0,
        "rand_ops: it must not be negative": data.rand_ops >= 0,
        "rand_magnitude: it must be from 0 to 10": 0 <= data.rand_magnitude <= 10,
        "erase: it must be a probability, from 0 to 1": 0 <= data.erase <= 1,
        "rand_ops truth: the truth does not move with the pixels; set one to 0": (
            not (data.rand_ops and data.truth)
        ),
        "rand_ops joints_seen: joints do not move with the pixels; set one to 0": (
            not (data.rand_ops and data.joints_seen)
        ),
        "window: it must not be negative": data.window >= 0,
        "balance: it must be from 0 (as the clips are) to 1 (every class alike)": (
            0 <= data.balance <= 1
        ),
        f"repeats: it must be at least 1 and divide the batch of {batch_size}": (
            data.repeats >= 1 and batch_size % data.repeats == 0
        ),
        "limit cache_mb workers: they must not be negative": (
            min(data.limit, data.cache_mb, data.workers) >= 0
        ),
        "prefetch: it must be at least 1": data.prefetch >= 1,
    }
    for text, fine in problems.items():
        if not fine:
            names, _, rule = text.partition(": ")
            got = (f"data.{name} is {getattr(data, name)!r}" for name in names.split())
            raise DataConfigError(f"{' and '.join(got)}; {rule}.")
    return batch_size // hosts


def _batches(
    reader: ExampleReader, schedule: Schedule, start: int, stop: int | None, local: int
) -> Iterator[Batch]:
    """Yields batches start, ..., stop - 1 (None: without end) of ``local`` rows."""
    data, dataset = reader.data, reader.dataset
    workers = data.workers or _cores()
    vector = tf.TensorSpec([None], tf.int64)

    def steps() -> Iterator[int]:
        return iter(itertools.count(start) if stop is None else range(start, stop))

    def filled(step: int) -> tuple[np.ndarray, ...]:
        """A short batch's last example again and again: batches stay in step."""
        columns = schedule(step)
        reader.check_lengths(columns[0])
        return tuple(
            np.pad(column, (0, local - len(column) if len(column) else 0), "edge")
            for column in columns
        )

    examples = tf.data.Dataset.from_generator(
        lambda: map(filled, steps()), output_signature=(vector, vector)
    )
    examples = examples.unbatch().map(reader, workers, deterministic=True)
    options = tf.data.Options()
    options.threading.private_threadpool_size = workers
    # The clips are the parallelism; splitting single ops only adds contention.
    options.threading.max_intra_op_parallelism = 1
    batches = examples.batch(local).prefetch(data.prefetch).with_options(options)

    def iterate() -> Generator[Batch, None, None]:
        arrays = batches.as_numpy_iterator()
        for step in steps():
            ids, epochs = schedule(step)
            try:
                batch = next(arrays) if len(ids) else {}
            except tf.errors.OpError as error:
                raise _explain(reader, ids, epochs, error) from None
            empty = {
                key: np.zeros((0, *spec.shape), spec.dtype.as_numpy_dtype)
                for key, spec in examples.element_spec.items()
            }
            batch = {
                key: batch.get(key, array)[: len(ids)] for key, array in empty.items()
            }
            batch["label"] = dataset.labels[ids].astype(np.int32)
            if reader.truth:
                batch["difficulty"] = dataset.index["difficulty"][ids].astype(np.int32)
            batch["mask"] = np.ones(len(ids), bool)
            batch = {key: _pad(array, local, 0) for key, array in batch.items()}
            batch["id"] = _pad(ids, local, -1)
            yield batch

    found = iterate()
    _unfinished.add(found)
    return found


def _cores() -> int:
    # What this process may use, where the system tells (it may be a part of a machine).
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _pad(array: np.ndarray, size: int, value: int) -> np.ndarray:
    if len(array) == size:
        return array
    rest = np.full((size - len(array), *array.shape[1:]), value, array.dtype)
    return np.concatenate([array, rest])


def _explain(
    reader: ExampleReader, ids: np.ndarray, epochs: np.ndarray, error: Exception
) -> Exception:
    """Finds the row of a batch that cannot be read, one by one."""
    for row, epoch in zip(ids, epochs, strict=True):
        try:
            reader.check_lengths(row[None])
            reader(tf.constant(row), tf.constant(epoch))
        except DatasetError as found:
            return found
        except tf.errors.OpError as row_error:
            return reader.explain(int(row), row_error)
    return error
