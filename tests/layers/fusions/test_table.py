"""Fusions by name, and their configs."""

import dataclasses
from typing import Literal

import flax.linen as nn
import pytest

from jaxact.layers.fusions.plain import Average
from jaxact.layers.fusions.table import FUSIONS, FusionConfig, config_of
from jaxact.strict import ConfigError


class Some(nn.Module):
    """Has fields."""

    share: float = 0.5
    variant: Literal["paper", "code"] = "paper"


def test_a_config_has_its_module_s_fields_and_no_others():
    config = config_of(Some)(share=0.25)
    assert [field.name for field in dataclasses.fields(config)] == ["share", "variant"]
    assert config.build() == Some(share=0.25)
    with pytest.raises(ConfigError, match="variant is 'other'; choose one of paper"):
        config.variant = "other"
    with pytest.raises(AttributeError, match="SomeConfig has no field 'name'"):
        config.name = "x"


def test_every_fusion_is_built_by_its_name():
    modules = [config().build() for config in FUSIONS.values()]
    assert len({type(module) for module in modules}) == len(FUSIONS)
    assert FUSIONS["average"](weights=(2.0, 1.0)).build() == Average(weights=(2.0, 1.0))
    assert all(issubclass(config, FusionConfig) for config in FUSIONS.values())
