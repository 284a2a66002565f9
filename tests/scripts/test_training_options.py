"""Averages, mixtures and early ends through the scripts: stopped anywhere, the same."""

import json

import jax
import numpy as np
import pytest

import evaluate
import jaxact
from jaxact import config, errors
from jaxact.checkpoints import files, manager
from jaxact.run import initialize, log, predictor, program, session, transfer
from tests import tiny
from tests.scripts.test_train import history, quick, run

__all__ = ["quick"]  # a fixture

# What a step may carry or draw, at once.
ALL = {
    "model.norm": True,
    "model.dropout": 0.2,
    "train.ema_decay": 0.9,
    "train.label_smoothing": 0.1,
    "train.class_balance": 1.0,
    "mix.mixup": 0.8,
    "mix.cutmix": 1.0,
    "optim.part_lr": (("backbone", 0.5),),
    "train.checkpoint_every": 1,
    "train.keep": 10,
}


@pytest.fixture(scope="module")
def finished(quick, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("options")
    run(folder, **ALL)
    return folder


def state_of(folder, step, **changes):
    experiment = tiny.experiment(**changes)
    plan = program.make_plan(experiment.train, 20, (1, 1, 1))
    built = program.make_program(experiment, tiny.mesh_of(1), plan)
    stored = manager.Checkpoints(folder / "checkpoints", read_only=True)
    return jax.device_get(stored.restore(step, built.abstract))


def equal(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


def test_a_run_killed_between_steps_comes_to_the_same(finished, tmp_path):
    """As by kill -9: nothing is saved on the way out but what a step had saved."""

    class Killed(BaseException):
        pass

    def kill(number):
        if number in stops:
            stops.remove(number)
            raise Killed

    stops = [1, 2, 5]
    while stops:
        with pytest.raises(Killed):
            run(tmp_path, tiny.TinyData(on_batch=kill), **ALL)
    run(tmp_path, **ALL)
    one, other = (state_of(folder, 6, **ALL) for folder in (finished, tmp_path))
    assert equal(one, other) and not equal(one.ema["params"], one.params)
    assert history(tmp_path) == history(finished)


def test_the_averages_are_what_is_evaluated_loaded_and_started_from(finished, capsys):
    """And that is said."""
    state = state_of(finished, 6, **ALL)
    experiment = tiny.experiment(**ALL)
    _, variables = jaxact.load_model(experiment, finished)
    assert equal(variables["params"], state.ema["params"])
    assert equal(variables["batch_stats"], state.ema["batch_stats"])
    said = "Weights: averaged in training (train.ema_decay 0.9).\n"
    assert capsys.readouterr().out == said
    folder, step = files.find(finished)
    result = evaluate.evaluate(experiment, folder, step, tiny.TinyData())
    assert said in capsys.readouterr().out
    top1 = (result.scores.argmax(axis=1) == result.labels).mean()
    last = [row for row in log.read_history(finished) if "eval/top1" in row][-1]
    assert last["eval/top1"] == pytest.approx(top1)
    assert last["eval/loss"] == pytest.approx(result.loss, rel=1e-5)
    start = transfer.start_from(str(finished), "all", state.params, state.batch_stats)
    assert equal(start.params, state.ema["params"])


def test_the_mean_of_the_last_checkpoints(finished, capsys):
    states = [state_of(finished, step, **ALL) for step in (4, 5, 6)]
    experiment = tiny.experiment(**ALL, **{"eval.average_last": 3})
    asked = predictor.Predictor(experiment, finished)
    assert "the mean of the checkpoints [4, 5, 6]" in capsys.readouterr().out
    expected = jax.tree.map(lambda *x: sum(x) / 3, *(state.ema for state in states))
    for a, b in zip(
        jax.tree.leaves(asked.variables), jax.tree.leaves(expected), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    experiment.eval.average_last = 7
    with pytest.raises(errors.UserError, match="there are 6 checkpoints up to step 6"):
        predictor.Predictor(experiment, finished)


def test_averages_begin_with_the_weights_that_are_given(finished, tmp_path):
    changes = {"train.init_from": str(finished), "train.ema_decay": 0.5}
    changes["model.norm"] = True
    opened = session.open_training(tiny.experiment(**changes), tiny.TinyData())
    stored = manager.Checkpoints(tmp_path)
    state, _ = initialize.start_state(tiny.experiment(**changes), opened, stored)
    assert equal(state.ema["params"], state_of(finished, 6, **ALL).ema["params"])
    assert equal(state.ema["params"], state.params)


class Chosen(tiny.TinyData):
    """Has validation clips."""

    def __init__(self):
        super().__init__()
        self.sizes = {"train": 20, "val": 6, "test": 10}


def test_training_ends_when_validation_clips_say_so(quick, tmp_path, capsys):  # noqa: F811
    # Weights that do not move: the first evaluation is the best, to the end.
    still = {"optim.lr": 0.0, "train.epochs": 8.0, "train.patience": 3}
    run(tmp_path, Chosen(), **still)
    evaluated = [row["step"] for row in history(tmp_path) if "eval/top1" in row]
    assert evaluated == [2, 4, 6, 8]  # of 20 steps, evaluated every second
    assert "No better for 3 evaluations" in capsys.readouterr().out
    # The same command finds it ended; with more patience it goes on.
    run(tmp_path, Chosen(), **still)
    assert [r["step"] for r in history(tmp_path) if "eval/top1" in r] == evaluated
    run(tmp_path, Chosen(), **still | {"train.patience": 4})
    assert [r["step"] for r in history(tmp_path) if "eval/top1" in r][-1] == 10


def test_test_clips_must_not_choose_when_training_ends(tmp_path):
    with pytest.raises(errors.UserError, match="'test', which is reported.*val_share"):
        run(tmp_path, **{"train.patience": 3})
    with pytest.raises(errors.UserError, match="train.patience is -1"):
        run(tmp_path, **{"train.patience": -1})


def test_evaluations_since_the_best_one_are_counted(tmp_path):
    rows = [{"step": i, "eval/top1": x} for i, x in enumerate((0.5, 0.7, 0.6, 0.7))]
    text = "".join(json.dumps(row) + "\n" for row in [{"step": 0, "loss": 1.0}, *rows])
    (tmp_path / log.METRICS_FILE).write_text(text)
    assert log.evaluations_since_best(tmp_path, "top1") == 2  # as good is not better
    assert log.evaluations_since_best(tmp_path / "none", "top1") == 0


def test_a_decay_that_forgets_nothing_is_refused():
    with pytest.raises(config.ConfigError, match="train.ema_decay is 1; expected 0"):
        plan = program.make_plan(config.TrainConfig(), 20)
        changed = tiny.experiment(**{"train.ema_decay": 1.0})
        program.make_program(changed, tiny.mesh_of(1), plan)
