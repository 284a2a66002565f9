"""Video Swin against mmaction2's, its windows by hand, its published sizes."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from jaxact.backbones import video_swin
from jaxact.backbones.public_weights import WeightsError, initialize_from
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


def test_a_still_clip_gives_what_the_image_network_gave(tmp_path):
    """Inflated from an image Swin: frames alike stay alike, patches as of one image."""
    weights = state_dict(golden("video_swin"))
    image = {}
    for name, array in weights.items():
        name = name.removeprefix("backbone.")
        if name == "patch_embed.proj.weight":
            array = array.sum(axis=2)
        if name.endswith("bias_table"):
            array = array[25:50]  # the rows of distance 0 in time, of 3 x 25
        image[name] = np.ascontiguousarray(array)
    save_file(image, tmp_path / "image.safetensors")
    video = np.repeat(golden("video_swin")["clip"][:1, :1], 4, axis=1)
    model = VideoSwin(**TINY)
    params = {"backbone": initialized(model, video)}
    params, _, report = initialize_from(tmp_path / "image.safetensors", params)
    tree = params["backbone"]
    kernel = np.asarray(tree["patch_embed"]["kernel"]).reshape(2, 4, 4, 3, 6)
    by_hand = image["patch_embed.proj.weight"].transpose(2, 3, 1, 0) / 2
    np.testing.assert_allclose(kernel, np.stack([by_hand, by_hand]), rtol=1e-6)
    table = tree["stage2_1"]["attention"]["relative_position_bias"]
    theirs = image["layers.1.blocks.1.attn.relative_position_bias_table"]
    np.testing.assert_array_equal(table, np.concatenate([theirs] * 3))
    out = jax.jit(model.apply)({"params": tree}, video)["features"]
    np.testing.assert_allclose(out[:, 0], out[:, 1], atol=1e-5)


def test_weights_of_another_size_are_refused(tmp_path):
    save_file(state_dict(golden("video_swin")), tmp_path / "swin.safetensors")
    model = VideoSwin(**TINY | {"width": 8})
    params = initialized(model, jnp.zeros((1, 2, 12, 12, 3)))
    with pytest.raises(
        WeightsError, match=r"the file has \[96, 6\], the model \[96, 8"
    ):
        initialize_from(tmp_path / "swin.safetensors", params)


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
