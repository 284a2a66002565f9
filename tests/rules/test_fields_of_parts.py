"""Every field of every backbone and of every fusion has an effect on a program."""

import dataclasses
import functools
from typing import Any

import pytest

from jaxact.backbones.hcn import HCNConfig
from jaxact.backbones.table import OwnConfig
from jaxact.layers.fusions.table import FUSIONS
from jaxact.models.dual_stream import DualStreamConfig
from tests.models.test_dual_stream import NETS, SIZES
from tests.rules.fields import fields_of, other, program_of

# What a field is changed to, and what is set besides for it to matter; of fields that
# are not here `other` knows a value.
OF_NETS: dict[str, tuple[Any, dict[str, Any]]] = {
    "blocks": ((2, 1), {}),
    "depths": ((2, 1), {}),
    "time_strides": ((2, 1, 1), {}),
    "frozen_norm": ("all", {}),
    "drop_path": (0.3, {}),
}
OF_ONE_NET: dict[tuple[str, str], tuple[Any, dict[str, Any]]] = {
    ("timesformer", "drop_path"): (0.3, {"depth": 2}),
    ("videomae", "drop_path"): (0.3, {"depth": 2}),
    ("timesformer", "patch"): (12, {}),
    ("videomae", "patch"): ((5, 4, 8), {}),
    ("swin", "patch"): ((1, 4, 4), {}),
    ("swin", "window"): ((2, 2, 3), {}),
    ("swin", "heads"): ((2, 2), {}),
    ("hiera", "stride"): ((1, 1, 2), {}),
    ("hiera", "mask_unit"): ((1, 6, 6), {}),
    ("hiera", "local_stages"): (2, {"depths": (1, 1, 1), "stride": (1, 1, 1)}),
    ("mvit", "downscale"): ((), {}),
    ("mvit", "key_strides"): ((1, 1, 2), {}),
    ("focalnet", "window"): (5, {}),
    ("focalnet", "patch"): ((1, 2, 4), {}),
    ("slowfast", "alpha"): (1, {}),
    ("slowfast", "lateral_taps"): (5, {}),
}
OF_FUSIONS: dict[str, tuple[Any, dict[str, Any]]] = {
    "weights": ((1.0, 3.0), {}),
    "history": (6, {}),
    "rank_weight": (0.2, {"history": 6}),
    "rank_variant": ("code", {"history": 6}),
    "heads": (2, {}),
    "stages": ((1,), {}),
    "block": (8, {}),
    # Channels of the last block are fewer than its width.
    "masked": (True, {"block": 8}),
}


def net_of(name: str, **changes: Any) -> Any:
    return dataclasses.replace(NETS[name], **changes)


def fusion_of(name: str, **changes: Any) -> Any:
    return FUSIONS[name](**changes)


@functools.cache
def program(kind: str, name: str, *changes: tuple[str, Any]) -> str:
    net, fusion = NETS["timesformer"], FUSIONS["add"]()
    if kind == "net":
        net = net_of(name, **dict(changes))
    else:
        fusion = fusion_of(name, **dict(changes))
    return program_of(DualStreamConfig(**SIZES, backbone=net, fusion=fusion))


NET_FIELDS = [(net, name) for net in NETS for name in fields_of(NETS[net])]
FUSION_FIELDS = [(x, name) for x in FUSIONS for name in fields_of(FUSIONS[x]())]


@pytest.mark.long  # a second a field
@pytest.mark.parametrize(("net", "name"), NET_FIELDS)
def test_every_field_of_a_backbone_changes_the_program(net, name):
    known = OF_NETS.get(name, (None, {}))
    value, context = OF_ONE_NET.get((net, name), known)
    before = net_of(net, **context)
    value = other(before, name) if value is None else value
    assert getattr(before, name) != value
    changed = context | {name: value}
    assert program("net", net, *changed.items()) != program(
        "net", net, *context.items()
    )


@pytest.mark.long
@pytest.mark.parametrize("name", fields_of(HCNConfig()))
def test_every_field_of_skeletons_changes_the_program(name):
    def program_with(**changes):
        own = OwnConfig(skeleton=dataclasses.replace(HCNConfig(frames=16), **changes))
        fields = SIZES | {"backbone": NETS["timesformer"], "streams": ("skeleton",)}
        return program_of(DualStreamConfig(**fields, own=own))

    before = HCNConfig()
    value = (2,) if name == "origin" else other(before, name)
    assert program_with(**{name: value}) != program_with()


@pytest.mark.parametrize(("fusion", "name"), FUSION_FIELDS)
def test_every_field_of_a_fusion_changes_the_program(fusion, name):
    value, context = OF_FUSIONS.get(name, (None, {}))
    before = fusion_of(fusion, **context)
    value = other(before, name) if value is None else value
    assert getattr(before, name) != value
    changed = context | {name: value}
    assert program("fusion", fusion, *changed.items()) != program(
        "fusion", fusion, *context.items()
    )
