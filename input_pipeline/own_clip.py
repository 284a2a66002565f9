"""A person's own clip, from its files to what evaluation would show the model."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from input_pipeline import records
from input_pipeline.builders import parts
from input_pipeline.builders.base import RawDataError
from input_pipeline.config import DataConfig, DataConfigError
from input_pipeline.dataset import PreparedDataset
from input_pipeline.encode import Clip, EncodeOptions, encode_clip
from input_pipeline.examples import ExampleReader
from input_pipeline.formats import notes
from input_pipeline.formats.levels import Scaling
from input_pipeline.formats.video import VideoOptions
from input_pipeline.streams import source

# Of stored frames, where nobody says otherwise.
SHORT_SIDE = VideoOptions.short_side


def read_clip(
    paths: Mapping[str, str | Path],
    data: DataConfig,
    inputs: Mapping[str, Any],
    short_side: int = SHORT_SIDE,
    values: Mapping[str, str] | None = None,
    frame_sizes: Mapping[str, tuple[int, int]] | None = None,
    part: str = "",
) -> dict[str, np.ndarray]:
    """Reads the streams of one clip as if it were in a prepared data set.

    The clip becomes a data set of one, for the moment of reading: so it goes the very
    way of the clips that the model was trained and evaluated on.

    Args:
      paths: the file of each stream that the model reads; of some of them with
        ``data.allow_missing``.
      data: how clips are sampled; which data set it names does not matter.
      inputs: the model's streams, see `input_pipeline.pipeline.train_batches`.
      short_side: of the stored frames of the data set that the model was trained on.
      values: which raw values became 0 and 255 there (`Scaling.parse`).
      frame_sizes: of files that do not say it, see `formats.video.parse_sizes`.
      part: of recordings, see `builders.parts.parse`.

    What readers note of a file (`formats.notes`) is printed.

    Returns:
      Each stream as one example of `input_pipeline.pipeline.eval_batches`, without the
      batch axis: [t h w c], or [u t h w c] with several views; and ``present`` [s]
      where clips may lack streams.

    Raises:
      ClipError: a file cannot be used.
      DatasetError: the skeleton has other joints than the model reads.
      DataConfigError: a value of the config cannot be used.
    """
    scalings = {name: Scaling.parse(text) for name, text in (values or {}).items()}
    video = VideoOptions(
        short_side=short_side,
        min_frames=1,
        scalings=scalings,
        frame_sizes=frame_sizes or {},
    )
    files = {key: Path(path) for key, path in paths.items()}
    try:
        cut = parts.parse(part, files)
    except RawDataError as error:
        raise DataConfigError(str(error)) from None
    clip = Clip("clip", 0, files, {}, part=cut)
    with notes.listening() as heard:
        record = encode_clip(clip, EncodeOptions(tuple(paths), video))
    for text in heard:
        print(f"Warning: {text}.")
    stored = [*dict.fromkeys(map(source, inputs))]
    serialized = records.encode(record, stored)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.tfrecord"
        with tf.io.TFRecordWriter(str(path)) as writer:
            writer.write(serialized)
        streams: dict[str, dict[str, Any]] = {stream: {} for stream in stored}
        for stream, found in record.streams.items():
            if isinstance(found, records.Skeleton):
                streams[stream] = {"joints": found.points.shape[2]}
        columns = {"shard": 0, "offset": 0, "length": len(serialized)}
        dataset = PreparedDataset(
            Path(folder),
            info={
                "name": "own clip",
                "streams": streams,
                "has_truth": False,
                "shards": [{"file": path.name, "bytes": path.stat().st_size}],
            },
            index={
                "name": np.array([record.name]),
                **{key: np.array([value]) for key, value in columns.items()},
            },
        )
        example = ExampleReader(dataset, data, inputs)(tf.constant(0, tf.int64))
    keys = [*inputs, *(key for key in ("present",) if key in example)]
    return {key: example[key].numpy() for key in keys}
