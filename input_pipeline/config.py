"""What to read and how to sample it: the data part of an experiment.

No TensorFlow here: configs are loaded on machines that have none.
"""

import dataclasses
import difflib
import functools
import typing
from typing import Any, Literal


class DataConfigError(ValueError):
    """A value of the data config that cannot be used; the message says how to mend."""


class _Strict:
    """Only fields can be set, and choices (``Literal``) only to one of their values."""

    def __setattr__(self, name: str, value: Any) -> None:
        fields = [field.name for field in dataclasses.fields(self)]  # type: ignore[arg-type]
        if name not in fields:
            close = difflib.get_close_matches(name, fields, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise AttributeError(
                f"{type(self).__name__} has no field {name!r}.{hint} "
                f"Its fields are: {', '.join(fields)}."
            )
        kind = _annotations(type(self))[name]  # type: ignore[arg-type]
        choices = typing.get_args(kind)
        if typing.get_origin(kind) is Literal and value not in choices:
            raise DataConfigError(
                f"data.{name} is {value!r}; choose one of "
                f"{', '.join(choice or repr('') for choice in choices)}."
            )
        object.__setattr__(self, name, value)


@functools.cache
def _annotations(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _free(default: Any) -> Any:
    """A field that may change when a run is continued: no training batch changes."""
    return dataclasses.field(default=default, metadata={"may_differ": "runs"})


def _local(default: Any) -> Any:
    """A field that is each machine's own: no batch depends on it."""
    return dataclasses.field(default=default, metadata={"may_differ": "processes"})


@dataclasses.dataclass
class DataConfig(_Strict):
    """One prepared data set, one protocol of it, and the sampling of its clips.

    Which streams are read, how many frames each has and how large the images are is
    not said here: the model's ``inputs()`` says it, and the pipeline is told.
    """

    # Name of the prepared data set, as given to `python -m input_pipeline.prepare`.
    name: str = "synthetic"
    # Folder that holds prepared data sets: <dir>/<name>/<version>/dataset.json.
    dir: str = _local("data")
    # Version folder; "": the newest complete one.
    version: str = _free("")  # a run is compared by the version that was found
    # Which official split is used, for example "xsub"; "": the data set's default.
    protocol: str = ""
    # Where the protocol has no validation clips: these training subjects, or this share
    # of them, always the same, become the split "val" (clips, where no subjects are
    # known). The test split never changes; 0 and (): none are held out.
    val_subjects: tuple[int, ...] = ()
    val_share: float = 0.0
    # Cross-validation, in place of the protocol's splits: test is one of num_folds
    # parts of its clips, train all others. No person (recording, day) is on both sides;
    # 0: a fold a person. Folds are counted from 1. See crossvalidate.py.
    folds: Literal["", "person", "recording", "day", "clip"] = ""
    num_folds: int = 0
    fold: int = 1
    # Use only the first n clips of each split (0: all), to try something small.
    limit: int = 0

    # Training: how far classes are drawn alike: one of n clips comes in proportion to
    # n ** (1 - balance). 0: every clip once an epoch; 1: every class equally often, its
    # clips in turn. An epoch is as long as ever.
    balance: float = 0.0
    # Training: a clip comes so often in a batch, each time augmented otherwise
    # (repeated augmentation); epochs are as long as ever, of fewer clips.
    repeats: int = 1

    # Training: the short side is resized to a random length between these two (both
    # included), then a crop of the model's image size is taken at a random place. A
    # model of another image size than 224 wants other lengths, in proportion.
    resize_min: int = 260
    resize_max: int = 320
    # "random": as above. "corners": a crop at one of TSN's thirteen places, its height
    # and its width each one of crop_scales times the frame's short side and at most
    # crop_distort steps of that list apart, resized to the model's image size.
    crop: Literal["random", "corners"] = "random"
    crop_scales: tuple[float, ...] = (1.0, 0.875, 0.75, 0.66)
    crop_distort: int = 1
    # Evaluation: length of the short side before the centre crop.
    test_resize: int = _free(256)
    # Training: probability of a horizontal flip.
    flip: float = 0.5
    # Training, RandAugment: so many operations one after another, of magnitude 0 to 10,
    # the same in all frames of a clip; what moves pixels also in all its videos. Joints
    # are not moved with them, as they are not by crops.
    rand_ops: int = 0
    rand_magnitude: float = 7.0
    # Training: probability with which a rectangle is erased, the same in all frames and
    # videos.
    erase: float = 0.0
    # Training: frames are turned by 0 to 3 quarters, each as likely: of sensors that
    # look down, to which nothing is upright.
    quarter_turns: bool = False

    # Frames that are cut into the model's segments: a window at a random place in
    # training, at the centre in evaluation (with several views in time, spread from
    # start to end); 0: the whole clip, as is a clip that is shorter. At uneven rates it
    # is the time that so many frames take on average; of several streams with
    # shared_time, frames of the one that has most, and the same time in all.
    window: int = 0

    # Models that read skeletons see a part of the clip: in training a random part of
    # at least this fraction of its length, in evaluation the centre of this length;
    # joints are then interpolated to the model's frames. With shared_time the videos
    # of the clip show the same part. Models without skeletons see the whole clip.
    skeleton_crop_min: float = 0.5
    test_skeleton_crop: float = 0.9
    # Training: skeletons are turned about the vertical by a random angle of at most so
    # many degrees, either way, as if the camera stood elsewhere. Videos are not: beside
    # them a large angle parts what belongs together.
    skeleton_turn: float = 0.0

    # Whether the streams of a clip draw their frames' times, their crop (as a
    # proportion: the sensors are not registered) and their flip together.
    shared_time: bool = True
    shared_crop: bool = True
    shared_flip: bool = True
    # Whether the videos of a clip are cut to what all their sensors see before any
    # crop: one camera often sees more, and a shared crop then shows two places. Of data
    # sets that know their lenses (prepared with skeletons that tell pixels).
    common_view: bool = False
    # Whether crops hold the clip's bodies, of training and of evaluation: one that is
    # too small is enlarged (squeezed, where the frame has no such square), and it lies
    # where all joints of the clip are in it, and a little more. Of data sets that know
    # their lenses; clips without a skeleton are cropped as ever.
    hold_bodies: bool = False

    # Whether clips may lack some of a model's streams: such a stream is zeros, and the
    # batch's ``present`` says False of it. Otherwise they are refused.
    allow_missing: bool = False
    # Training: probability with which each stream of a clip is left out in the same
    # way, but never all of them (modality dropout).
    stream_dropout: float = 0.0

    # Whether training batches carry the ground truth as evaluation batches do: who is
    # seen in which frame, where, and the clip's difficulties.
    truth: bool = False
    # Likewise where the joints are seen in the videos, of data sets that know their
    # lenses: for a model that reads it.
    joints_seen: bool = False

    # Evaluation views: frame offsets inside the segments, times crops along the long
    # side (1: the centre; 3: both ends and the centre). Scores are averaged over them.
    eval_views_time: int = _free(1)
    eval_views_space: int = _free(1)
    # Each of these views is also looked at mirrored.
    eval_flip: bool = _free(False)
    # So many of a clip's views are read and evaluated together, then the next ones: a
    # batch of 30 views would not fit into memory. It must divide their number; 0: all.
    eval_views_at_once: int = _free(0)

    # Serialized records are kept in memory if all that are read fit in this many MiB
    # (0: never, always read them from disk).
    cache_mb: int = _local(256)
    # Threads that read, decode and augment; 0: one a core.
    workers: int = _local(0)
    # Batches made ready ahead of the step that uses them.
    prefetch: int = _local(2)

    @property
    def eval_views(self) -> int:
        """How many views of a clip are evaluated."""
        return self.eval_views_time * self.eval_views_space * (1 + self.eval_flip)
