"""VideoMAE's ViT against mmaction2's, its positions by hand, its published sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.backbones import videomae
from jaxact.backbones.videomae import VideoMAE, VideoMAEConfig
from tests.backbones.parity import (
    close,
    golden,
    gradients_reach_everything,
    loaded,
    published_size,
)

TINY = dict(width=12, depth=2, heads=3, patch=(2, 4, 4), drop_path=0.0)


def test_tokens_equal_mmaction_s(tmp_path):
    stored = golden("videomae")
    variables, report = loaded(VideoMAE(**TINY), stored["video"], stored, tmp_path)
    assert not report.fresh and not report.resized
    assert set(report.unused) == {"pos_embed"}
    out = jax.jit(VideoMAE(**TINY).apply)(variables, stored["video"])
    close(out["token"], stored["token"])
    assert out["features"].shape == (2, 3, 5, 5, 12)
    gradients_reach_everything(VideoMAE(**TINY), variables, stored["video"])


@pytest.mark.parametrize(
    ("name", "millions", "gmacs"),
    [("small", 22.03, 56.9), ("base", 86.5348, 180.3), ("large", 304.3, 596.8)],
)
def test_published_sizes_with_400_classes(name, millions, gmacs):
    found = published_size(VideoMAEConfig(**videomae.VARIANTS[name]), frames=16)
    assert found.parameters == pytest.approx(millions * 1e6, rel=1e-3)
    assert found.gmacs == pytest.approx(gmacs, rel=1e-3)
    if name == "base":
        assert found.parameters == 86_534_800


def test_positions_by_hand():
    """Width 4: the angles of token n are n and n / 100."""
    found = videomae.sinusoids(3, 4)
    two = [np.sin(2), np.cos(2), np.sin(0.02), np.cos(0.02)]
    np.testing.assert_allclose(found[2], two, rtol=1e-6)
    np.testing.assert_array_equal(found[0], [0, 1, 0, 1])


def test_a_clip_of_a_broken_patch_is_refused():
    video = jnp.zeros((1, 3, 8, 8, 3))
    with pytest.raises(ValueError, match=r"clips of \(3, 8, 8\).*multiple"):
        VideoMAE(**TINY).init(jax.random.key(0), video)
    with pytest.raises(ValueError, match="expected three sizes"):
        VideoMAEConfig(patch=(2, 4)).build(jnp.float32)
