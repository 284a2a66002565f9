"""Files of I3D's weights: what fills a model, and what is refused."""

import pickle

import chex
import numpy as np
import pytest

from jaxact.backbones import i3d_weights
from jaxact.backbones.public_weights import WeightsError, initialize_from, read_weights
from tests.backbones.test_i3d import Classifier, fresh, golden, variables
from tests.paths import GOLDEN


def test_weights_fill_a_model_with_other_classes_but_for_its_head():
    start = fresh(Classifier(classes=11), golden()["input"])
    params, stats, report = initialize_from(
        GOLDEN / "i3d_tiny.ckpt", start["params"], start["batch_stats"]
    )
    assert set(report.fresh) == {"head/fc/kernel", "head/fc/bias"}
    assert {name.rpartition("/")[0] for name in report.unused} == {
        "params/Logits/Conv3d_0c_1x1/Conv_0"
    }
    assert np.all(params["head"]["fc"]["kernel"] == 9)
    mine = variables()
    chex.assert_trees_all_equal(
        params["backbone_rgb"],
        mine["params"]["backbone_rgb"],
    )
    chex.assert_trees_all_equal(stats, mine["batch_stats"])


def test_weights_that_do_not_fit(tmp_path):
    with (GOLDEN / "i3d_tiny.ckpt").open("rb") as file:
        tree = pickle.load(file)
    start = fresh(Classifier(), golden()["input"])

    def load(tree):
        path = tmp_path / "weights.ckpt"
        path.write_bytes(pickle.dumps(tree))
        return initialize_from(path, start["params"], start["batch_stats"])

    tree["params"]["Conv3d_9z_1x1"] = {"Conv_0": {"kernel": np.ones(3)}}
    with pytest.raises(WeightsError, match="Conv3d_9z_1x1/Conv_0/kernel .3. of the f"):
        load(tree)
    del tree["params"]["Conv3d_9z_1x1"]
    lost = tree["batch_stats"]["Mixed_5c"].pop("Branch_3/Conv3d_0b_1x1")
    with pytest.raises(WeightsError, match="has no batch_stats/Mixed_5c/Branch_3"):
        load(tree)
    tree["batch_stats"]["Mixed_5c"]["Branch_3/Conv3d_0b_1x1"] = lost
    with pytest.raises(WeightsError, match="but the model has no I3D"):
        i3d_weights.key_map(read_weights(GOLDEN / "i3d_tiny.ckpt"), {"fc/kernel": 0})


def test_the_map_names_every_unit_of_the_network_once():
    units = i3d_weights.units()
    assert len(units) == len(set(units.values())) == 3 + 9 * 6
    assert units["mixed_4d/branch1"] == "Mixed_4d/Branch_1/Conv3d_0b_3x3"
