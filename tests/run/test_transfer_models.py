"""Real models start from runs of one another, by their names and shapes."""

import functools
import math

import jax
import numpy as np
import pytest
from flax import traverse_util

from jaxact import batch, config, errors
from jaxact.run import transfer
from tests.paths import ROOT


@functools.cache
def variables(name: str, **overrides) -> dict[str, np.ndarray]:
    """Zeros by path, in the shapes of a config's model; nothing is computed."""
    path, _, arg = name.partition(":")
    text = f"{ROOT}/configs/{path}.py" + (f":{arg}" if arg else "")
    experiment = config.load_experiment(text, overrides)
    module = experiment.model.build()
    one = batch.example_batch(experiment, batch_size=1)
    one = {stream: one[stream] for stream in experiment.model.inputs()}
    made = jax.eval_shape(lambda: module.init(jax.random.key(0), one, train=False))
    trees = (
        traverse_util.flatten_dict(made.get(c, {}), sep="/")
        for c in ("params", "batch_stats")
    )
    return {n: np.zeros(x.shape, np.float32) for tree in trees for n, x in tree.items()}


def filled(stored, target, part, several=False):
    """What a run fills, its numbers being ones, and the report."""
    ones = {name: array + 1 for name, array in stored.items()}
    return transfer.convert(ones, target, part, "RUN", several)


def test_dams_blocks_are_kept_for_other_classes():
    dam = variables("demo_dam")
    target = variables("demo_dam", **{"model.num_classes": 7})
    found, report = filled(dam, target, "all_but_heads")
    assert {name.split("/")[0] for name in report.fresh} == {"head"}
    assert any(name.startswith("block3_2/") for name in found)
    with pytest.raises(errors.UserError, match="init_part=all_but_heads"):
        filled(dam, target, "all")


def test_stafusions_fusion_and_scorer_are_kept_for_other_classes():
    target = variables("demo_stafusion", **{"model.num_classes": 7})
    found, report = filled(variables("demo_stafusion"), target, "all_but_heads")
    assert {name.split("/")[0] for name in report.fresh} == {"head", "teacher_head"}
    assert {name.split("/")[0] for name in found} == {"branches", "fusion", "scorer"}


def test_netvlads_centres_are_kept_and_differences_start_from_rgb():
    rgb = variables("demo_tsm_netvlad")
    target = variables("demo_tsm_netvlad:stream=rgb_diff", **{"model.num_classes": 7})
    found, report = filled(rgb, target, "all_but_heads")
    assert {name.split("/")[0] for name in report.fresh} == {"head_rgb_diff"}
    assert "pool_rgb_diff/centres" in found
    assert list(report.resized) == ["backbone_rgb_diff/conv1/kernel"]
    assert found["backbone_rgb_diff/conv1/kernel"].shape[2] == 15


def test_ccdfarms_streams_start_from_two_runs():
    target = variables("demo_ccdfarm")
    rgb, of_rgb = filled(variables("demo_ccdfarm:model=rgb"), target, "all", True)
    skeleton, _ = filled(variables("demo_ccdfarm:model=skeleton"), target, "all", True)
    assert not rgb.keys() & skeleton.keys()
    assert set(of_rgb.unused) == {"head/fc/kernel", "head/fc/bias"}
    fresh = target.keys() - rgb.keys() - skeleton.keys()
    transfer.check_modules({*rgb, *skeleton}, fresh, "RUNS")
    assert not any(transfer.module_of(name) for name in fresh)
    count = sum(math.prod(a.shape) for a in (*rgb.values(), *skeleton.values()))
    backbones = [n for n in target if n.startswith("backbone_")]
    assert count == sum(math.prod(target[n].shape) for n in backbones)
