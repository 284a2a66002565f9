"""The data config refuses what it does not know."""

import pytest

from input_pipeline.config import DataConfig


def test_misspelt_keys_are_refused():
    with pytest.raises(AttributeError, match="Did you mean 'flip'"):
        DataConfig().flop = 0.5
    with pytest.raises(TypeError, match="flop"):
        DataConfig(flop=0.5)
