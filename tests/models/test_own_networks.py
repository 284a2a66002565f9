"""Streams with networks of their own: skeletons beside videos, other networks."""

import numpy as np
import pytest

from jaxact.backbones.hcn import HCNConfig
from jaxact.backbones.resnet import TSMResNetConfig
from jaxact.backbones.table import OwnConfig
from jaxact.layers.fusions.table import FUSIONS
from jaxact.models.dual_stream import DualStreamConfig
from jaxact.strict import ConfigError
from tests.models.test_dual_stream import (
    SIZES,
    batch_of,
    filled,
    one_step,
    run,
    small,
)


def with_bodies(fusion, net="timesformer", **own):
    streams = ("rgb", "ir", "skeleton")
    skeleton = HCNConfig(frames=16, persons=2, joints=3, fc7=8)
    config = small(net, fusion=fusion, streams=streams)
    config.own = OwnConfig(skeleton=skeleton, **own)
    if fusion == "qmf":
        config.fusion.history = 3
    if fusion == "dsfm":
        config.fusion.block = 8
    return config


@pytest.mark.parametrize(
    "fusion",
    [pytest.param(x, marks=() if x == "add" else pytest.mark.long) for x in FUSIONS],
)
def test_a_step_with_bodies_beside_videos_reaches_every_parameter(fusion):
    before, after, loss = one_step(with_bodies(fusion))
    assert np.isfinite(loss)
    nets = {name.split("/")[1] for name in before if name.startswith("branches")}
    assert nets == {"backbone", "backbone_skeleton", "project_skeleton"}
    for name, value in after.items():
        assert np.any(value != before[name]) or value.size < 13, name


def test_every_stream_may_have_a_network_of_its_own():
    net = TSMResNetConfig(blocks=(1, 1), width=4)
    config = with_bodies("average", "hiera", ir=net)
    variables, batch = filled(config), batch_of(config)
    params = variables["params"]["branches"]
    assert params["backbone_ir"]["conv1"]["kernel"].shape == (7, 7, 3, 4)
    assert params["project_ir"]["kernel"].shape == (32, 12)
    # What one stream says hangs on itself alone, normalised as its network expects.
    got = run(config, variables, batch)["ir_logits"]
    alone = DualStreamConfig(**SIZES, backbone=net, streams=("ir",), fusion="average")
    own = {key: value for key, value in variables["batch_stats"]["branches"].items()}
    project = params["project_ir"]["kernel"], variables["params"]["head_ir"]["fc"]
    once = {
        "params": {
            "branches": {"backbone": params["backbone_ir"]},
            "head_ir": {
                "fc": {
                    "kernel": project[0] @ project[1]["kernel"],
                    "bias": params["project_ir"]["bias"] @ project[1]["kernel"]
                    + project[1]["bias"],
                }
            },
        },
        "batch_stats": {"branches": {"backbone": own["backbone_ir"]}},
    }
    expected = run(alone, once, {k: v for k, v in batch.items() if k != "rgb"})
    np.testing.assert_allclose(got, expected["ir_logits"], rtol=1e-4, atol=1e-5)


def test_a_network_of_a_stream_that_is_not_read_is_refused():
    config = with_bodies("add", depth=TSMResNetConfig(blocks=(1, 1), width=4))
    with pytest.raises(ConfigError, match=r"model\.own\.depth='tsm'.*Add it to model"):
        config.build()
    config.streams = ("rgb", "ir")  # of joints the network stands there always
    config.own.depth = OwnConfig().depth
    config.build()


@pytest.mark.parametrize(
    "fusion",
    [
        "add",
        pytest.param("cross_attention", marks=pytest.mark.long),
        pytest.param("dsfm", marks=pytest.mark.long),
    ],
)
def test_bodies_that_are_missing_have_no_influence(fusion):
    config = with_bodies(fusion)
    variables, batch = filled(config), batch_of(config)
    present = np.array([[1, 1, 1], [1, 1, 0], [0, 0, 1]], bool)
    out = run(config, variables, batch | {"present": present})["logits"]
    skeleton, rgb = batch["skeleton"].copy(), batch["rgb"].copy()
    skeleton[1], rgb[2] = np.nan, 255 - rgb[2]
    spoilt = batch | {"present": present, "skeleton": skeleton, "rgb": rgb}
    np.testing.assert_array_equal(out, run(config, variables, spoilt)["logits"])
    whole = run(config, variables, batch)["logits"]
    np.testing.assert_allclose(out[0], whole[0], atol=1e-5)
    assert np.abs(out[1:] - whole[1:]).max() > 1e-4
