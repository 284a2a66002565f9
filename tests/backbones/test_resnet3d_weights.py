"""SlowFast, CSN and TANet against public implementations, and their published sizes."""

import functools
import math

import jax
import jax.numpy as jnp
import pytest

from jaxact.backbones.csn import CSN, CSNConfig
from jaxact.backbones.resnet import FRAME_WISE, VARIANTS, ResNet
from jaxact.backbones.slowfast import SlowFast, SlowFastConfig
from jaxact.backbones.tanet import TANetConfig
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
