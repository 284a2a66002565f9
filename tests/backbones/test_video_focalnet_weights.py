"""Video-FocalNet from an image network's file, and from one of another width."""

import jax
import numpy as np
import pytest

from jaxact.backbones.video_focalnet import VideoFocalNet
from jaxact.weights.keymap import WeightsError
from tests.backbones.parity import close, golden, loaded
from tests.backbones.test_video_focalnet import TINY


def test_an_image_network_leaves_modulation_over_time_fresh(tmp_path):
    stored = golden("video_focalnet")
    image = {name: x for name, x in stored.items() if "_temporal" not in name}
    name = "weights/patch_embed.proj.weight"
    image[name] = stored[name].sum(axis=2)
    variables, report = loaded(VideoFocalNet(**TINY), stored["video"], image, tmp_path)
    assert "FocalNet of images" in report.source
    assert {path.split("/")[3].partition("_")[0] for path in report.fresh} == {"time"}
    assert len(report.fresh) == 3 * (2 + 2 + 2)  # blocks; into, levels, out of
    kernel = variables["params"]["patch_embed"]["kernel"].reshape(2, 4, 4, 3, 6)
    by_hand = image[name].astype(np.float32).transpose(2, 3, 1, 0) / 2
    np.testing.assert_allclose(kernel, np.stack([by_hand, by_hand]), rtol=1e-6)


def test_frames_equal_transformers_image_network(tmp_path):
    """With contexts over time of one (no weights, a bias of 1) frames stand alone."""
    stored = golden("focalnet")
    model = VideoFocalNet(**TINY | {"patch": (1, 4, 4)})
    variables, report = loaded(model, stored["video"], stored, tmp_path)
    assert all("/modulation/time_" in path for path in report.fresh)
    for name, block in variables["params"].items():
        if name.startswith("stage"):
            block["modulation"]["time_out"]["bias"] += 1
    out = jax.jit(model.apply)(variables, stored["video"])
    close(out["features"].reshape(stored["features"].shape), stored["features"])


def test_one_channel_starts_as_the_mean_over_colours(tmp_path):
    stored, model = golden("video_focalnet"), VideoFocalNet(**TINY)

    class Two:
        """The network on colours and on one channel."""

        @staticmethod
        def init(key, video):
            return model.init(key, video, video[..., :1])

    variables, _ = loaded(Two, stored["video"], stored, tmp_path)
    stems = variables["params"]
    colours = stems["patch_embed"]["kernel"].reshape(32, 3, 6)
    grey = stems["patch_embed_1"]["kernel"]
    np.testing.assert_allclose(grey, colours.mean(axis=1), rtol=1e-5, atol=1e-7)


def test_another_width_is_refused(tmp_path):
    stored, model = golden("video_focalnet"), VideoFocalNet(**TINY | {"width": 8})
    with pytest.raises(WeightsError, match=r"file has \[96, 6\], the model \[96, 8"):
        loaded(model, stored["video"], stored, tmp_path)
