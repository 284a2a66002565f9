import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.batch import example_batch, normalize_differences, normalize_video
from jaxact.config import Experiment, ModelConfig

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclasses.dataclass
class Streams(ModelConfig):
    def inputs(self):
        return {
            "rgb_diff": jax.ShapeDtypeStruct((3, 7, 5, 15), np.int16),
            "rgb": jax.ShapeDtypeStruct((3, 7, 5, 3), np.uint8),
            "skeleton": jax.ShapeDtypeStruct((2, 3, 11, 3), np.float32),
        }


def test_example_batch_has_the_streams_ranges():
    batch = example_batch(Experiment("test", Streams(num_classes=13), None), 17)
    assert {key: str(value.dtype) for key, value in batch.items()} == {
        "rgb_diff": "int16",
        "rgb": "uint8",
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
    with pytest.raises(TypeError, match="Got video of int16; expected uint8"):
        normalize_video(jnp.zeros((1, 3), jnp.int16), MEAN, STD)
