import dataclasses
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from input_pipeline import pipeline, streams
from jaxact.batch import (
    STREAMS,
    Data,
    Facts,
    example_batch,
    normalize_depth,
    normalize_differences,
    normalize_video,
)
from jaxact.config import Experiment, ModelConfig
from tests import tiny

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclasses.dataclass
class Streams(ModelConfig):
    def inputs(self):
        return {
            "rgb_diff": jax.ShapeDtypeStruct((3, 7, 5, 15), np.int16),
            "rgb": jax.ShapeDtypeStruct((3, 7, 5, 3), np.uint8),
            "depth": jax.ShapeDtypeStruct((3, 7, 5, 1), np.uint16),
            "skeleton": jax.ShapeDtypeStruct((2, 3, 11, 3), np.float32),
        }


def test_example_batch_has_the_streams_ranges():
    batch = example_batch(Experiment("test", Streams(num_classes=13), None), 17)
    assert {key: str(value.dtype) for key, value in batch.items()} == {
        "rgb_diff": "int16",
        "rgb": "uint8",
        "depth": "uint16",
        "skeleton": "float32",
        "label": "int32",
        "mask": "bool",
        "id": "int64",
    }
    assert batch["rgb_diff"].shape == (17, 3, 7, 5, 15)
    assert (batch["rgb_diff"].min(), batch["rgb_diff"].max()) == (-255, 255)
    assert (batch["rgb"].min(), batch["rgb"].max()) == (0, 255)
    assert batch["skeleton"].std() == pytest.approx(1.0, abs=0.05)
    assert batch["label"].max() == 12


def test_pipeline_and_models_have_one_table_of_streams():
    theirs = {
        name: (stream.kind, stream.channels, stream.dtype)
        for name, stream in streams.STREAMS.items()
    }
    ours = {
        name: (stream.kind, stream.channels, stream.dtype)
        for name, stream in STREAMS.items()
    }
    assert ours == theirs


def test_depth_is_nearness():
    # 4.25 m is half way between 0.5 and 8 m; 0 is not measured, and as far as can be.
    millimetres = jnp.array([0, 300, 500, 4250, 8000, 65535], jnp.uint16)[:, None]
    nearness = normalize_depth(millimetres, (0.0,), (1.0,))[:, 0]
    np.testing.assert_allclose(nearness, [0, 1, 1, 0.5, 0, 0], atol=1e-6)
    normal = normalize_depth(millimetres, (0.5,), (0.25,), jnp.bfloat16)[:, 0]
    assert normal.dtype == jnp.bfloat16
    np.testing.assert_array_equal(
        normal.astype(jnp.float32), np.array([-2, 2, 2, 0, -2, -2])
    )


def test_differences_are_those_of_normalised_frames():
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (6, 2, 3, 3)).astype(np.uint8)
    steps = np.diff(frames.astype(np.int16), axis=0)  # [5 h w c]
    video = steps.transpose(1, 2, 0, 3).reshape(2, 3, 15)
    normalised = np.diff(np.asarray(normalize_video(frames, MEAN, STD)), axis=0)
    expected = normalised.transpose(1, 2, 0, 3).reshape(2, 3, 15)
    got = normalize_differences(jnp.asarray(video), STD)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    one = normalize_differences(jnp.asarray(video), (0.2,), jnp.bfloat16)
    assert one.dtype == jnp.bfloat16
    np.testing.assert_allclose(one.astype(jnp.float32), video / 51.0, rtol=1e-2)


def test_wrong_types_are_refused():
    with pytest.raises(TypeError, match="Got differences of uint8; expected int16"):
        normalize_differences(jnp.zeros((1, 15), jnp.uint8), STD)
    with pytest.raises(TypeError, match="Got depth of int16; expected uint16"):
        normalize_depth(jnp.zeros((1, 1), jnp.int16), MEAN, STD)
    with pytest.raises(TypeError, match="Got video of int16; expected uint8"):
        normalize_video(jnp.zeros((1, 3), jnp.int16), MEAN, STD)


@pytest.mark.parametrize("data", [pipeline, tiny.TinyData()], ids=["whole", "tiny"])
def test_pipelines_are_called_as_the_protocol_says(data):
    for name in ("dataset_facts", "train_batches", "eval_batches"):
        wanted = inspect.signature(getattr(Data, name)).parameters.values()
        by_place = [p for p in wanted if p.kind is p.POSITIONAL_ONLY][1:]  # not self
        by_name = {p.name for p in wanted if p.kind is p.KEYWORD_ONLY}
        found = inspect.signature(getattr(data, name))
        assert list(found.parameters)[: len(by_place)] == [p.name for p in by_place]
        found.bind(*by_place, **dict.fromkeys(by_name))  # raises where one is wanting


def test_the_facts_are_all_there():
    wanted = {name for name, x in vars(Facts).items() if isinstance(x, property)}
    assert len(wanted) == 14
    assert wanted <= {field.name for field in dataclasses.fields(pipeline.DatasetFacts)}
    assert wanted <= set(vars(tiny.TinyData().dataset_facts(None)))


def test_normalisation_by_hand():
    video = jnp.array([[[0, 255, 51]]], jnp.uint8)
    out = normalize_video(video, (0.0, 0.5, 0.2), (1.0, 0.5, 0.1))
    np.testing.assert_allclose(out[0, 0], [0.0, 1.0, 0.0], atol=1e-6)
    with pytest.raises(TypeError, match="expected uint8"):
        normalize_video(video.astype(jnp.float32), (0.5,), (0.5,))
