"""Strict configs: choices, entries, unknown fields, and what may differ."""

import dataclasses
from typing import Literal

import pytest

from input_pipeline.config import DataConfig
from jaxact.config import (
    Config,
    ConfigError,
    Experiment,
    OptimConfig,
    ScheduleConfig,
    keys_that_may_differ,
    set_value,
)
from jaxact.models.stafusion import STAFusionConfig
from tests.test_config import experiment


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
        *("eval.show", "eval.average_last", "data.eval_flip", "train.patience"),
        "model.answer",
    }


def test_setting_an_unknown_attribute_lists_the_fields():
    config = experiment()
    with pytest.raises(AttributeError, match="Did you mean 'weight_decay'.*Its fields"):
        config.optim.weight_decey = 0.1
