"""Which kind a file of weights is, and which model it does not fit."""

import numpy as np
import pytest

from jaxact.backbones.public_weights import initialize_from
from jaxact.weights.keymap import WeightsError
from tests.backbones.test_resnet_weights import FILES, make
from tests.paths import GOLDEN


def test_files_that_do_not_fit_are_refused():
    path = GOLDEN / FILES["torchvision"]
    for fields, message in (
        (dict(width=4), r"the file has \[.*\], the model \["),
        (dict(blocks=(1, 3, 1, 1)), r"the file has no layer2\.2\."),
        (dict(blocks=(1, 1, 1, 1)), r"layer2\.1\..* of the file is not used"),
    ):
        _, params, stats = make(**fields)
        with pytest.raises(WeightsError, match=message):
            initialize_from(path, params, stats)
    with pytest.raises(WeightsError, match="the model has no ResNet"):
        initialize_from(path, {"head": {"kernel": np.zeros((2, 2))}})
    _, params, _ = make()
    with pytest.raises(WeightsError, match="the model has no TimeSformer"):
        initialize_from(GOLDEN / "vit_timm.pth", params)
