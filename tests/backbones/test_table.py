"""Networks by name, and what a stream has where nothing is said."""

import dataclasses

import pytest

from jaxact.backbones.hcn import HCNConfig
from jaxact.backbones.table import NETWORKS, OwnConfig, SharedConfig
from jaxact.batch import STREAMS
from jaxact.models.stafusion_tables import ROWS
from jaxact.strict import ConfigError, set_value


def test_every_stream_has_its_own_or_the_shared_network():
    own = OwnConfig()
    assert [field.name for field in dataclasses.fields(own)] == [*STREAMS]
    for name, stream in STREAMS.items():
        kind = SharedConfig if stream.kind == "video" else HCNConfig
        assert type(getattr(own, name)) is kind
    assert set(NETWORKS["video"]) == {"shared", *ROWS}


def test_a_network_is_chosen_by_name_and_its_fields_by_theirs():
    own = OwnConfig()
    set_value(own, "ir", "i3d")
    set_value(own, "ir.width", "0.5")
    assert own.ir.width == 0.5
    with pytest.raises(ConfigError, match="choose one of hcn"):
        set_value(own, "skeleton", "i3d")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(origin=(25,)), "one or more of the 25 joints"),
        (dict(frames=15), "needs 16 or more"),
    ],
)
def test_skeletons_that_hcn_cannot_read(fields, message):
    with pytest.raises(ValueError, match=message):
        HCNConfig(**fields).build("float32")
