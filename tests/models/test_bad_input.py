"""Networks and fusions that cannot be had: a paragraph when the model is made."""

import dataclasses

import pytest

from jaxact.config import ConfigError
from jaxact.layers.fusions.table import FUSIONS
from jaxact.run.network import make_network
from tests import tiny
from tests.models.test_dual_stream import NETS, small


@pytest.mark.parametrize(
    ("net", "fields", "message"),
    [
        ("slowfast", dict(channel_ratio=64), "channel_ratio 64 of width 8"),
        ("slowfast", dict(lateral_taps=4), "an odd number of taps"),
        ("tanet", dict(width=2), "Got width 2; expected 4 or more"),
        ("timesformer", dict(mlp_ratio=0.0), "Choose a larger mlp_ratio"),
        ("hiera", dict(heads=5), "Got width 6 and 5 heads"),
    ],
)
def test_networks_that_cannot_be(net, fields, message):
    config = small(net)
    config.backbone = dataclasses.replace(NETS[net], **fields)
    with pytest.raises(ConfigError, match=message):
        make_network(config, tiny.mesh_of(1))


@pytest.mark.parametrize(
    ("fusion", "fields", "message"),
    [
        ("gated", dict(streams=("ir",)), "expected two streams or more"),
        ("gated", dict(layout="time"), "expected two streams or more"),
        ("mmtm", dict(ratio=1000), "expected 1 to twice the channels"),
        ("dsfm", dict(block=2), "Got blocks of 2 channels for DSFM"),
    ],
)
def test_fusions_that_cannot_be(fusion, fields, message):
    names = {field.name for field in dataclasses.fields(FUSIONS[fusion])}
    own = {key: value for key, value in fields.items() if key in names}
    others = {key: value for key, value in fields.items() if key not in names}
    config = small("timesformer", fusion=FUSIONS[fusion](**own), **others)
    with pytest.raises(ConfigError, match=message):
        make_network(config, tiny.mesh_of(1))
