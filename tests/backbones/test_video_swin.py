"""Video Swin against mmaction2's, its windows by hand, its published sizes."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from jaxact.backbones import video_swin
from jaxact.backbones.public_weights import initialize_from
from jaxact.backbones.video_swin import VideoSwin
from tests.backbones.parity import golden, state_dict

TINY = dict(width=6, depths=(2, 2), heads=(1, 2), window=(2, 3, 3))


def initialized(model, video):
    return jax.jit(model.init)(jax.random.key(0), video)["params"]


@pytest.mark.parametrize("clip", ["clip", "short"])
def test_features_equal_mmaction_s(tmp_path, clip):
    stored = golden("video_swin")
    save_file(state_dict(stored), tmp_path / "swin.safetensors")
    model = VideoSwin(**TINY)
    params, _, report = initialize_from(
        tmp_path / "swin.safetensors", {"backbone": initialized(model, stored[clip])}
    )
    assert not report.fresh and not report.resized
    assert not report.unused
    out = jax.jit(model.apply)({"params": params["backbone"]}, stored[clip])
    expected = stored[f"{clip}_features"]
    np.testing.assert_allclose(out["features"], expected, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("tiny", 28_158_070),
        ("small", 49_816_678),
        ("base", 88_048_984),
        ("large", 196_953_916),
    ],
)
def test_published_sizes_with_400_classes(name, count):
    fields = video_swin.VARIANTS[name]
    model, video = VideoSwin(**fields), jnp.zeros((1, 16, 224, 224, 3))
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), video))
    found = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))
    assert found + 400 * (8 * fields["width"] + 1) == count


def test_windows_shrink_to_the_clip_and_are_then_not_shifted():
    window, shift = video_swin.fitting((8, 7, 7), (4, 3, 3), (4, 7, 14))
    assert window == (4, 7, 7) and shift == (0, 0, 3)


def test_distances_by_hand():
    """A window of 1 x 1 x 2 in a table for 2 x 2 x 2: 27 rows, 13 the distance 0."""
    index = video_swin.relative_index((1, 1, 2), (2, 2, 2))
    np.testing.assert_array_equal(index, [[13, 12], [14, 13]])
    # One row down: 3 more; one frame on: 9 more.
    index = video_swin.relative_index((2, 2, 1), (2, 2, 2))
    np.testing.assert_array_equal(index[:, 0], [13, 16, 22, 25])


def test_a_shift_parts_what_was_not_side_by_side():
    """4 tokens in windows of 2, shifted by 1: order 1 2 | 3 0, and 3 is far from 0."""
    found = video_swin.same_region((1, 1, 4), (1, 1, 2), (0, 0, 1))
    np.testing.assert_array_equal(found[0], np.ones((2, 2)))
    np.testing.assert_array_equal(found[1], np.eye(2))
    assert video_swin.same_region((1, 1, 4), (1, 1, 2), (0, 0, 0)) is None


def test_gradients_reach_every_parameter():
    model = VideoSwin(**TINY)
    video = jax.random.normal(jax.random.key(1), (1, 3, 30, 22, 3))
    params = initialized(model, video)
    noisy = jax.tree.map(
        lambda x: x + 0.1 * jax.random.normal(jax.random.key(x.size), x.shape), params
    )

    def loss(params):
        out = model.apply({"params": params}, video)
        return (out["features"] ** 3).sum()

    grads = jax.jit(jax.grad(loss))(noisy)
    assert all(bool(jnp.abs(leaf).max() > 0) for leaf in jax.tree.leaves(grads))
