"""What one record holds: the names, the kinds, and the way to bytes and back.

The writer and every reader take the feature names from here. A record has features of
the streams of its data set (see `input_pipeline.streams.written`): a set with a new
stream changes nothing in those prepared before. It is a
``tf.train.Example``; TensorFlow is imported inside the functions that read, so that
names can be had and records be written without it.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from input_pipeline import streams, tfrecord
from input_pipeline.spool import Picture

# Version of the record layout; raised when records of before can no longer be read.
FORMAT = 1
# A protocol buffer has less than 2 GiB, or nothing can parse it; the rest of a record
# is a small part of this.
MAX_BYTES = 2**31 - 2**20

# In a data set's plan: the digest of what its records, not its index, depend on.
PLANNED = "records"
# Value of a number that the raw data does not tell.
UNKNOWN = -1

NAME = "name"
LABEL = "label"
SUBJECT = "subject"
CAMERA = "camera"
SETUP = "setup"
REPLICATION = "replication"
DIFFICULTY = "difficulty"  # bit i: difficulty i of dataset.json's list
NUMBERS = (LABEL, SUBJECT, CAMERA, SETUP, REPLICATION, DIFFICULTY)


def frames_key(stream: str) -> str:
    """Encoded images of a video stream, one a frame; empty if the clip has none."""
    return f"{stream}/frames"


def height_key(stream: str) -> str:
    """Height in pixels of every image of a video stream; 0 if the clip has none."""
    return f"{stream}/height"


def width_key(stream: str) -> str:
    """Width in pixels of every image of a video stream; 0 if the clip has none."""
    return f"{stream}/width"


def visible_key(stream: str) -> str:
    """Ground truth, one a frame: 1 if the actor is seen; empty if not known."""
    return f"{stream}/actor_visible"


def box_key(stream: str) -> str:
    """Ground truth, four a frame: y0 x0 y1 x1, fractions of the stored image."""
    return f"{stream}/actor_box"


def points_key(stream: str) -> str:
    """Metres, [m t v 3] flattened; empty if the clip has no skeleton."""
    return f"{stream}/points"


def shape_key(stream: str) -> str:
    """m, t, v of a skeleton; zeros if the clip has none."""
    return f"{stream}/shape"


def tracked_key(stream: str) -> str:
    """1 where the sensor saw the joint, [m t v] flattened."""
    return f"{stream}/tracked"


def times_key(stream: str) -> str:
    """When frames start, one a frame, and the clip's length; see `clock`.

    In microseconds of the clip. Only where numbers do not say it: mostly it is missing.
    """
    return f"{stream}/times"


def levels_key(stream: str) -> str:
    """The values of the raw pictures that became 0 and 255 (see `formats.levels`).

    Two numbers, or two of each frame. Only of pictures of more than 8 bits: mostly it
    is missing.
    """
    return f"{stream}/levels"


# Features that a record has only where there is something to say.
_OPTIONAL = {times_key: "int64", levels_key: "float"}


@dataclasses.dataclass(frozen=True)
class Feature:
    """Kind of values ("bytes", "int64" or "float") and how many (None: any number)."""

    kind: str
    size: int | None


def schema(names: Iterable[str] = ()) -> dict[str, Feature]:
    """Returns every feature of a record in a data set of these streams.

    There are no others, and none may be missing.
    """
    one, many = Feature("int64", 1), Feature("int64", None)
    found = {NAME: Feature("bytes", 1)} | dict.fromkeys(NUMBERS, one)
    for stream in streams.written(names):
        if streams.STREAMS[stream].kind == "video":
            found[frames_key(stream)] = Feature("bytes", None)
            found[height_key(stream)] = one
            found[width_key(stream)] = one
            found[visible_key(stream)] = many
            found[box_key(stream)] = Feature("float", None)
        else:
            found[points_key(stream)] = Feature("float", None)
            found[shape_key(stream)] = Feature("int64", 3)
            found[tracked_key(stream)] = many
    return found


class RecordError(ValueError):
    """A record whose features are not those that this version reads and writes."""


@dataclasses.dataclass
class Video:
    """One stream of a clip as it is stored: encoded images of one size.

    ``actor_visible`` [t] and ``actor_box`` [t 4] are the ground truth, if there is any;
    ``times`` int64 [t + 1], see `input_pipeline.clock`, if numbers do not tell them;
    ``levels``: the raw values that became 0 and 255, of pictures of more than 8 bits;
    two numbers, or two a frame.
    """

    frames: Sequence[Picture]
    height: int
    width: int
    actor_visible: np.ndarray | None = None
    actor_box: np.ndarray | None = None
    times: np.ndarray | None = None
    levels: tuple[float, ...] | None = None


@dataclasses.dataclass
class Skeleton:
    """Joint positions ``points`` [m t v 3] in metres, ``tracked`` bool [m t v]."""

    points: np.ndarray
    tracked: np.ndarray
    times: np.ndarray | None = None


@dataclasses.dataclass
class Record:
    """One clip as it is stored, with those streams that it has."""

    name: str
    label: int
    subject: int = UNKNOWN
    camera: int = UNKNOWN
    setup: int = UNKNOWN
    replication: int = UNKNOWN
    difficulty: int = 0
    streams: dict[str, Video | Skeleton] = dataclasses.field(default_factory=dict)

    def video(self, stream: str) -> Video | None:
        """Returns a stream of frames; None if the clip lacks it."""
        found = self.streams.get(stream)
        return found if isinstance(found, Video) else None

    def skeleton(self, stream: str) -> Skeleton | None:
        """Returns a stream of joints; None if the clip lacks it."""
        found = self.streams.get(stream)
        return found if isinstance(found, Skeleton) else None


def to_features(record: Record, names: Iterable[str] = ()) -> dict[str, Any]:
    """Flatten a record to feature name -> list of values, as `schema` has them.

    ``names``: the streams of its data set, beside those that the clip has.
    """
    features: dict[str, Any] = {NAME: [record.name.encode()]}
    for key in NUMBERS:
        features[key] = [getattr(record, key)]
    for stream in streams.written([*names, *record.streams]):
        if streams.STREAMS[stream].kind == "video":
            features |= _video_features(record, stream)
        else:
            features |= _skeleton_features(record, stream)
    return features


def _video_features(record: Record, stream: str) -> dict[str, Any]:
    video = record.video(stream) or Video([], 0, 0)
    count = len(video.frames)
    features: dict[str, Any] = {frames_key(stream): list(video.frames)}
    features[height_key(stream)] = [video.height]
    features[width_key(stream)] = [video.width]
    for key, truth, kind, width in (
        (visible_key(stream), video.actor_visible, np.int64, 1),
        (box_key(stream), video.actor_box, np.float32, 4),
    ):
        values = [] if truth is None else np.asarray(truth, kind).ravel().tolist()
        if values and len(values) != count * width:
            raise RecordError(
                f"Clip {record.name!r} has {len(values)} values of {key} for "
                f"{count} frames; expected {count * width}."
            )
        features[key] = values
    return features


def _skeleton_features(record: Record, stream: str) -> dict[str, Any]:
    skeleton = record.skeleton(stream)
    points, tracked = np.zeros(0, np.float32), np.zeros(0, np.int64)
    shape = [0, 0, 0]
    if skeleton is not None:
        shape = list(skeleton.points.shape[:3])
        points = skeleton.points.astype(np.float32).reshape(-1)
        tracked = skeleton.tracked.astype(np.int64).reshape(-1)
        if len(points) != 3 * len(tracked) or len(tracked) != np.prod(shape):
            raise RecordError(
                f"Clip {record.name!r} has skeleton points of shape "
                f"{skeleton.points.shape} and tracked flags of shape "
                f"{skeleton.tracked.shape}; expected [m t v 3] and [m t v]."
            )
    return {
        points_key(stream): points,
        shape_key(stream): shape,
        tracked_key(stream): tracked,
    }


def from_features(features: dict[str, Any]) -> Record:
    """Rebuild the record of which ``to_features`` made these values."""
    record = Record(name=bytes(features[NAME][0]).decode(), label=0)
    for key in NUMBERS:
        setattr(record, key, int(features[key][0]))
    for stream in streams.STORED:
        if features.get(frames_key(stream)):
            record.streams[stream] = _video(features, stream)
        elif any(features.get(shape_key(stream), ())):
            record.streams[stream] = _skeleton(features, stream)
        times = features.get(times_key(stream))
        if times and stream in record.streams:
            record.streams[stream].times = np.asarray(times, np.int64)
        levels, video = features.get(levels_key(stream)), record.video(stream)
        if levels and video is not None:
            video.levels = tuple(map(float, levels))
    return record


def _video(features: dict[str, Any], stream: str) -> Video:
    visible = np.asarray(features[visible_key(stream)], bool)
    box = np.asarray(features[box_key(stream)], np.float32).reshape(-1, 4)
    return Video(
        frames=[bytes(frame) for frame in features[frames_key(stream)]],
        height=int(features[height_key(stream)][0]),
        width=int(features[width_key(stream)][0]),
        actor_visible=visible if len(visible) else None,
        actor_box=box if len(box) else None,
    )


def _skeleton(features: dict[str, Any], stream: str) -> Skeleton:
    shape = tuple(int(size) for size in features[shape_key(stream)])
    return Skeleton(
        points=np.asarray(features[points_key(stream)], np.float32).reshape(*shape, 3),
        tracked=np.asarray(features[tracked_key(stream)], bool).reshape(shape),
    )


def encode(record: Record, names: Iterable[str] = ()) -> bytes:
    """Serialize a record as a ``tf.train.Example``; the same record, the same bytes.

    ``names``: the streams of its data set, beside those that the clip has.
    """
    return b"".join(map(bytes, pieces(record, names)))


def pieces(record: Record, names: Iterable[str] = ()) -> list[Picture]:
    """Serialize as `encode` does, in pieces: pictures are held once, or not at all."""
    features = to_features(record, names)
    kinds = schema([*names, *record.streams])
    values: dict[str, Any] = {
        key: (feature.kind, features[key]) for key, feature in kinds.items()
    }
    for stream, found in record.streams.items():
        if found.times is not None:
            values[times_key(stream)] = ("int64", found.times.tolist())
        if isinstance(found, Video) and found.levels is not None:
            values[levels_key(stream)] = ("float", [*found.levels])
    return tfrecord.example(values)


def decode(serialized: bytes, source: str = "record") -> Record:
    """Read a record back; raises RecordError naming ``source`` if it is not one."""
    message = _parse(serialized, source)
    expected = _check(message, source)
    try:
        return from_features(
            {
                key: getattr(
                    message.features.feature[key], f"{feature.kind}_list"
                ).value
                for key, feature in expected.items()
            }
        )
    except (ValueError, OverflowError, MemoryError) as error:
        raise RecordError(
            f"The record in {source} does not fit together ({error}). Prepare the data "
            "set again with `python -m input_pipeline.prepare`."
        ) from None


def parse_spec(keys: Iterable[str]) -> dict[str, Any]:
    """Describe the named features to ``tf.io.parse_single_example``.

    Single values come out as scalars, lists as dense vectors (empty if empty).
    """
    import tensorflow as tf

    kinds = {"bytes": tf.string, "int64": tf.int64, "float": tf.float32}
    known = schema(streams.STORED)
    known |= _optional(streams.STORED)
    spec = {}
    for key in keys:
        kind, size = kinds[known[key].kind], known[key].size
        if size is None:
            spec[key] = tf.io.FixedLenSequenceFeature([], kind, allow_missing=True)
        else:
            spec[key] = tf.io.FixedLenFeature([] if size == 1 else [size], kind)
    return spec


def _parse(serialized: bytes, source: str) -> Any:
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        return tf.train.Example.FromString(serialized)
    except DecodeError as error:
        raise RecordError(
            f"The record in {source} is no tf.train.Example ({error}). Prepare the "
            "data set again with `python -m input_pipeline.prepare`."
        ) from None


def _check(message: Any, source: str) -> dict[str, Feature]:
    """Returns the features of a record that has those of its streams, and no others."""
    found = {}
    for key, feature in message.features.feature.items():
        kind = (feature.WhichOneof("kind") or "empty").removesuffix("_list")
        values = getattr(feature, f"{kind}_list").value if kind != "empty" else []
        found[key] = Feature(kind, len(values))
    folders = {key.split("/")[0] for key in found if "/" in key}
    expected, wrong = schema(folders), []
    for key, feature in _optional(streams.written(folders)).items():
        if key in found:
            expected[key] = feature
    for key in sorted(expected.keys() | found.keys()):
        want, have = expected.get(key), found.get(key)
        fits = want and have and want.kind == have.kind
        if not fits or (want and want.size is not None and want.size != have.size):  # type: ignore[union-attr]
            wrong.append(f"{key}: expected {_say(want)}, found {_say(have)}")
    if wrong:
        raise RecordError(
            f"The record in {source} was not written by this version (format "
            f"{FORMAT}): {'; '.join(wrong)}. Prepare the data set again with `python "
            "-m input_pipeline.prepare`."
        )
    return expected


def _optional(names: Iterable[str]) -> dict[str, Feature]:
    return {
        key(stream): Feature(kind, None)
        for stream in names
        for key, kind in _OPTIONAL.items()
    }


def _say(feature: Feature | None) -> str:
    if feature is None:
        return "nothing"
    return f"{feature.kind} x {'any' if feature.size is None else feature.size}"
