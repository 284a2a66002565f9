"""Whether a data set has what a model asks for: refused before anything is read."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from input_pipeline import joints
from input_pipeline.config import DataConfig, DataConfigError
from input_pipeline.dataset import DatasetError, PreparedDataset
from input_pipeline.index import frames_column
from input_pipeline.streams import STREAMS, of_kind, source


def check_inputs(
    dataset: PreparedDataset, data: DataConfig, inputs: Mapping[str, Any]
) -> None:
    """Refuses a model that asks for what is not there, before anything is read.

    Args:
      dataset: what there is.
      data: how it is to be sampled.
      inputs: the shape and dtype of each stream of one example, as the model wants it.

    Raises:
      DatasetError: the data set lacks a stream, or has it in another form.
      DataConfigError: crops do not fit into the resized frames.
    """
    if data.stream_dropout and len(inputs) < 2:
        raise DataConfigError(
            f"data.stream_dropout is {data.stream_dropout}, but the model reads "
            f"{', '.join(inputs)} alone: there is no other stream to go on with. Set "
            "it to 0."
        )
    if data.quarter_turns:
        _check_turns(data, inputs)
    for stream, spec in inputs.items():
        stored = source(stream)
        if stored not in dataset.streams or stream not in STREAMS:
            made = f", which is made from {stored!r}" if stored != stream else ""
            raise DatasetError(
                f"The model reads the stream {stream!r}{made}, but the data set "
                f"{dataset.name!r} in {dataset.folder} holds only "
                f"{', '.join(dataset.streams)}. Prepare it again with this stream "
                "(python -m input_pipeline.prepare ... --streams), or choose a model "
                "without it."
            )
        shape, dtype = tuple(spec.shape), np.dtype(spec.dtype)
        about = STREAMS[stream]
        fits = len(shape) == 4 and shape[3] == about.channels and dtype == about.dtype
        want, cure = "(frames, height, width", "Change the model's inputs()."
        if about.kind == "joints":
            joints = dataset.streams[stored].get("joints", shape[-2])
            fits = fits and shape[2] == joints
            want = f"(persons, frames, {joints}"
            cure = (
                f"Set the joints of the model's network of skeletons to {joints} "
                f"(model.joints, or model.own.{stream}.joints), and its origin beside "
                "them to a joint or two in the middle of the body, counted from 0."
            )
        if not fits:
            raise DatasetError(
                f"The model wants the stream {stream!r} as {dtype} {shape}; the data "
                f"set {dataset.name!r} gives {about.dtype} {want}, {about.channels}). "
                f"{cure}"
            )
        if about.kind == "video":
            _check_crop(data, stream, shape[1:3])
        elif data.window:
            raise DataConfigError(
                f"data.window is {data.window}, but the model reads skeletons, which "
                "are cut by data.skeleton_crop_min. Set data.window to 0."
            )


def _check_turns(data: DataConfig, inputs: Mapping[str, Any]) -> None:
    for stream, spec in inputs.items():
        shape = tuple(spec.shape)
        if stream in of_kind("joints", inputs) or shape[1] != shape[2] or data.truth:
            what = "training batches carry the ground truth (data.truth)"
            if not data.truth:
                what = f"the model reads the stream {stream!r} as {shape}"
            raise DataConfigError(
                "data.quarter_turns turns square frames and nothing else, but "
                f"{what}. Set it to False."
            )


def _check_crop(data: DataConfig, stream: str, size: tuple[int, int]) -> None:
    fields = (
        ("test_resize",) if data.crop == "corners" else ("resize_min", "test_resize")
    )
    for field in fields:
        if getattr(data, field) < max(size):
            raise DataConfigError(
                f"data.{field} is {getattr(data, field)}, but the model's crop of the "
                f"stream {stream!r} is {size[0]} x {size[1]}: frames are resized to "
                "that short side before the crop, so it must be at least as long."
            )


def mirror_of(
    dataset: PreparedDataset, data: DataConfig, field: str = "flip"
) -> tuple[int, ...] | None:
    """The joint that each joint of a flipped skeleton is; None if none is flipped.

    ``field``: of the config, that asks for it.

    Raises:
      DataConfigError: skeletons are to be flipped, but their layout is not known.
    """
    if not getattr(data, field):
        return None
    facts = dataset.skeleton
    layout = joints.of_stream(facts)
    if layout is None:
        value = getattr(data, field)
        raise DataConfigError(
            f"data.{field} is {value}, but which of the {facts.get('joints')} joints "
            f"of {dataset.name!r} are left and which right is not known. Set "
            f"data.{field} to {type(value)(0)}, or prepare the data set again with "
            "--layout."
        )
    return layout.mirror


def check_rows(
    dataset: PreparedDataset,
    rows: np.ndarray,
    inputs: Mapping[str, Any],
    data: DataConfig,
) -> None:
    """Raises DatasetError if clips of a split lack a stream that is read, or all."""
    lacking = {stream: lacks(dataset, rows, stream) for stream in inputs}
    if data.allow_missing:
        lacking = {"of these": np.logical_and.reduce(list(lacking.values()))}
    for stream, gaps in lacking.items():
        if gaps.any():
            what = f"stream {stream!r}, which the model reads"
            cure = "Leave them out of the split and prepare the data set again, or "
            if data.allow_missing:
                what = f"stream at all of {', '.join(inputs)}, which the model reads"
                cure += "choose a model of other streams."
            elif len(inputs) > 1:
                cure += (
                    "choose a model without this stream, or add "
                    "--config.data.allow_missing=True: the stream is then zeros in "
                    "these clips."
                )
            else:
                cure += "choose a model without this stream."
            raise DatasetError(
                f"{gaps.sum()} of {len(rows)} clips of the split have no {what}, the "
                f"first of them {str(dataset.names[rows[gaps][0]])!r}. {cure}"
            )


def lacks(dataset: PreparedDataset, rows: np.ndarray, stream: str) -> np.ndarray:
    """Which clips have no frame of a stream, by the index; none if it cannot tell."""
    frames = dataset.index.get(frames_column(source(stream)))
    return np.zeros(len(rows), bool) if frames is None else frames[rows] == 0
