"""SlowFast, CSN and TANet against public implementations, and their published sizes."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.backbones.csn import CSN, CSNConfig
from jaxact.backbones.resnet import FRAME_WISE, VARIANTS, ResNet
from jaxact.backbones.slowfast import SlowFast, SlowFastConfig
from jaxact.backbones.tanet import TANetConfig
from jaxact.layers.conv3d import depthwise_conv3d
from jaxact.layers.temporal_adaptive import TAM
from tests.backbones.parity import close, golden, gradients_reach_everything, loaded

ONE_EACH = (1, 1, 1, 1)
NETS = {
    "slowfast": SlowFast(ONE_EACH, 4, channel_ratio=2),
    "torchvideo": SlowFast(
        ONE_EACH, 4, channel_ratio=2, lateral_taps=5, lateral_norm=True
    ),
    "ip_csn": CSN(ONE_EACH, 4),
    "ir_csn": CSN(ONE_EACH, 4, preserved=False),
    "tanet": ResNet((1, 1), 4, FRAME_WISE, after_first=TAM),
}


@pytest.mark.parametrize("name", NETS)
def test_outputs_equal_the_public_implementation_s(tmp_path, name):
    net, stored = NETS[name], golden(name)
    variables, report = loaded(net, stored["video"], stored, tmp_path)
    assert not report.fresh and not report.resized
    assert all("blocks.6" in key or "fc_cls" in key for key in report.unused)
    out = jax.jit(net.apply)(variables, stored["video"])
    if "out_1" in stored:
        close(out["slow"], stored["out_0"])
        close(out["fast"], stored["out_1"])
    else:
        close(out["features"], stored["out_0"])


@pytest.mark.parametrize("name", ["slowfast", "ip_csn", "tanet"])
def test_gradients_reach_every_parameter(tmp_path, name):
    stored = golden(name)
    variables, _ = loaded(NETS[name], stored["video"], stored, tmp_path)
    gradients_reach_everything(NETS[name], variables, stored["video"])


R50, R101 = VARIANTS["resnet50"], VARIANTS["resnet101"]
SIZES = [  # with 400 classes
    (SlowFastConfig(), 8, 34_565_560),
    (SlowFastConfig(alpha=8, lateral_taps=5), 8, 34_479_288),
    (SlowFastConfig(lateral_norm=True), 8, 34_566_488),
    (SlowFastConfig(blocks=R101), 8, 62_912_312),
    (SlowFastConfig(blocks=R101, lateral_taps=5, lateral_norm=True), 8, 62_826_968),
    (CSNConfig(), 8, 33_016_592),
    (CSNConfig(preserved=False), 8, 29_703_568),
    (CSNConfig(blocks=R50), 8, 14_396_176),
    (CSNConfig(blocks=R50, preserved=False), 8, 13_131_152),
    (TANetConfig(), 8, 25_590_320),
    (TANetConfig(), 16, 25_597_744),
    (TANetConfig(blocks=R101), 8, 45_702_272),
]


@pytest.mark.parametrize(("config", "frames", "count"), SIZES)
def test_published_sizes(config, frames, count):
    net, video = config.build(jnp.float32), jnp.zeros((1, frames, 32, 32, 3))
    out, shapes = jax.eval_shape(
        functools.partial(net.init_with_output, jax.random.key(0)), video
    )
    width = out["token"].shape[-1]
    found = sum(math.prod(x.shape) for x in jax.tree.leaves(shapes["params"]))
    assert found + 400 * (width + 1) == count


def test_slowfast_wants_a_multiple_of_its_ratio():
    with pytest.raises(ValueError, match="clips of 6 frames; .* alpha 4 wants a mult"):
        NETS["slowfast"].init(jax.random.key(0), jnp.zeros((1, 6, 32, 32, 3)))


@pytest.mark.parametrize("strides", [(1, 1, 1), (2, 2, 2), (1, 2, 1)])
def test_both_forms_of_a_depthwise_convolution_agree(strides):
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 5, 7, 6, 3)).astype(np.float32)
    kernel = random.normal(size=(3, 3, 3, 3)).astype(np.float32)
    padding = ((1, 1),) * 3
    forms = [
        depthwise_conv3d(x, kernel, strides, padding, form)
        for form in ("native", "taps")
    ]
    np.testing.assert_allclose(forms[0], forms[1], atol=1e-5)
    # One value by hand: the first place sees the first two of everything.
    by_hand = (x[0, :2, :2, :2] * kernel[1:, 1:, 1:]).sum(axis=(0, 1, 2))
    np.testing.assert_allclose(forms[1][0, 0, 0, 0], by_hand, atol=1e-5)


def test_a_fresh_kernel_along_time_by_hand():
    """All weights 0: factors 1/2, taps 1/3 each; of 6, 6, 6 that is 2, 3 and 2."""
    x = jnp.full((1, 3, 2, 2, 4), 6.0)
    variables = TAM().init(jax.random.key(0), x)
    params = jax.tree.map(jnp.zeros_like, variables["params"])
    out = TAM().apply(variables | {"params": params}, x)
    expected = np.array([2.0, 3.0, 2.0]).reshape(1, 3, 1, 1, 1) * np.ones(x.shape)
    np.testing.assert_allclose(out, expected, rtol=1e-6)
