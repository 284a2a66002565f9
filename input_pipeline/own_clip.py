"""A person's own clip, from its files to what evaluation would show the model."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from input_pipeline import records
from input_pipeline.builders import parts
from input_pipeline.builders.base import RawDataError
from input_pipeline.config import DataConfig, DataConfigError
from input_pipeline.dataset import DatasetError, PreparedDataset
from input_pipeline.encode import Clip, EncodeOptions, encode_clip
from input_pipeline.examples import Example, ExampleReader
from input_pipeline.formats import notes
from input_pipeline.formats.levels import Scaling
from input_pipeline.formats.video import VideoOptions
from input_pipeline.index import frames_column
from input_pipeline.recordings import Part
from input_pipeline.streams import STORED, source

# Of stored frames, where nobody says otherwise.
SHORT_SIDE = VideoOptions.short_side


@dataclasses.dataclass(frozen=True)
class Facts:
    """What the data set that a model was trained on says of a person's own clips.

    Attributes:
      classes: names by label.
      video: how its frames are stored.
      body: what it says of its skeletons.
      frames: how many its clips have, by stored stream and clip; empty if not known.
    """

    classes: Sequence[str]
    video: VideoOptions = VideoOptions(min_frames=1)
    body: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    frames: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(
        cls, data: DataConfig, num_classes: int, labels: Sequence[str] = ()
    ) -> "Facts":
        """Returns the facts of a data set; where it is not here, classes are numbers.

        Prints what cannot be known of the clips.

        Args:
          labels: the model's own names of the classes, where it has them.

        Raises:
          DatasetError: the data set has another number of classes than the model.
        """
        if data.common_view:
            print(
                "Note: the model was trained on what its cameras see in common "
                "(data.common_view). These cameras' lenses are not known: whole frames "
                "are looked at."
            )
        if data.hold_bodies:
            print(
                "Note: the model was trained on crops that hold the bodies "
                "(data.hold_bodies). These cameras' lenses are not known: centre crops "
                "are looked at."
            )
        try:
            dataset = PreparedDataset.open(data.dir, data.name, data.version)
        except DatasetError as error:
            short = f"rames made {SHORT_SIDE} pixels short"
            if labels:  # nobody need prepare the set
                print(
                    f"F{short}, as `prepare` does where nothing else is asked: the "
                    f"data set {data.name!r} is not here. All else is in the model."
                )
                return cls(labels)
            print(f"Class names unknown, f{short}: {error}")
            return cls([f"class {i}" for i in range(num_classes)])
        if len(dataset.classes) != num_classes:
            raise DatasetError(
                f"The model has {num_classes} classes (model.num_classes), but the "
                f"data set {data.name!r} has {len(dataset.classes)}. Give the config "
                "(and the overrides) that the checkpoint was trained with."
            )
        sides = [facts.get("short_side") for facts in dataset.streams.values()]
        side = next(filter(None, sides), SHORT_SIDE)
        columns = {
            stream: dataset.index.get(frames_column(stream)) for stream in STORED
        }
        frames = {
            s: found[found > 0] for s, found in columns.items() if found is not None
        }
        return cls(dataset.classes, stored_as(side), dataset.skeleton, frames)

    def of_model(
        self,
        labels: Sequence[str],
        values: Mapping[str, str],
        frame_sizes: Mapping[str, tuple[int, int]],
    ) -> "Facts":
        """Returns what is known besides: by the model, and of the files at hand.

        Args:
          labels: the model's own names of the classes; empty: it has none.
          values, frame_sizes: see `stored_as`.
        """
        video = stored_as(self.video.short_side, values, frame_sizes)
        return dataclasses.replace(self, classes=labels or self.classes, video=video)

    def clip_frames(self, data: DataConfig, stream: str) -> tuple[float, float]:
        """Returns how many frames of a stream a clip has: the median and the most.

        Both are 0 if that is not known; ``data.window`` is the part that is looked at.
        """
        counts = self.frames.get(stream, np.zeros(0))
        median, most = (np.median(counts), counts.max()) if len(counts) else (0, 0)
        return float(data.window or median), float(most)


def read_clip(
    paths: Mapping[str, str | Path],
    data: DataConfig,
    inputs: Mapping[str, Any],
    short_side: int = SHORT_SIDE,
    values: Mapping[str, str] | None = None,
    frame_sizes: Mapping[str, tuple[int, int]] | None = None,
    part: str = "",
) -> dict[str, np.ndarray]:
    """Reads the streams of one clip, see `stored_as` and `ClipReader`."""
    video = stored_as(short_side, values, frame_sizes)
    return ClipReader(data, inputs, video)(paths, part)


def part_of(text: str, paths: Mapping[str, str | Path]) -> Part | None:
    """Returns the part of recordings that a text names, see `builders.parts.parse`.

    Raises:
      DataConfigError: it names none.
    """
    try:
        return parts.parse(text, {key: Path(path) for key, path in paths.items()})
    except RawDataError as error:
        raise DataConfigError(str(error)) from None


def stored_as(
    short_side: int = SHORT_SIDE,
    values: Mapping[str, str] | None = None,
    frame_sizes: Mapping[str, tuple[int, int]] | None = None,
) -> VideoOptions:
    """Returns how the data set that a model was trained on stored frames.

    Args:
      short_side: of its frames.
      values: which raw values became 0 and 255 there (`Scaling.parse`).
      frame_sizes: of files that do not say it, see `formats.video.parse_sizes`.
    """
    scalings = {name: Scaling.parse(text) for name, text in (values or {}).items()}
    sizes = frame_sizes or {}
    return VideoOptions(short_side, min_frames=1, scalings=scalings, frame_sizes=sizes)


class ClipReader:
    """The files of a clip's streams -> what evaluation would show the model of it.

    Args:
      data: how clips are sampled; which data set it names does not matter.
      inputs: the model's streams, see `input_pipeline.pipeline.train_batches`.
      video: how frames are stored, see `stored_as`.
    """

    def __init__(
        self, data: DataConfig, inputs: Mapping[str, Any], video: VideoOptions
    ):
        self._data, self._inputs, self._video = data, inputs, video
        self._samplers: dict[tuple, RecordSampler] = {}

    def __call__(
        self, paths: Mapping[str, str | Path], part: str = ""
    ) -> dict[str, np.ndarray]:
        """Reads a clip; prints what readers note of its files (`formats.notes`).

        Args:
          paths: the file of each stream that the model reads; of some of them with
            ``data.allow_missing``.
          part: of recordings, see `part_of`.

        Returns:
          Each stream as one example of `input_pipeline.pipeline.eval_batches`, without
          the batch axis: [t h w c], or [u t h w c] with several views; and ``present``
          [s] where clips may lack streams.

        Raises:
          ClipError: a file cannot be used.
          DatasetError: the skeleton has other joints than the model reads.
          DataConfigError: a value of the config cannot be used.
        """
        files = {key: Path(path) for key, path in paths.items()}
        with notes.listening() as heard:
            options = EncodeOptions(tuple(files), self._video)
            clip = Clip("clip", 0, files, {}, part=part_of(part, files))
            record = encode_clip(clip, options)
        for text in heard:
            print(f"Warning: {text}.")
        joints = {
            stream: found.points.shape[2]
            for stream, found in record.streams.items()
            if isinstance(found, records.Skeleton)
        }
        key = tuple(joints.items())
        if key not in self._samplers:
            self._samplers[key] = RecordSampler(self._data, self._inputs, joints)
        return self._samplers[key](record)


class RecordSampler:
    """A clip's record -> what evaluation would show the model of it.

    The clip is taken as a data set of one: so it goes the very way of the clips that
    the model was trained and evaluated on.

    Args:
      data, inputs: see `ClipReader`.
      joints: how many the skeletons of these clips have, by stream.

    Raises:
      DatasetError: a skeleton has other joints than the model reads.
      DataConfigError: a value of the config cannot be used.
    """

    def __init__(
        self,
        data: DataConfig,
        inputs: Mapping[str, Any],
        joints: Mapping[str, int] | None = None,
    ):
        self._inputs = dict(inputs)
        self._stored = [*dict.fromkeys(map(source, inputs))]
        streams: dict[str, dict[str, Any]] = {stream: {} for stream in self._stored}
        for stream, count in (joints or {}).items():
            streams[stream] = {"joints": count}
        info = {"name": "own clip", "streams": streams, "has_truth": False}
        info["shards"] = [{"file": "none", "bytes": 0}]
        index = {"name": np.array(["clip"])}
        index |= {key: np.array([0]) for key in ("shard", "offset", "length")}
        one = PreparedDataset(Path(), info, index)
        self._reader = ExampleReader(one, data, inputs)
        self._sample = tf.function(
            self._of_record, [tf.TensorSpec([], tf.string)], autograph=False
        )

    def _of_record(self, serialized: tf.Tensor) -> Example:
        record = self._reader.parse(serialized)
        return self._reader.sample(record, tf.constant(0, tf.int64), 0)

    def __call__(self, record: records.Record) -> dict[str, np.ndarray]:
        """Returns what `ClipReader` does."""
        example = self._sample(tf.constant(records.encode(record, self._stored)))
        keys = [*self._inputs, *(key for key in ("present",) if key in example)]
        return {key: example[key].numpy() for key in keys}
