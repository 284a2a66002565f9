"""A finished baseline is STAFusion's teacher, and stands still."""

import functools

import jax
import numpy as np
import pytest
from flax import traverse_util

from jaxact import batch, config, errors
from jaxact.run import program, transfer
from tests import tiny
from tests.paths import ROOT

SMALL = {
    "model.image_size": 16,
    "model.frames": 4,
    "model.depth": 1,
    "model.width": 12,
    "model.heads": 2,
    "model.dropout": 0.1,  # of which a teacher has none
    "model.drop_path": 0.1,
    "train.batch_size": 4,
    "schedule.warmup_epochs": 0.0,
}


def experiment_of(arg, **changes):
    return config.load_experiment(
        f"{ROOT}/configs/demo_stafusion.py:{arg}", SMALL | changes
    )


@functools.cache
def program_of(arg):
    experiment = experiment_of(arg)
    plan = program.make_plan(experiment.train, 40)
    return experiment, program.make_program(experiment, tiny.mesh_of(1), plan)


def flat(tree):
    return traverse_util.flatten_dict(jax.device_get(tree), sep="/")


@functools.cache
def started():
    """The baseline's parameters, and STAFusion's before it takes what is theirs."""
    random = np.random.default_rng(3)
    _, baseline = program_of("baseline")
    params = {
        name: value + 0.1 * random.normal(size=value.shape).astype(np.float32)
        for name, value in flat(baseline.create().params).items()
    }
    experiment, ours = program_of("teacher=runs/baseline")
    fresh = flat(ours.create().params)
    filled, report = transfer.convert(
        params, fresh, experiment.train.init_part, "runs/baseline"
    )
    return params, filled, fresh, report


def test_the_whole_baseline_becomes_the_teacher():
    params, filled, fresh, report = started()
    head = {name for name in params if name.startswith("head/")}
    assert set(filled) == set(params) - head | {f"teacher_{name}" for name in head}
    np.testing.assert_array_equal(
        filled["teacher_head/fc/kernel"], params["head/fc/kernel"]
    )
    assert not report.unused
    assert {name.split("/")[0] for name in report.fresh} == {"scorer", "fusion", "head"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.fusion": "concat"}, r"teacher_head/fc/kernel: checkpoint .24, 16."),
        ({"model.fusion": "average"}, r"head_ir/fc/bias: .* model missing"),
    ],
)
def test_networks_of_another_head_do_not_teach(changes, message):
    """Their one head does not read what the teacher's does."""
    baseline = experiment_of("baseline", **changes).model
    one = batch.example_batch(experiment_of("baseline"), 1)
    shapes = jax.eval_shape(baseline.build().init, jax.random.key(0), one)["params"]
    arrays = {
        name: np.zeros(x.shape, np.float32)
        for name, x in traverse_util.flatten_dict(shapes, sep="/").items()
    }
    with pytest.raises(errors.UserError, match=message) as caught:
        transfer.convert(arrays, started()[2], "teacher", "RUN")
    assert "a baseline with fusion=add" in str(caught.value)


@pytest.mark.long
def test_the_teacher_is_the_baseline_before_and_after_training():
    """Its logits to the digit, with dropout in the config; the student's change."""
    params, filled, fresh, _ = started()
    (_, baseline), (experiment, ours) = (
        program_of(arg) for arg in ("baseline", "teacher=runs/baseline")
    )
    shown = batch.example_batch(experiment, 4)
    apply, taught = (jax.jit(x.network.module.apply) for x in (baseline, ours))
    nested = functools.partial(traverse_util.unflatten_dict, sep="/")
    expected = apply({"params": nested(params)}, shown)["logits"]
    before = fresh | filled
    state = ours.create()
    state = state.replace(
        params=jax.device_put(nested(before), tiny.mesh_of(1).devices.flat[0])
    )
    first = taught({"params": jax.device_get(state.params)}, shown)
    for number in range(3):
        given = batch.example_batch(experiment, 4, seed=number)
        state, _ = ours.train_step(state, tiny.put(given, tiny.mesh_of(1)))
    after = flat(state.params)
    last = taught({"params": nested(after)}, shown)
    np.testing.assert_array_equal(first["teacher_logits"], expected)
    np.testing.assert_array_equal(last["teacher_logits"], expected)
    assert np.abs(last["logits"] - first["logits"]).max() > 1e-4
    moved = {
        name.split("/")[0] for name in after if np.any(after[name] != before[name])
    }
    assert moved == {"scorer", "fusion", "head"}


def test_of_a_teacher_that_stands_still_no_gradient_is_computed():
    """Products of matrices in the step: F of the backbone, not its gradients' 2 F - 1.

    One less, for what comes before the first layer is no parameter; and the two of the
    gradient of the teacher's head.
    """

    def products(jaxpr):
        return str(jaxpr).count("dot_general")

    steps = []
    for arg in ("", "teacher=runs/baseline"):
        experiment, built = program_of(arg)
        given = tiny.put(batch.example_batch(experiment, 4), tiny.mesh_of(1))
        steps.append(products(built.train_step.trace(built.abstract, given).jaxpr))
    _, baseline = program_of("baseline")
    network = baseline.network
    forward = products(network.eval_step.trace(network.abstract, given).jaxpr) - 1
    assert steps[0] - steps[1] == (2 * forward - 1) + 2


def test_a_teacher_that_reads_the_mean_in_place_of_the_sum_is_told():
    file = f"{ROOT}/configs/demo_stafusion.py:teacher=runs/baseline"
    experiment = config.load_experiment(file)
    assert experiment.model.notes(experiment) == []
    experiment.model.class_token = "mean"
    (note,) = experiment.model.notes(experiment)
    assert "trained on the sum" in note and "class_token=sum" in note
