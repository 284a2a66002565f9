"""What goes into a model: normalisation on the device, and batches made in memory."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from jaxact.out import ACTOR_BOX, ACTOR_VISIBLE

# Streams and labels by name; docs/design.md has the list.
Batch = Mapping[str, Any]

# The fraction of the training that is done, float32 []: what the train step adds to a
# batch, for models and losses that change over the training.
PROGRESS = "progress"
# Which of the model's streams a clip really has, bool [b s] in their order. A batch
# without it has all of them.
PRESENT = "present"
# What the train step adds where labels are softened or clips are mixed: how much of an
# example is of each class, float32 [b y], and where classes have weights, [b]. Losses
# take the one for the label; the others are multiplied by the other.
TARGET, WEIGHT = "target", "weight"


@dataclasses.dataclass(frozen=True)
class Stream:
    """What a stream is in a batch: frames ``[b t h w c]`` or joints ``[b m t v c]``."""

    kind: Literal["video", "joints"]
    channels: int
    dtype: str


class Facts(Protocol):
    """What is known of a data set and of the protocol in use besides the batches.

    Attributes:
      name, version, protocol: which they are; ``protocol`` is never "".
      title: what reports call the data set; two that hold other clips differ in it.
      classes: their names by label [y].
      num_clips: of each split of the protocol.
      names: str [N], of all clips of the data set by id.
      difficulties: their names by bit of a batch's ``difficulty``.
      bones: pairs of joints; none where they are not known.
      digest: of what the clips were prepared from, and how.
      class_counts: training clips by label [y].
      folds: how many there are, of which ``protocol`` says the one in use; 0: none.
      doubts: what will not hold of the splits, a sentence each.
      values: by stream of pictures of more than 8 bits, which raw values became 0 and
        255: "fixed:20:40" and the like.
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def protocol(self) -> str: ...
    @property
    def classes(self) -> Sequence[str]: ...
    @property
    def num_clips(self) -> Mapping[str, int]: ...
    @property
    def names(self) -> np.ndarray: ...
    @property
    def difficulties(self) -> Sequence[str]: ...
    @property
    def bones(self) -> Sequence[tuple[int, int]]: ...
    @property
    def digest(self) -> str: ...
    @property
    def class_counts(self) -> Sequence[int]: ...
    @property
    def folds(self) -> int: ...
    @property
    def doubts(self) -> Sequence[str]: ...
    @property
    def values(self) -> Mapping[str, str]: ...


class Data(Protocol):
    """What a script needs of a pipeline: `input_pipeline.pipeline` is one.

    ``data`` is an experiment's ``data``, which this library never reads, ``inputs`` the
    model's streams by name, of which shape and dtype count. Host ``host`` of ``hosts``
    gets its part of every global batch of ``batch_size``.
    """

    def dataset_facts(self, data: Any, /) -> Facts:
        """Returns the facts of the data set that ``data`` names."""

    def train_batches(
        self,
        data: Any,
        inputs: Mapping[str, Any],
        batch_size: int,
        seed: int,
        start_step: int,
        /,
        *,
        host: int,
        hosts: int,
    ) -> Iterator[Batch]:
        """Returns training batches without end, a pure function of their number."""

    def eval_batches(
        self,
        data: Any,
        inputs: Mapping[str, Any],
        split: str,
        batch_size: int,
        /,
        *,
        host: int,
        hosts: int,
    ) -> Iterator[Batch]:
        """Returns each clip of a split exactly once, padded to whole batches."""


# What the pipeline's own table, `input_pipeline.streams`, says too: a test holds the
# two equal. docs/design.md says what they show.
STREAMS = {
    "rgb": Stream("video", 3, "uint8"),
    "ir": Stream("video", 1, "uint8"),
    "rgb_diff": Stream("video", 15, "int16"),
    "depth": Stream("video", 1, "uint16"),
    "skeleton": Stream("joints", 3, "float32"),
}
# Metres between which depth is told apart: what Kinect v2 measures.
NEAREST, FARTHEST = 0.5, 8.0
# Intensities of the images on which most public networks were trained.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def check_streams(streams: tuple[str, ...], known: tuple[str, ...]) -> None:
    """Refuses streams that a model cannot have.

    Raises:
      ValueError: there is none, one is not known, or stands there twice.
    """
    if not streams or set(streams) - set(known) or len(set(streams)) < len(streams):
        raise ValueError(
            f"Got streams {streams}; expected one or more of {known}, each of them "
            "once."
        )


