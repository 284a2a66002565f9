"""The scripts from end to end, on a tiny model and batches from memory."""

import json
import os
import signal

import chex
import jax
import numpy as np
import pytest
import tensorflow as tf
from flax.traverse_util import flatten_dict

import evaluate
import train
from jaxact import config, errors
from jaxact.checkpoints import files, manager
from jaxact.devices import distributed
from jaxact.run import log, program, session
from tests import tiny

SCREEN = ("clips_per_s", "data_wait", "seconds_left")  # these measure time


PROGRAMS: dict = {}


def cached_program(experiment, mesh, plan):
    """Compiles the same experiment once for all tests."""
    lines = config.config_text(experiment).splitlines()
    free = tuple(config.keys_that_may_differ(experiment, "runs"))
    key = [line for line in lines if not line.startswith(free)]
    key = (plan.total_steps, *key)
    if key not in PROGRAMS:
        PROGRAMS[key] = program.make_program(experiment, mesh, plan)
    return PROGRAMS[key]


@pytest.fixture(autouse=True, scope="module")
def quick():
    """One device and shared programs: what is tested here depends on neither."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distributed, "make_mesh", lambda *_: tiny.mesh_of(1))
        patch.setattr(session, "make_program", cached_program)
        yield


def run(folder, data=None, **changes):
    return train.train(tiny.experiment(**changes), folder, data or tiny.TinyData())


def history(folder):
    rows = log.read_history(folder)
    return [{k: v for k, v in row.items() if k not in SCREEN} for row in rows]


def arrays(folder, step):
    """The whole state of a step, as stored."""
    plan = program.make_plan(config.TrainConfig(), 20)
    abstract = cached_program(tiny.experiment(), tiny.mesh_of(1), plan).abstract
    stored = manager.Checkpoints(folder / "checkpoints", read_only=True)
    return jax.device_get(stored.restore(step, abstract))


def assert_equal(left, right):
    chex.assert_trees_all_equal(left, right)


@pytest.fixture(scope="module")
def finished(quick, tmp_path_factory):
    """A run of six steps: batches of 8 of 20 clips, 2.4 epochs."""
    folder = tmp_path_factory.mktemp("finished")
    run(folder)
    return folder


def test_a_run_leaves_what_it_promises(finished):
    rows = history(finished)
    # Progress every 2 steps, evaluation every round(2.5) = 2 steps.
    trained = [row["step"] for row in rows if "loss" in row]
    evaluated = [row["step"] for row in rows if "eval/top1" in row]
    assert trained == [2, 4, 6] and evaluated == [2, 4, 6]
    assert rows[0]["epoch"] == 2 * 8 / 20
    assert rows[-1]["eval/frame_recall"] == pytest.approx(
        rows[-1]["eval/frame_chance"], abs=0.5
    )
    assert "optim.lr = 0.1" in (finished / "config.txt").read_text()
    assert manager.Checkpoints(finished / "checkpoints").steps() == [4, 6]


def test_tensorboard_reads_the_same_numbers(finished):
    (file,) = (finished / "tensorboard").iterdir()
    seen = {}
    for event in tf.compat.v1.train.summary_iterator(str(file)):
        for value in event.summary.value:
            seen[value.tag, event.step] = value.simple_value
    for row in history(finished):
        for name, number in row.items():
            if name != "step":
                assert seen[name, row["step"]] == pytest.approx(number, rel=1e-6)


def test_calling_a_finished_run_again_only_evaluates(finished, capsys):
    before = history(finished)
    metrics = run(finished)
    assert history(finished) == before
    assert metrics["top1"] == before[-1]["eval/top1"]
    assert "Start: checkpoint of step 6" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_the_same_command_continues_exactly(
    finished, tmp_path, number, capsys
):
    def send(step):  # while batch 2 is waited for: two steps are done by then
        if step == 2:
            os.kill(os.getpid(), number)

    with pytest.raises(SystemExit) as stop:
        run(tmp_path, tiny.TinyData(on_batch=send))
    assert stop.value.code == 128 + number
    assert manager.Checkpoints(tmp_path / "checkpoints").steps() == [2, 3]
    assert "Stopped after step 3" in capsys.readouterr().out

    run(tmp_path)
    assert "Start: checkpoint of step 3" in capsys.readouterr().out
    assert_equal(arrays(finished, 6), arrays(tmp_path, 6))
    # Step 3 lies in the middle of a window of two: its line is the same nevertheless.
    assert history(tmp_path) == history(finished)


class Interrupting(tiny.TinyData):
    """Sends SIGTERM before a batch of an evaluation; which, by their order."""

    def __init__(self, *when):
        super().__init__()
        self.evaluations, self.when = 0, when

    def eval_batches(self, *args, **part):
        for number, batch in enumerate(super().eval_batches(*args, **part)):
            self.evaluations += number == 0
            if (self.evaluations, number) in self.when:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch


def test_a_signal_in_an_evaluation_saves_at_once_and_it_is_made_up_for(
    finished, tmp_path, capsys
):
    # In the second batch of the second evaluation, then in its repetition.
    for when in ((2, 1), (1, 0)):
        with pytest.raises(SystemExit) as stop:
            run(tmp_path, Interrupting(when))
        assert stop.value.code == 143
        assert "Stopped after step 4; the same" in capsys.readouterr().out
        stored = manager.Checkpoints(tmp_path / "checkpoints")
        assert stored.steps() == [2, 4] and stored.best_step() == 2
        assert stored.metrics(2) and not stored.metrics(4)
        assert [row["step"] for row in history(tmp_path)] == [2, 2, 4]
    run(tmp_path)
    assert history(tmp_path) == history(finished)
    assert_equal(arrays(finished, 6), arrays(tmp_path, 6))
    best = [
        manager.Checkpoints(folder / "checkpoints", read_only=True).best_step()
        for folder in (finished, tmp_path)
    ]
    assert best[0] == best[1]


def test_a_signal_before_an_evaluation_does_not_wait_for_it(finished, tmp_path, capsys):
    def send(step):  # the last step is under way, and is evaluated
        if step == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit):
        run(tmp_path, tiny.TinyData(on_batch=send))
    assert "test after step 6" not in capsys.readouterr().out
    # Killed after the evaluation was logged: it is not there twice.
    metrics = run(tmp_path)
    run(tmp_path)
    assert metrics["top1"] == history(finished)[-1]["eval/top1"]
    assert history(tmp_path) == history(finished)
    stored = manager.Checkpoints(tmp_path / "checkpoints", read_only=True)
    assert stored.steps() == [4, 6] or stored.best_step() not in (4, 6)


def test_a_run_is_not_continued_on_other_data(finished, tmp_path):
    class Newer(tiny.TinyData):
        def dataset_facts(self, data):
            facts = super().dataset_facts(data)
            facts.version, facts.num_clips = "1.1.0", {"train": 21, "test": 10}
            return facts

    with pytest.raises(errors.UserError) as error:
        run(finished, Newer())
    text = str(error.value)
    assert "was begun on other data:\n  version: was 1.0.0, now 1.1.0\n" in text
    assert "now {'train': 21, 'test': 10}" in text and "--config.data.version" in text
    run(finished, **{"data.version": "1.0.0"})  # as it says


@pytest.mark.parametrize("seed", [-1, 2**32 + 5])
def test_every_integer_is_a_seed(tmp_path, seed):
    run(tmp_path, **{"train.seed": seed, "train.epochs": 0.4})


def test_one_version_of_the_data_serves_the_whole_run(tmp_path):
    seen = []

    class Versions(tiny.TinyData):
        def train_batches(self, data, *args, **part):
            seen.append(data.version)
            return super().train_batches(data, *args, **part)

        def eval_batches(self, data, *args, **part):
            seen.append(data.version)
            return super().eval_batches(data, *args, **part)

    run(tmp_path, Versions())
    assert len(seen) > 3 and set(seen) == {"1.0.0"}


def test_lines_after_the_restored_step_are_written_anew(finished, tmp_path):
    class Killed(Exception):
        pass

    def kill(step):
        if step == 5:
            raise Killed

    with pytest.raises(Killed):
        run(tmp_path, tiny.TinyData(on_batch=kill), **{"train.log_every": 1})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "los')  # cut off in the middle of a line
    assert [row["step"] for row in history(tmp_path)] == [1, 2, 2, 3, 4, 4, 5]
    run(tmp_path, **{"train.log_every": 1})
    assert [row["step"] for row in history(tmp_path)] == [1, 2, 2, 3, 4, 4, 5, 6, 6]
    assert_equal(arrays(finished, 6), arrays(tmp_path, 6))


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    class Poisoned(tiny.TinyData):
        def train_batches(self, *args, **part):
            batches = super().train_batches(*args, **part)
            for number, batch in enumerate(batches):
                if number == 4:
                    batch["label"] = batch["label"] + 1000  # no such class: NaN
                yield batch

    with pytest.raises(errors.NotFiniteError) as error:
        run(tmp_path, Poisoned())
    text = str(error.value)
    assert "not finite at step 5" in text and "of the steps [2, 4]" in text
    assert "Lower optim.lr" in text
    assert manager.Checkpoints(tmp_path / "checkpoints").steps() == [2, 4]
    for leaf in jax.tree.leaves(arrays(tmp_path, 4)):
        assert np.isfinite(leaf).all()


def test_another_config_does_not_continue_the_run(finished):
    with pytest.raises(errors.UserError) as error:
        run(finished, **{"optim.lr": 0.2, "train.seed": 1, "eval.batch_size": 7})
    text = str(error.value)
    assert "  optim.lr: was 0.1, now 0.2\n  train.seed: was 0, now 1\n" in text
    assert "eval" not in text and "--config.train.init_from=" in text


def test_weights_of_another_run_are_a_start(finished, tmp_path, capsys):
    changes = {"train.init_from": str(finished), "train.epochs": 0.4, "optim.lr": 0.0}
    run(tmp_path, **changes)
    assert f"Start: weights of {finished}" in capsys.readouterr().out
    assert_equal(arrays(tmp_path, 1).params, arrays(finished, 6).params)


def test_another_runs_backbone_is_a_start_for_other_classes(finished, tmp_path):
    start = {"train.init_from": str(finished), "train.init_part": "backbone"}
    changes = {"train.epochs": 0.4, "optim.lr": 0.0}
    run(tmp_path, **start, **changes)
    new, old = (
        flatten_dict(arrays(folder, step).params, sep="/")
        for folder, step in ((tmp_path, 1), (finished, 6))
    )
    equal = {name for name in new if np.array_equal(new[name], old[name])}
    assert equal >= {name for name in new if "backbone" in name}
    assert "head/kernel" in new.keys() - equal


def test_weights_of_another_size_are_refused(finished, tmp_path):
    with pytest.raises(errors.UserError, match="is a checkpoint of another model"):
        run(tmp_path, **{"train.init_from": str(finished), "model.width": 7})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.num_classes": 7}, "has 7 classes .* has 3. Add --config.model.num_cl"),
        (
            {"train.batch_size": 9, "train.accumulate": 2},
            "batch of 9 .* multiple of 2",
        ),
        ({"train.epochs": 0.0}, "train.epochs is 0; expected more than 0"),
        ({"train.epochs": float("inf")}, "train.epochs is inf; expected more than 0"),
        ({"train.batch_size": -8}, "train.batch_size is -8; expected 1 or more"),
        ({"train.keep": -1}, "train.keep is -1; expected 1 or more"),
        ({"train.eval_every": -1.0}, "train.eval_every is -1; expected 0 or more"),
        ({"train.checkpoint_every": -5}, "train.checkpoint_every is -5; expected 0"),
        ({"optim.lr": -1.0}, "optim.lr is -1.0; expected 0 or more, and an end"),
        ({"schedule.warmup_epochs": -2.0}, "warmup_epochs is -2.0; expected 0 or more"),
        ({"model.width": 0}, "model.width is 0; expected 1 or more"),
        ({"eval.batch_size": 0}, "eval.batch_size is 0; expected 1 or more"),
        ({"eval.pictures": -1}, "eval.pictures is -1; expected 0 or more"),
        ({"eval.split": "val"}, "no clips in the split 'val' .* it has train"),
        ({"train.init_from": "nowhere"}, "nowhere"),
    ],
)
def test_what_does_not_fit_is_said_before_the_first_step(tmp_path, changes, message):
    def never(step):
        raise AssertionError("a batch was read")

    with pytest.raises((errors.UserError, config.ConfigError), match=message):
        run(tmp_path, tiny.TinyData(on_batch=never), **changes)


def test_what_the_model_notes_is_said_at_the_start(tmp_path, monkeypatch, capsys):
    notes = lambda self, experiment: [f"seed {experiment.train.seed} is odd."]  # noqa: E731
    monkeypatch.setattr(tiny.TinyConfig, "notes", notes)
    run(tmp_path, **{"train.epochs": 0.4, "train.seed": 7})
    said = capsys.readouterr().out
    assert said.index("\nNote: seed 7 is odd.\n") < said.index("Start: ")


def test_evaluation_names_what_is_not_as_in_training(finished, capsys):
    folder, step = files.find(finished)
    changes = {"model.dropout": 0.25, "data.protocol": "other", "optim.lr": 3.0}
    evaluate.evaluate(tiny.experiment(**changes), folder, step, tiny.TinyData())
    assert (
        "Note: this checkpoint was trained with other values:\n"
        "  model.dropout: was 0.0, now 0.25\n"
        "  data.protocol: was '', now 'other'\n"
        "Checkpoint of step"
    ) in capsys.readouterr().out


def test_weights_that_do_not_fit_are_refused_with_the_values_they_had(finished):
    """As those of a DAM whose blocks stood elsewhere: model.layout says where."""
    folder, step = files.find(finished)
    other = tiny.experiment(**{"model.width": 7})
    with pytest.raises(errors.UserError, match="is a checkpoint of another") as error:
        evaluate.evaluate(other, folder, step, tiny.TinyData())
    assert str(error.value).endswith(
        "It was trained with other values:\n  model.width: was 5, now 7"
    )


def test_the_last_save_is_not_cut_short_by_a_signal(tmp_path, monkeypatch):
    """The first that this process gets, while it writes after its last step."""
    wait, times = manager.Checkpoints.wait, []

    def signalled(self):
        if self.metrics(6) and not times:
            times.append(1)
            os.kill(os.getpid(), signal.SIGTERM)
        wait(self)

    monkeypatch.setattr(manager.Checkpoints, "wait", signalled)
    run(tmp_path)
    assert manager.Checkpoints(tmp_path / "checkpoints").steps()[-1] == 6


def test_evaluation_says_the_same_as_training_and_fills_the_report(finished):
    folder, step = files.find(finished)
    experiment = tiny.experiment(**{"eval.pictures": 3, "eval.batch_size": 4})
    result = evaluate.evaluate(experiment, folder, step, tiny.TinyData())
    last = history(finished)[-1]
    assert result.loss == pytest.approx(last["eval/loss"], rel=1e-6)
    assert result.selection["frame_recall"] == last["eval/frame_recall"]
    np.testing.assert_array_equal(result.ids, np.arange(20, 30))
    assert result.names[0] == "clip 20" and result.views == 1
    assert result.scores.shape == (10, 3) and result.difficulty.shape == (10,)
    # Three of ten clips, from all over the split.
    assert [example["name"] for example in result.examples] == [
        "clip 20",
        "clip 23",
        "clip 26",
    ]
    example = result.examples[1]
    np.testing.assert_array_equal(example["scores"], result.scores[3])
    frames = tiny.batch(1000, 10)["rgb"][3]
    np.testing.assert_array_equal(example["streams"]["rgb"], frames)
    assert len(result.history) == 6


def test_metrics_lines_are_json(finished):
    for line in (finished / "metrics.jsonl").read_text().splitlines():
        assert "step" in json.loads(line)
