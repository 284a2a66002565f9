"""Video Swin from an image network's weights, and from files that do not fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from jaxact.backbones.public_weights import WeightsError, initialize_from
from jaxact.backbones.video_swin import VideoSwin
from tests.backbones.parity import golden, state_dict
from tests.backbones.test_video_swin import TINY, initialized


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
