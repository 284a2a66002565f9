"""A person's own clip goes the very way of the clips of a data set."""

from pathlib import Path

import av
import jax
import numpy as np
import pytest

from input_pipeline import encode
from input_pipeline.config import DataConfigError
from input_pipeline.formats.video import VideoOptions
from input_pipeline.own_clip import Facts, read_clip
from input_pipeline.pipeline import eval_batches
from input_pipeline.recordings import Clock, Part
from tests.input_pipeline import tiny

INPUTS = {
    "rgb": jax.ShapeDtypeStruct((5, 17, 19, 3), np.uint8),
    "ir": jax.ShapeDtypeStruct((5, 17, 19, 1), np.uint8),
}


def write_video(path: Path, frames: int, height: int, width: int) -> Path:
    """Writes a square that moves over a slope, without loss."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.height, stream.width, stream.pix_fmt = height, width, "bgr0"
        for i in range(frames):
            image = np.zeros((height, width, 3), np.uint8)
            image[...] = np.linspace(0, 200, width, dtype=np.uint8)[:, None]
            image[8:16, 2 * i : 2 * i + 8] = (250, 20 * i, 30)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        container.mux(stream.encode())
    return path


@pytest.fixture
def paths(tmp_path):
    return {
        "rgb": write_video(tmp_path / "a.mkv", 12, 46, 64),
        "ir": write_video(tmp_path / "b.mkv", 9, 34, 40),
    }


def test_what_is_odd_about_a_clip_is_said(tmp_path, paths, capsys):
    tiny.write(tmp_path, [tiny.clip(0)], test=1)
    read_clip(paths, tiny.config(tmp_path), INPUTS, short_side=28)
    said = capsys.readouterr().out
    assert "Warning: streams of different durations: rgb 0.00 to 1.20 s" in said
    assert "they are sampled over the 0.90 s that they share." in said


def test_a_stream_may_be_missing_where_the_config_allows_it(tmp_path, paths):
    config = tiny.config(tmp_path, allow_missing=True)
    found = read_clip({"ir": paths["ir"]}, config, INPUTS, short_side=28)
    assert found["present"].tolist() == [False, True]
    assert found["rgb"].shape == (5, 17, 19, 3) and not found["rgb"].any()
    alone = read_clip({"ir": paths["ir"]}, config, {"ir": INPUTS["ir"]}, 28)
    assert alone.keys() == {"ir"}
    np.testing.assert_array_equal(found["ir"], alone["ir"])


@pytest.mark.parametrize("views", [(1, 1), (2, 3)])
def test_own_clip_equals_the_same_clip_in_a_data_set(tmp_path, paths, views):
    video = VideoOptions(short_side=28, min_frames=1)
    options = encode.EncodeOptions(("rgb", "ir"), video)
    record = encode.encode_clip(encode.Clip("x", 0, paths, {}), options)
    tiny.write(tmp_path, [tiny.clip(0), record], test=1)
    data = tiny.config(tmp_path, eval_views_time=views[0], eval_views_space=views[1])
    (batch,) = eval_batches(data, INPUTS, "test", batch_size=1)
    own = read_clip(paths, data, INPUTS, short_side=28)
    assert list(own) == ["rgb", "ir"]
    for stream, spec in INPUTS.items():
        shape = (6, *spec.shape) if views != (1, 1) else spec.shape
        assert own[stream].shape == shape
        np.testing.assert_array_equal(own[stream], batch[stream][0])
        assert own[stream].std() > 10  # a picture, not a plain


def test_a_file_that_cannot_be_used_is_named(tmp_path, paths):
    paths["ir"] = tmp_path / "gone.avi"
    with pytest.raises(encode.ClipError, match=r"ir file .*gone\.avi: missing"):
        read_clip(paths, tiny.config(tmp_path), INPUTS)


def test_what_is_odd_about_a_file_is_said(tmp_path, capsys):
    points = np.random.default_rng(0).uniform(0.01, 1, (12, 17, 3))
    np.save(tmp_path / "a.npy", points)
    inputs = {"skeleton": jax.ShapeDtypeStruct((2, 5, 17, 3), np.float32)}
    data = tiny.config(tmp_path, flip=0.0)
    assert read_clip({"skeleton": tmp_path / "a.npy"}, data, inputs)
    said = capsys.readouterr().out
    assert said.startswith("Warning: z looks like a score: ")


def test_a_part_of_recordings_is_the_clip_that_was_cut_out(tmp_path, paths):
    data = tiny.config(tmp_path)
    # Frames 3 to 8 of rgb, 1 to 6 of ir, which began 0.2 s later.
    part = "start=0.3,end=0.8,ir_offset=0.2"
    found = read_clip(paths, data, INPUTS, 28, part=part)
    clip = encode.Clip("x", 0, paths, {}, part=Part(0.3, 0.8, {"ir": Clock(0.2)}))
    options = encode.EncodeOptions(("rgb", "ir"), VideoOptions(28, min_frames=1))
    record = encode.encode_clip(clip, options)
    assert [len(record.video(s).frames) for s in ("rgb", "ir")] == [5, 5]
    tiny.write(tmp_path, [tiny.clip(0), record], test=1)
    (batch,) = eval_batches(data, INPUTS, "test", batch_size=1)
    for stream in INPUTS:
        np.testing.assert_array_equal(found[stream], batch[stream][0])
    whole = read_clip(paths, data, INPUTS, 28)
    assert (found["rgb"] != whole["rgb"]).any()
    for wrong, match in (
        ("begin=3", "says begin; expected are, once each, start, end, start_"),
        ("start=1,start=2", "says start; expected are, once each"),
        ("start", "'start' says start; expected are"),
        ("start=3,end=2", "'start=3,end=2': the part from 3 to 2"),
        ("depth_offset=1", "the column depth_offset is of a stream"),
    ):
        with pytest.raises(DataConfigError, match=match):
            read_clip(paths, data, INPUTS, 28, part=wrong)


def test_a_model_that_knows_its_classes_asks_nobody_to_prepare_a_set(tmp_path, capsys):
    labels = ("wave", "clap")
    facts = Facts.of(tiny.config(tmp_path), 2, labels)
    assert facts.classes == labels
    said = capsys.readouterr().out
    assert said.startswith("Frames made 256 pixels short, as `prepare` does")
    assert "is not here. All else is in the model." in said and "Run:" not in said
    assert len(said.splitlines()) == 1
    assert Facts.of(tiny.config(tmp_path), 2).classes == ["class 0", "class 1"]
    assert "Class names unknown, frames made 256" in capsys.readouterr().out
