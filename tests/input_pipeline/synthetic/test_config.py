"""The staged world's settings."""

import numpy as np
import pytest

from input_pipeline.formats import ntu
from input_pipeline.synthetic import (
    Sensor,
    SyntheticConfig,
    clip_names,
)
from input_pipeline.synthetic.actions import (
    ACTIONS,
)


def test_default_world_has_what_the_protocols_need():
    default = SyntheticConfig()
    names = clip_names(default)
    assert len(names) == len(set(names)) == 2 * 3 * 10 * 2 * 16
    assert len(ACTIONS) >= 12 and default.subjects >= 8
    for protocol in ("xsub", "xview"):
        for train in (True, False):
            half = [n for n in names if ntu.is_training(n, protocol) is train]
            assert {name.action for name in half} == set(range(1, 17))


def test_subset_is_spread_over_the_classes():
    names = clip_names(SyntheticConfig(clips=40))
    assert len(set(names)) == 40 and names == sorted(names)
    counts = np.bincount([name.action for name in names], minlength=17)[1:]
    assert set(counts.tolist()) == {2, 3}
    with pytest.raises(ValueError, match="got 99999, .* only 1920"):
        clip_names(SyntheticConfig(clips=99999))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"actions": ("wave", "dance")}, "unknown \\['dance'\\]"),
        ({"cameras": 4}, "cameras: got 4"),
        ({"subjects": 0}, "subjects: got 0"),
        ({"occluded": 1.5}, "occluded: got 1.5"),
        ({"dark_rgb": 0.6, "warm_background": 0.6}, "no clip may be both"),
        ({"rgb": Sensor(65, 36, 50.0, 8)}, "rgb: got 65 x 36"),
        ({"seconds": (2.0, 1.0)}, "seconds"),
        ({"seed": -1}, "seed: got -1"),
    ],
)
def test_impossible_config_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        SyntheticConfig(**changes)
