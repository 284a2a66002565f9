"""Prepared data sets of a few small clips, written without any builder."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from input_pipeline import dataset, index, records
from input_pipeline.config import DataConfig
from input_pipeline.streams import STREAMS

# Sizes are distinct primes wherever they can be, so that a swapped axis cannot pass.
RGB = (34, 46)  # height, width; landscape
IR = (29, 23)  # portrait
FRAMES = {"rgb": 13, "ir": 7, "skeleton": 11}
JOINTS = 5
# A body's middle, its left and right hand, its left and right foot.
LAYOUT = {
    "layout": "star",
    "mirror": [0, 2, 1, 4, 3],
    "bones": [[0, 1], [0, 2], [0, 3], [0, 4]],
}


def config(root: Path, **changes) -> DataConfig:
    """A data config for `write`'s data sets."""
    values = {
        "name": "tiny",
        "dir": str(root),
        "resize_min": 20,
        "resize_max": 24,
        "test_resize": 20,
        "workers": 2,
        "cache_mb": 0,
    }
    return DataConfig(**(values | changes))


def jpeg(image: np.ndarray) -> bytes:
    """Encodes uint8 [h w c] with no visible loss."""
    return tf.io.encode_jpeg(image, quality=100, chroma_downsampling=False).numpy()


def video(
    stream: str, size: tuple[int, int], seed: int, truth: bool = False
) -> records.Video:
    """Flat frames: frame i of a clip has the grey value 10 i + seed % 10."""
    frames, channels = FRAMES[stream], STREAMS[stream].channels
    box = np.tile(np.array([0.25, 0.5, 0.75, 1.0], np.float32), (frames, 1))
    return records.Video(
        [
            jpeg(np.full((*size, channels), 10 * i + seed % 10, np.uint8))
            for i in range(frames)
        ],
        *size,
        actor_visible=np.arange(frames) % 2 == 1 if truth else None,
        actor_box=box if truth else None,
    )


def clip(i: int, truth: bool = False) -> records.Record:
    """Clip number ``i``, with all three streams."""
    points = np.arange(FRAMES["skeleton"], dtype=np.float32)[:, None, None]
    points = np.tile(points, (1, 1, JOINTS, 3)).reshape(1, -1, JOINTS, 3)
    return records.Record(
        name=f"clip{i:03d}",
        label=i % 3,
        difficulty=i % 4,
        streams={
            "rgb": video("rgb", RGB, i, truth),
            "ir": video("ir", IR, i, truth),
            "skeleton": records.Skeleton(points, np.ones(points.shape[:3], bool)),
        },
    )


def write(
    root: Path,
    clips: list[records.Record],
    test: int,
    truth: bool = False,
    shards: int = 2,
) -> Path:
    """Writes <root>/tiny/1.0.0; the last ``test`` clips are the test split of "half".

    Returns the folder of the shards.
    """
    folder = root / "tiny" / "1.0.0"
    folder.mkdir(parents=True)
    per_shard = -(-len(clips) // shards)
    where, files = [], []
    for shard in range(shards):
        path = folder / dataset.shard_name("tiny", shard, shards)
        with tf.io.TFRecordWriter(str(path)) as writer:
            offset = 0
            for record in clips[shard * per_shard : (shard + 1) * per_shard]:
                data = records.encode(record)
                writer.write(data)
                where.append((shard, offset, len(data)))
                offset += len(data) + 16
        files.append({"file": path.name, "bytes": path.stat().st_size})
    numbers = np.array(where, np.int64).reshape(-1, 3).T
    unknown = np.full(len(clips), records.UNKNOWN, np.int32)
    split = np.where(np.arange(len(clips)) < len(clips) - test, 0, 1)
    np.savez(
        folder / dataset.INDEX_FILE,
        name=np.array([record.name for record in clips]),
        shard=numbers[0].astype(np.int32),
        offset=numbers[1],
        length=numbers[2],
        label=np.array([record.label for record in clips], np.int32),
        difficulty=np.array([record.difficulty for record in clips], np.int32),
        subject=np.array([record.subject for record in clips], np.int32),
        **{key: unknown for key in ("camera", "setup", "replication")},
        split_half=split.astype(np.int8),
        **{
            index.frames_column(stream): [
                FRAMES[stream] if stream in record.streams else 0 for record in clips
            ]
            for stream in FRAMES
        },
    )
    streams = {"rgb": {}, "ir": {}, "skeleton": {"joints": JOINTS, **LAYOUT}}
    info = {
        "format": records.FORMAT,
        "name": "tiny",
        "version": "1.0.0",
        "classes": ["sit", "stand", "wave"],
        "streams": {
            key: value
            for key, value in streams.items()
            if any(key in record.streams for record in clips)
        },
        "protocols": {"half": {"train": len(clips) - test, "test": test}},
        "default_protocol": "half",
        "num_clips": len(clips),
        "difficulties": ["dark", "crowded"],
        "has_truth": truth,
        "shards": files,
    }
    (folder / dataset.INFO_FILE).write_text(json.dumps(info))
    return folder
