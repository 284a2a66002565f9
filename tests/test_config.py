import sys

import pytest

from jaxact.backbones.resnet import TSMResNetConfig
from jaxact.config import (
    ConfigError,
    Experiment,
    check_sizes,
    config_text,
    load_experiment,
    parse_arg,
    set_value,
)
from jaxact.layers.fusions.table import FUSIONS
from jaxact.models.ccdfarm import CCDFARMConfig
from jaxact.models.dual_stream import DualStreamConfig
from jaxact.models.stafusion import STAFusionConfig


def experiment():
    return Experiment("test", STAFusionConfig(), None)


def test_load_with_argument_and_overrides():
    loaded = load_experiment(
        "configs/ntu_stafusion.py:protocol=xsub",
        {"model.depth": 2, "optim.lr": 1, "schedule.milestones": "(1., 2.)"},
    )
    assert loaded.name == "ntu60_xsub_stafusion"
    assert loaded.data.protocol == "xsub" and loaded.model.depth == 2
    assert loaded.optim.lr == 1.0 and isinstance(loaded.optim.lr, float)
    assert loaded.schedule.milestones == (1.0, 2.0)


def test_a_config_that_builds_on_another_loads_from_anywhere(tmp_path):
    (tmp_path / "variants").mkdir()
    (tmp_path / "variants" / "base_of_test.py").write_text("NAME = 'from beside'\n")
    (tmp_path / "variants" / "mine.py").write_text(
        "from variants.base_of_test import NAME\n"
        "from jaxact.config import Experiment\n"
        "from jaxact.models.stafusion import STAFusionConfig\n"
        "def get_config(arg=''):\n"
        "    return Experiment(NAME, STAFusionConfig(), None)\n"
    )
    before = list(sys.path)
    assert load_experiment(str(tmp_path / "variants" / "mine.py")).name == "from beside"
    assert sys.path == before


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("optim.lrr", 1.0, "has no field 'lrr'. Did you mean 'lr'"),
        ("optin.lr", 1.0, "Did you mean 'optim'"),
        ("optim.lr", "fast", "got 'fast' of type str, expected float"),
        ("model.depth", 2.5, "got 2.5 of type float, expected int"),
        ("model.depth.x", 1, "int has no fields"),
        ("train.batch_size", True, "got True of type bool, expected int"),
        ("optim.optimizer", "lamb", "optimizer' is 'lamb'; choose one of sgd, adam"),
        ("schedule.kind", "linear", "is 'linear'; choose one of step, cosine, exp"),
        ("eval.best_metric", "auc", "is 'auc'; choose one of top1, top5, mean_class"),
        ("train.init_part", "head", "is 'head'; choose one of all, all_but_heads, b"),
    ],
)
def test_wrong_keys_and_values(key, value, message):
    with pytest.raises(ConfigError, match=message):
        set_value(experiment(), key, value)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("width", -1, "model.backbone.width is -1; expected 1 or more"),
        ("blocks", (1, -2), r"blocks is \(1, -2\); expected 1 or more"),
        ("blocks", (), r"blocks is \(\); expected 1 to 4 numbers"),
        ("blocks", (1,) * 5, r"blocks is \(1, 1, 1, 1, 1\); expected 1 to 4 numbers"),
        ("time_strides", (2, 2), r"time_strides is \(2, 2\); expected 3 numbers"),
        ("shift_fraction", -0.5, "shift_fraction is -0.5; expected 0 or more"),
        ("shift_fraction", float("nan"), "is nan; expected 0 or more, and an end"),
    ],
)
def test_sizes_of_a_backbone_are_checked(field, value, message):
    model = DualStreamConfig(backbone=TSMResNetConfig(**{field: value}))
    with pytest.raises(ConfigError, match=message):
        check_sizes(model)


@pytest.mark.parametrize(("value", "ends"), [(-0.1, "0 or more"), (1.0, "less than 1")])
def test_no_share_is_left_out_that_there_is_not(value, ends):
    with pytest.raises(ConfigError, match=f"head_dropout is {value}; expected {ends}"):
        check_sizes(DualStreamConfig(head_dropout=value))
    check_sizes(CCDFARMConfig(origin=(0, 3)))


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [("average", "weights", (1.0, 0.0)), ("dynmm", "temperature", 0.0)],
)
def test_nothing_is_divided_by_zero(name, field, value):
    fusion = FUSIONS[name](**{field: value})
    with pytest.raises(
        ConfigError, match=f"fusion.{field} is .*; expected more than 0"
    ):
        check_sizes(DualStreamConfig(fusion=fusion))


def test_another_part_is_not_chosen_by_its_name():
    config = Experiment("test", DualStreamConfig(), None)
    with pytest.raises(ConfigError, match=r"backbone\.patch=...\), or choose another"):
        set_value(config, "model.backbone", "hiera")


def test_files_that_are_no_config(tmp_path):
    with pytest.raises(ConfigError, match="No config file at 'configs/nothing.py'"):
        load_experiment("configs/nothing.py")
    file = tmp_path / "empty.py"
    file.write_text("")
    with pytest.raises(ConfigError, match="defines no get_config"):
        load_experiment(str(file))


def test_config_arguments():
    assert parse_arg("b,a=3", a=1, b=False) == {"a": 3, "b": True}
    with pytest.raises(ConfigError, match="'c' is unknown; known: a, b"):
        parse_arg("c=3", a=1, b=False)
    with pytest.raises(ConfigError, match="'a' needs a value"):
        parse_arg("a", a=1, b=False)
    choices = {"a": ("x", "y"), "split": (1, 2, 3)}
    assert parse_arg("", **choices) == {"a": "x", "split": 1}
    assert parse_arg("a=y,split=3", **choices) == {"a": "y", "split": 3}
    with pytest.raises(ConfigError, match="Got a=z; choose one of x, y."):
        parse_arg("a=z", **choices)
    with pytest.raises(ConfigError, match="Got split=4; choose one of 1, 2, 3."):
        parse_arg("split=4", **choices)


def test_config_text_names_every_value():
    lines = config_text(experiment()).splitlines()
    assert "model.k1 = 0.25" in lines and "optim.lr = 0.005" in lines
    assert len(lines) == len(set(lines)) > 50
