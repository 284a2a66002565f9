"""Speed of the input pipeline: clips per second and core, from records to batches.

    python -m benchmarks.pipeline

Clips as NTU RGB+D's are when prepared (short side 256: visible 456 x 256, infrared
310 x 256, 80 frames each, JPEG), read as STAFusion reads them: 8 frames of 224 x 224 a
stream. Speed is given per second of processor time, which a busy machine does not
change much, and per second on the clock.
"""

import argparse
import io
import itertools
import json
import tempfile
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from benchmarks.arguments import at_least
from input_pipeline import dataset, records
from input_pipeline.config import DataConfig
from input_pipeline.pipeline import eval_batches, train_batches
from input_pipeline.streams import STREAMS

SIZES = {"rgb": (256, 456), "ir": (256, 310)}
STORED, SAMPLED, CROP = 80, 8, 224
BATCH = 8


def jpeg(random: np.random.Generator, stream: str) -> bytes:
    """A blurred random picture, which compresses about as a real one does."""
    height, width = SIZES[stream]
    coarse = random.integers(0, 256, (height // 12, width // 12, 3), np.uint8)
    picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    picture.convert("RGB" if STREAMS[stream].channels == 3 else "L").save(
        file, "JPEG", quality=90
    )
    return file.getvalue()


def write_dataset(root: Path, clips: int) -> None:
    """Writes a prepared data set of one shard; all clips are in the train split."""
    random = np.random.default_rng(0)
    folder = root / "bench" / "1.0.0"
    folder.mkdir(parents=True)
    shard = folder / dataset.shard_name("bench", 0, 1)
    pictures = {s: [jpeg(random, s) for _ in range(STORED)] for s in SIZES}
    lengths = []
    with tf.io.TFRecordWriter(str(shard)) as writer:
        for i in range(clips):
            videos = {s: records.Video(pictures[s], *SIZES[s]) for s in SIZES}
            record = records.encode(records.Record(f"clip{i}", 0, streams=videos))
            lengths.append(len(record))
            writer.write(record)
    # 16 bytes of length and checksums go with every record.
    offsets = np.cumsum([0, *lengths[:-1]]) + 16 * np.arange(clips)
    zeros = np.zeros(clips, np.int32)
    np.savez(
        folder / dataset.INDEX_FILE,
        name=np.array([f"clip{i}" for i in range(clips)]),
        shard=zeros,
        offset=offsets,
        length=np.array(lengths),
        label=zeros,
        difficulty=zeros,
        split_all=zeros,
    )
    info = {
        "format": records.FORMAT,
        "name": "bench",
        "version": "1.0.0",
        "classes": ["any"],
        "streams": {stream: {} for stream in SIZES},
        "protocols": {"all": {"train": clips}},
        "default_protocol": "all",
        "num_clips": clips,
        "difficulties": [],
        "has_truth": False,
        "shards": [{"file": shard.name, "bytes": shard.stat().st_size}],
    }
    (folder / dataset.INFO_FILE).write_text(json.dumps(info))
    size = np.mean(lengths) / 2**20
    print(f"{clips} clips of {STORED} frames a stream, {size:.1f} MiB each\n")


def measure(start: Callable[[], Iterator[dict]], clips: int) -> tuple[float, float]:
    """Returns clips per second of processor time and on the clock."""
    batches = start()
    next(batches)  # tracing and warming up
    clock, processor = time.perf_counter(), time.process_time()
    read = itertools.islice(batches, clips // BATCH)
    done = sum(int(batch["mask"].sum()) for batch in read)
    return (
        done / (time.process_time() - processor),
        done / (time.perf_counter() - clock),
    )


def main() -> None:
    """Writes the data set into a temporary folder, measures, prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add, whole = parser.add_argument, at_least
    add("--clips", type=whole(1), default=88, help="clips to read a row")
    add("--workers", type=whole(0), default=0, help="threads; 0: one a core")
    args = parser.parse_args()
    inputs = {
        stream: types.SimpleNamespace(
            shape=(SAMPLED, CROP, CROP, STREAMS[stream].channels), dtype=np.uint8
        )
        for stream in SIZES
    }
    with tempfile.TemporaryDirectory() as root:
        write_dataset(Path(root), args.clips + BATCH)  # one batch to warm up

        def row(name: str, streams: str, train: bool = True, **changes: int) -> None:
            data = DataConfig("bench", root, cache_mb=0, workers=args.workers)
            for key, value in changes.items():
                setattr(data, key, value)
            given = {stream: inputs[stream] for stream in streams.split("+")}

            def start() -> Iterator[dict]:
                if train:
                    return train_batches(data, given, BATCH, seed=0)
                return eval_batches(data, given, "train", BATCH)

            speed = measure(start, args.clips)
            print(f"{name:34s}{streams:8s}{speed[0]:18.1f}{speed[1]:16.1f}")

        print(f"{'':34s}{'streams':8s}{'clips/s of a core':>18s}{'clips/s':>16s}")
        row("training", "rgb+ir")
        row("training, records in memory", "rgb+ir", cache_mb=1024)
        row("training", "rgb")
        row("training", "ir")
        row("evaluation, 1 view", "rgb+ir", train=False)
        row("evaluation, 3 views", "rgb+ir", train=False, eval_views_space=3)


if __name__ == "__main__":
    main()
