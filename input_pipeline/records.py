"""What one record holds: the names, the kinds, and the way to bytes and back.

The writer and every reader take the feature names from here. A record is a
``tf.train.Example``; TensorFlow is imported inside the functions that read, so that
names can be had and records be written without it.
"""

import dataclasses
from typing import Any

import numpy as np

from input_pipeline import tfrecord

# Version of the record layout; raised when records of before can no longer be read.
FORMAT = 1

# Streams that hold video, in the order in which they are written.
VIDEO_STREAMS = ("rgb", "ir")
STREAMS = (*VIDEO_STREAMS, "skeleton")
# Channels of a stored image.
CHANNELS = {"rgb": 3, "ir": 1}
# Value of a number that the raw data does not tell.
UNKNOWN = -1

NAME = "name"
LABEL = "label"
SUBJECT = "subject"
CAMERA = "camera"
SETUP = "setup"
REPLICATION = "replication"
DIFFICULTY = "difficulty"  # bit i: difficulty i of dataset.json's list
POINTS = "skeleton/points"  # metres, [m t v 3] flattened
SHAPE = "skeleton/shape"  # m, t, v; zeros if there is no skeleton
TRACKED = "skeleton/tracked"  # 1 where the sensor saw the joint, [m t v] flattened


def frames_key(stream: str) -> str:
    """JPEG images of a video stream, one a frame; empty if the clip has none."""
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


@dataclasses.dataclass(frozen=True)
class Feature:
    """Kind of values ("bytes", "int64" or "float") and how many (None: any number)."""

    kind: str
    size: int | None


def _schema() -> dict[str, Feature]:
    one, many = Feature("int64", 1), Feature("int64", None)
    schema = {NAME: Feature("bytes", 1)}
    for key in (LABEL, SUBJECT, CAMERA, SETUP, REPLICATION, DIFFICULTY):
        schema[key] = one
    for stream in VIDEO_STREAMS:
        schema[frames_key(stream)] = Feature("bytes", None)
        schema[height_key(stream)] = one
        schema[width_key(stream)] = one
        schema[visible_key(stream)] = many
        schema[box_key(stream)] = Feature("float", None)
    schema[POINTS] = Feature("float", None)
    schema[SHAPE] = Feature("int64", 3)
    schema[TRACKED] = many
    return schema


# Every feature of every record: there are no others, and none may be missing.
SCHEMA: dict[str, Feature] = _schema()


class RecordError(ValueError):
    """A record whose features are not those that this version reads and writes."""


@dataclasses.dataclass
class Video:
    """One stream of a clip as it is stored: JPEG images of one size.

    ``actor_visible`` [t] and ``actor_box`` [t 4] are the ground truth, if there is any.
    """

    frames: list[bytes]
    height: int
    width: int
    actor_visible: np.ndarray | None = None
    actor_box: np.ndarray | None = None


@dataclasses.dataclass
class Skeleton:
    """Joint positions ``points`` [m t v 3] in metres, ``tracked`` bool [m t v]."""

    points: np.ndarray
    tracked: np.ndarray


@dataclasses.dataclass
class Record:
    """One clip as it is stored. A stream that the clip lacks is None."""

    name: str
    label: int
    subject: int = UNKNOWN
    camera: int = UNKNOWN
    setup: int = UNKNOWN
    replication: int = UNKNOWN
    difficulty: int = 0
    rgb: Video | None = None
    ir: Video | None = None
    skeleton: Skeleton | None = None


def to_features(record: Record) -> dict[str, Any]:
    """Flatten a record to feature name -> list of values, as SCHEMA has them."""
    features: dict[str, Any] = {NAME: [record.name.encode()]}
    for key in (LABEL, SUBJECT, CAMERA, SETUP, REPLICATION, DIFFICULTY):
        features[key] = [getattr(record, key)]
    for stream in VIDEO_STREAMS:
        video = getattr(record, stream) or Video([], 0, 0)
        count = len(video.frames)
        features[frames_key(stream)] = list(video.frames)
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
    points, tracked = np.zeros(0, np.float32), np.zeros(0, np.int64)
    shape = [0, 0, 0]
    if record.skeleton is not None:
        shape = list(record.skeleton.points.shape[:3])
        points = record.skeleton.points.astype(np.float32).reshape(-1)
        tracked = record.skeleton.tracked.astype(np.int64).reshape(-1)
        if len(points) != 3 * len(tracked) or len(tracked) != np.prod(shape):
            raise RecordError(
                f"Clip {record.name!r} has skeleton points of shape "
                f"{record.skeleton.points.shape} and tracked flags of shape "
                f"{record.skeleton.tracked.shape}; expected [m t v 3] and [m t v]."
            )
    features |= {POINTS: points, SHAPE: shape, TRACKED: tracked}
    return features


