"""Streams of a batch as networks want them, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.config import Experiment
from jaxact.models import streams
from jaxact.models.dual_stream import BaselineConfig


def test_inputs_have_their_channels():
    found = streams.video_inputs(("ir", "rgb"), 4, 8)
    assert {name: spec.shape for name, spec in found.items()} == {
        "ir": (4, 8, 8, 1),
        "rgb": (4, 8, 8, 3),
    }
    for wrong in ((), ("rgb", "rgb"), ("flow",)):
        with pytest.raises(ValueError, match="expected one or more of"):
            streams.video_inputs(wrong, 4, 8)


def test_missing_clips_are_the_mean_and_grey_has_the_colours_mean():
    mean, std = (0.2, 0.4, 0.6), (0.1, 0.2, 0.3)
    batch = {
        "rgb": jnp.full((2, 1, 1, 1, 3), 255, jnp.uint8),
        "ir": jnp.full((2, 1, 1, 1, 1), 51, jnp.uint8),
        "present": jnp.array([[True, True], [False, True]]),
    }
    both = ("rgb", "ir")
    rgb = streams.normalized(batch, "rgb", both, mean, std, jnp.float32)
    np.testing.assert_allclose(rgb[0].ravel(), [8, 3, 4 / 3], rtol=1e-5)
    np.testing.assert_array_equal(rgb[1], 0)
    ir = streams.normalized(batch, "ir", both, mean, std, jnp.float32)
    np.testing.assert_allclose(ir.ravel(), [-1, -1], rtol=1e-5)  # (0.2 - 0.4) / 0.2


def test_a_stream_that_the_batch_lacks_is_named():
    with pytest.raises(KeyError, match="no stream 'ir', only .*rgb"):
        streams.stream_of({"rgb": jnp.zeros(1)}, "ir", ("rgb", "ir"))


def test_frames_of_streams_stand_behind_one_another():
    x = jnp.arange(12).reshape(2, 2, 3, 1)
    np.testing.assert_array_equal(
        streams.in_time(x)[..., 0], [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    )


def test_normalisation_is_a_field_of_the_model():
    """With 0.5 and 0.5, black is -1 and white 1; with TimeSformer's own -2 and 2.44."""
    batch = {"ir": jnp.array([0, 255], jnp.uint8).reshape(1, 2, 1, 1, 1)}
    for fields, expected in (
        ({"mean": (0.5,), "std": (0.5,)}, [-1.0, 1.0]),
        ({}, [-2.0, 0.55 / 0.225]),
    ):
        made = streams.TimeSformerStreamsConfig(streams=("ir",), **fields).branches()
        found = streams.normalized(
            batch, "ir", ("ir",), made.mean, made.std, jnp.float32
        )
        np.testing.assert_allclose(found.ravel(), expected, rtol=1e-6)
    for wrong in ({"mean": (0.5, 0.5)}, {"std": (0.0,)}):
        with pytest.raises(ValueError, match="expected one number each or three"):
            streams.TimeSformerStreamsConfig(**wrong).branches()


def test_a_published_size_that_starts_from_random_weights_is_said():
    experiment = Experiment("test", BaselineConfig(num_classes=60), None)
    (note,) = experiment.model.notes(experiment)
    assert "ViT-B's width and starts from random weights" in note
    experiment.train.init_from = "vit.npz"
    assert experiment.model.notes(experiment) == []
    small = Experiment("test", BaselineConfig(num_classes=60, width=64), None)
    assert small.model.notes(small) == []


@pytest.mark.parametrize("share", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_frame_alone_is_a_clip_of_one_frame_at_its_own_time(share):
    """Frame 2 of a stream by itself: what a network of one frame, whose time embedding
    is that of frame 2, says of it, whatever the other frames show."""
    size = dict(image_size=8, patch=4, width=6, depth=2, heads=2, dtype="float32")
    random = np.random.default_rng(0)
    batch = {
        "rgb": random.integers(0, 256, (2, 3, 8, 8, 3), np.uint8),
        "ir": random.integers(0, 256, (2, 3, 8, 8, 1), np.uint8),
    }

    def branches(frames):
        config = streams.TimeSformerStreamsConfig(
            frames=frames, share_backbone=share, **size
        )
        return config.branches()

    variables = jax.jit(branches(3).init)(jax.random.key(0), batch)
    variables = jax.tree.map(
        lambda x: x + 0.3 * random.normal(size=x.shape).astype(np.float32), variables
    )
    alone = jax.jit(lambda v, b: branches(3).apply(v, b, alone=True)["tokens"])
    found = np.asarray(alone(variables, batch))
    assert found.shape == (2, 2, 3, 6)
    at_two = {
        name: value | {"time": value["time"][2:]} if "time" in value else value
        for name, value in variables["params"].items()
    }
    one = {name: video[:, 2:] for name, video in batch.items()}
    single = jax.jit(branches(1).apply)({"params": at_two}, one)["tokens"]
    np.testing.assert_allclose(found[:, :, 2], single, atol=2e-5)
    other = {name: video.copy() for name, video in batch.items()}
    other["ir"][:, 0] = 255 - other["ir"][:, 0]
    changed = np.abs(np.asarray(alone(variables, other)) - found).max((0, 3))
    assert (changed > 1e-3).tolist() == [[False] * 3, [True, False, False]]
