"""Video-FocalNet against its equations in NumPy, by hand, and its published sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.backbones import video_focalnet
from jaxact.backbones.video_focalnet import VideoFocalNet, VideoFocalNetConfig
from tests.backbones.parity import (
    close,
    golden,
    loaded,
    published_parameters,
    published_size,
)

TINY = dict(width=6, depths=(1, 2), patch=(2, 4, 4), drop_path=0.0, form="native")


def test_features_equal_the_equations(tmp_path):
    stored, model = golden("video_focalnet"), VideoFocalNet(**TINY)
    video = stored["video"].astype(np.float32)
    variables, report = loaded(model, video, stored, tmp_path)
    assert not report.fresh and set(report.unused) == {"head.weight", "head.bias"}
    out = jax.jit(model.apply)(variables, video)
    close(out["features"], stored["features"])
    close(out["token"], stored["features"].mean(axis=(1, 2, 3)))


@pytest.mark.parametrize(
    ("name", "parameters", "gmacs"),
    [("tiny", 49_553_272, 63.0), ("base", 157_389_216, 220.6)],
)
def test_published_sizes_with_400_classes(name, parameters, gmacs):
    # The form that is traced soonest; the other one counts alike.
    config = VideoFocalNetConfig(**video_focalnet.VARIANTS[name], conv3d="native")
    found = published_size(config, frames=8)
    assert found.parameters == parameters
    assert found.gmacs == pytest.approx(gmacs, rel=1e-3)


def test_published_parameters_of_the_others():
    small, base = (video_focalnet.VARIANTS[name] for name in ("small", "base"))
    config = VideoFocalNetConfig(**small, conv3d="native")
    assert published_parameters(config, frames=8) == 88_735_168
    # STAFusion's row: patches of two frames, 12 classes.
    config = VideoFocalNetConfig(**base, patch=(2, 4, 4), conv3d="native")
    found = published_parameters(config, frames=16)
    assert found == 156_997_660 + (400 - 12) * 1025


def test_aggregation_by_hand():
    """Large numbers are their own GELU: contexts 10 and 30, then 20 and 60, mean 40."""
    context = jnp.asarray([10.0, 30.0]).reshape(1, 1, 1, 2, 1)
    gates = jnp.asarray([[1.0, 2.0], [0.5, -1.0]]).reshape(1, 1, 1, 2, 2)
    found = video_focalnet.aggregate(context, gates, [lambda x: 2 * x], (2, 3))
    np.testing.assert_allclose(found.ravel(), [20 + 80, 30 - 40], rtol=1e-6)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(window=4), "Got window 4 and 2 levels; expected an odd window"),
        (dict(levels=0), "one level or more"),
        (dict(patch=(4, 4)), "expected three sizes"),
    ],
)
def test_fields_that_do_not_fit_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        VideoFocalNetConfig(**fields).build(jnp.float32)


def test_a_clip_that_cannot_be_halved_is_refused():
    video = jnp.zeros((1, 2, 16, 12, 3))
    with pytest.raises(ValueError, match=r"\(2, 16, 12\).*multiples of \(2, 8, 8\)"):
        VideoFocalNet(**TINY).init(jax.random.key(0), video)
