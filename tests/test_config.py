import dataclasses
import sys
from typing import Literal

import pytest

from input_pipeline.config import DataConfig
from jaxact.backbones.resnet import TSMResNetConfig
from jaxact.config import (
    Config,
    ConfigError,
    Experiment,
    OptimConfig,
    ScheduleConfig,
    check_sizes,
    config_text,
    keys_that_may_differ,
    load_experiment,
    parse_arg,
    set_value,
)
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


def test_choices_are_checked_whatever_sets_them():
    with pytest.raises(ConfigError, match="optimizer is 'lamb'; choose one of sgd"):
        OptimConfig(optimizer="lamb")
    config = experiment()
    with pytest.raises(ConfigError, match="kind is 'linear'; choose one of step"):
        config.schedule.kind = "linear"
    with pytest.raises(ConfigError, match="kind is 'linear'"):
        dataclasses.replace(config.schedule, kind="linear")


@dataclasses.dataclass
class Layers(Config):
    kinds: tuple[Literal["a", "b"], ...] = ("a",)
    places: tuple[tuple[int, Literal["c"]], ...] = ()


def test_choices_inside_tuples_are_checked():
    assert Layers(("b", "a"), ((1, "c"),)).kinds == ("b", "a")
    with pytest.raises(ConfigError, match="An entry of kinds is 'x'; choose one of a"):
        Layers(("b", "x"))
    with pytest.raises(ConfigError, match="An entry of places is 'd'; choose"):
        Layers(places=((1, "c"), (2, "d")))


def test_what_stands_in_a_tuple_has_its_type():
    schedule = ScheduleConfig(milestones=(3, 4.5))
    assert schedule.milestones == (3, 4.5)
    with pytest.raises(ConfigError, match="An entry of milestones is 'a'; expected fl"):
        schedule.milestones = (3.0, "a")
    with pytest.raises(ConfigError, match="streams': got 'rgb' .* as this is written"):
        set_value(experiment(), "model.streams", "rgb")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("width", -1, "model.backbone.width is -1; expected 1 or more"),
        ("blocks", (1, -2), r"blocks is \(1, -2\); expected 1 or more"),
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


def test_fields_say_themselves_what_may_differ():
    config = Experiment("test", STAFusionConfig(), DataConfig())
    own = keys_that_may_differ(config, "processes")
    assert own == {
        *("data.dir", "data.cache_mb", "data.workers", "data.prefetch"),
        "train.compilation_cache",
    }
    free = keys_that_may_differ(config, "runs")
    assert free == own | {
        *("name", "data.version", "data.test_resize", "data.eval_views_time"),
        *("data.eval_views_space", "data.eval_views_at_once", "eval.choose_on"),
        *("train.init_from", "train.init_part", "train.fsdp", "train.log_every"),
        *("train.eval_every", "train.checkpoint_every", "train.keep"),
        *("eval.batch_size", "eval.split", "eval.best_metric", "eval.pictures"),
        "eval.show",
    }


def test_setting_an_unknown_attribute_lists_the_fields():
    config = experiment()
    with pytest.raises(AttributeError, match="Did you mean 'weight_decay'.*Its fields"):
        config.optim.weight_decey = 0.1


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