def normalize_video(
    video: jax.Array,
    mean: Sequence[float],
    std: Sequence[float],
    dtype: DTypeLike = jnp.float32,
) -> jax.Array:
    """Turns uint8 ``[... c]`` into ``(x / 255 - mean) / std``.

    Video travels to the device as uint8, a quarter of the bytes of float32.

    Args:
      video: uint8, 0 to 255.
      mean, std: one value a channel, or one for all, of intensities in [0, 1].
      dtype: of the result.
    """
    if video.dtype != jnp.uint8:
        raise TypeError(f"Got video of {video.dtype}; expected uint8, 0 to 255.")
    scale = np.asarray(1.0 / (255.0 * np.asarray(std)), np.float32)
    shift = np.asarray(np.asarray(mean) / np.asarray(std), np.float32)
    # One multiply-add, broadcast over all but the channels.
    shape = (1,) * (video.ndim - 1) + (-1,)
    x = video.astype(jnp.float32) * scale.reshape(shape) - shift.reshape(shape)
    return x.astype(dtype)


def normalize_differences(
    video: jax.Array, std: Sequence[float], dtype: DTypeLike = jnp.float32
) -> jax.Array:
    """Turns int16 differences ``[... k*c]`` of uint8 frames into ``x / (255 std)``.

    Args:
      video: -255 to 255; the channels of the first difference come first.
      std: as of the frames, one value a channel or one for all: a difference of
        normalised frames is this, whatever their mean.
      dtype: of the result.
    """
    if video.dtype != jnp.int16:
        raise TypeError(f"Got differences of {video.dtype}; expected int16.")
    scale = np.asarray(1.0 / (255.0 * np.asarray(std)), np.float32)
    scale = np.resize(scale, video.shape[-1])
    shape = (1,) * (video.ndim - 1) + (-1,)
    return (video.astype(jnp.float32) * scale.reshape(shape)).astype(dtype)


def normalize_depth(
    video: jax.Array,
    mean: Sequence[float],
    std: Sequence[float],
    dtype: DTypeLike = jnp.float32,
) -> jax.Array:
    """Turns uint16 millimetres ``[... 1]`` into ``(nearness - mean) / std``.

    Nearness is 1 at `NEAREST` metres and closer, 0 at `FARTHEST` and beyond, straight
    between them; where nothing was measured (0) it is 0 too, as of what is far away.

    Args:
      video: millimetres; 0: not measured.
      mean, std: of nearness, as of an image's intensities in [0, 1].
      dtype: of the result.
    """
    if video.dtype != jnp.uint16:
        raise TypeError(f"Got depth of {video.dtype}; expected uint16, millimetres.")
    metres = video.astype(jnp.float32) / 1000
    nearness = jnp.clip((FARTHEST - metres) / (FARTHEST - NEAREST), 0.0, 1.0)
    nearness = jnp.where(video > 0, nearness, 0.0)
    shape = (1,) * (video.ndim - 1) + (-1,)
    shift, scale = (np.asarray(x, np.float32).reshape(shape) for x in (mean, std))
    return ((nearness - shift) / scale).astype(dtype)


def example_batch(experiment: Any, batch_size: int, seed: int = 0) -> dict[str, Any]:
    """Returns a random batch with the keys, shapes and dtypes the model expects.

    Args:
      experiment: a `jaxact.config.Experiment`.
      batch_size: number of examples.
      seed: of the random values.
    """
    random = np.random.default_rng(seed)
    batch: dict[str, Any] = {}
    for name, spec in experiment.model.inputs().items():
        shape = (batch_size, *spec.shape)
        if spec.dtype == np.uint8:
            batch[name] = random.integers(0, 256, shape, np.uint8)
        elif spec.dtype == np.int16:  # differences of such
            batch[name] = random.integers(-255, 256, shape, np.int16)
        elif spec.dtype == np.uint16:  # millimetres
            batch[name] = random.integers(0, 9000, shape, np.uint16)
        else:
            batch[name] = random.normal(size=shape).astype(spec.dtype)
    frames = sum(v.shape[1] for n, v in batch.items() if STREAMS[n].kind == "video")
    for name in experiment.model.reads():
        if name == ACTOR_VISIBLE:
            batch[name] = random.random((batch_size, frames)) < 0.5
        elif name == ACTOR_BOX:
            corners = np.sort(random.random((batch_size, frames, 2, 2)), axis=2)
            batch[name] = corners.reshape(batch_size, frames, 4).astype(np.float32)
        else:  # JOINTS_SEEN
            persons, _, joints = batch["skeleton"].shape[1:4]
            shape = (batch_size, frames, persons, joints, 2)
            batch[name] = random.random(shape, np.float32)
    classes = experiment.model.num_classes
    batch["label"] = random.integers(0, classes, batch_size).astype(np.int32)
    batch["mask"] = np.ones(batch_size, bool)
    # Row numbers; int32 on devices unless jax_enable_x64 is set.
    batch["id"] = np.arange(batch_size, dtype=np.int64)
    return batch