def from_features(features: dict[str, Any]) -> Record:
    """Rebuild the record of which ``to_features`` made these values."""
    record = Record(name=bytes(features[NAME][0]).decode(), label=0)
    for key in (LABEL, SUBJECT, CAMERA, SETUP, REPLICATION, DIFFICULTY):
        setattr(record, key, int(features[key][0]))
    for stream in VIDEO_STREAMS:
        frames = [bytes(frame) for frame in features[frames_key(stream)]]
        if not frames:
            continue
        visible = np.asarray(features[visible_key(stream)], bool)
        box = np.asarray(features[box_key(stream)], np.float32).reshape(-1, 4)
        video = Video(
            frames=frames,
            height=int(features[height_key(stream)][0]),
            width=int(features[width_key(stream)][0]),
            actor_visible=visible if len(visible) else None,
            actor_box=box if len(box) else None,
        )
        setattr(record, stream, video)
    shape = tuple(int(size) for size in features[SHAPE])
    if any(shape):
        record.skeleton = Skeleton(
            points=np.asarray(features[POINTS], np.float32).reshape(*shape, 3),
            tracked=np.asarray(features[TRACKED], bool).reshape(shape),
        )
    return record


def encode(record: Record) -> bytes:
    """Serialize a record as a ``tf.train.Example``; the same record, the same bytes."""
    features = to_features(record)
    return tfrecord.encode_example(
        {key: (feature.kind, features[key]) for key, feature in SCHEMA.items()}
    )


def decode(serialized: bytes, source: str = "record") -> Record:
    """Read a record back; raises RecordError naming ``source`` if it is not one."""
    message = _parse(serialized, source)
    _check(message, source)
    try:
        return from_features(
            {
                key: getattr(
                    message.features.feature[key], f"{feature.kind}_list"
                ).value
                for key, feature in SCHEMA.items()
            }
        )
    except (ValueError, OverflowError, MemoryError) as error:
        raise RecordError(
            f"The record in {source} does not fit together ({error}). Prepare the data "
            "set again with `python -m input_pipeline.prepare`."
        ) from None


def check_schema(serialized: bytes, source: str = "record") -> None:
    """Raise RecordError, with expected and found features, if the record differs."""
    _check(_parse(serialized, source), source)


def parse_spec(keys: tuple[str, ...] = tuple(SCHEMA)) -> dict[str, Any]:
    """Describe features to ``tf.io.parse_single_example`` (all, or the named ones).

    Single values come out as scalars, lists as dense vectors (empty if empty).
    """
    import tensorflow as tf

    kinds = {"bytes": tf.string, "int64": tf.int64, "float": tf.float32}
    spec = {}
    for key in keys:
        kind, size = kinds[SCHEMA[key].kind], SCHEMA[key].size
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


def _check(message: Any, source: str) -> None:
    found = {}
    for key, feature in message.features.feature.items():
        kind = (feature.WhichOneof("kind") or "empty").removesuffix("_list")
        values = getattr(feature, f"{kind}_list").value if kind != "empty" else []
        found[key] = Feature(kind, len(values))
    wrong = []
    for key in sorted(SCHEMA.keys() | found.keys()):
        want, have = SCHEMA.get(key), found.get(key)
        fits = want and have and want.kind == have.kind
        if not fits or (want and want.size is not None and want.size != have.size):  # type: ignore[union-attr]
            wrong.append(f"{key}: expected {_say(want)}, found {_say(have)}")
    if wrong:
        raise RecordError(
            f"The record in {source} was not written by this version (format "
            f"{FORMAT}): {'; '.join(wrong)}. Prepare the data set again with `python "
            "-m input_pipeline.prepare`."
        )


def _say(feature: Feature | None) -> str:
    if feature is None:
        return "nothing"
    return f"{feature.kind} x {'any' if feature.size is None else feature.size}"
