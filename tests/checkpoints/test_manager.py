"""Checkpoints: exact continuation, damage, other models, other numbers of devices."""

import functools
import json
import pathlib

import chex
import jax
import numpy as np
import pytest

from jaxact import errors
from jaxact.checkpoints import files, manager
from jaxact.run import program
from tests import tiny


@functools.cache
def make_program(devices, **changes):
    experiment = tiny.experiment(**changes)
    plan = program.make_plan(experiment.train, 20)
    return program.make_program(experiment, tiny.mesh_of(devices), plan)


class Run:
    """A tiny program on so many devices, with checkpoints in a folder."""

    def __init__(self, folder, devices=1, **changes):
        self.mesh = tiny.mesh_of(devices)
        self.program = make_program(devices, **changes)
        self.checkpoints = manager.Checkpoints(folder, keep=2)

    def train(self, state, start, count):
        for number in range(start, start + count):
            batch = tiny.put(tiny.batch(number, 8), self.mesh)
            state, _ = self.program.train_step(state, batch)
        return state

    def save(self, state, step, **metrics):
        meta = {"step": step, "window": {"loss": 0.1}}
        self.checkpoints.save(state, meta)
        if metrics:
            self.checkpoints.add_metrics(step, metrics)
        self.checkpoints.wait()

    def restore(self):
        return self.checkpoints.restore_latest(self.program.abstract)


def assert_equal(left, right):
    chex.assert_trees_all_equal(*jax.device_get((left, right)))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A run with the steps 1 (the best), 2, 3 and 4 saved."""
    run = Run(tmp_path_factory.mktemp("saved"))
    state = run.program.create()
    for step, top1 in ((1, 0.9), (2, 0.3), (3, 0.6)):
        run.save(state.replace(step=state.step + step), step, top1=top1)
    run.save(state.replace(step=state.step + 4), 4)
    return run


@pytest.fixture
def copied(saved, tmp_path):
    """The same folder, to be damaged."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for source in saved.checkpoints.folder.rglob("*"):
        target = folder / source.relative_to(saved.checkpoints.folder)
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    return folder


def damage(folder: pathlib.Path, step: int) -> None:
    for file in (folder / str(step) / "state" / "d").iterdir():
        file.write_bytes(file.read_bytes()[:10])


def test_six_steps_equal_three_and_three_bit_for_bit(tmp_path):
    changes = {"model.dropout": 0.5, "model.norm": True}
    straight = Run(tmp_path / "a", **changes)
    whole = straight.train(straight.program.create(), 0, 6)

    first = Run(tmp_path / "b", **changes)
    first.save(first.train(first.program.create(), 0, 3), 3)
    second = Run(tmp_path / "b", **changes)
    state, meta = second.restore()
    assert meta == {"step": 3, "window": {"loss": 0.1}}
    assert_equal(whole, second.train(state, 3, 3))


def test_a_checkpoint_of_one_device_continues_on_four(tmp_path):
    one = Run(tmp_path)
    state = one.train(one.program.create(), 0, 2)
    one.save(state, 2)
    four = Run(tmp_path, devices=4)
    restored, _ = four.restore()
    assert_equal(state, restored)
    assert len(restored.params["head"]["kernel"].sharding.device_set) == 4


def test_an_empty_folder_has_nothing_to_restore(saved, tmp_path):
    empty = manager.Checkpoints(tmp_path)
    assert empty.steps() == [] and empty.best_step() is None
    assert empty.restore_latest(saved.program.abstract) is None


def test_the_latest_and_the_best_are_kept(saved):
    assert saved.checkpoints.steps() == [1, 3, 4]
    assert saved.checkpoints.best_step() == 1
    state, meta = saved.restore()
    assert meta["step"] == 4 and int(state.step) == 4


def test_the_best_is_known_to_a_later_process(copied):
    again = manager.Checkpoints(copied)
    assert again.steps() == [1, 3, 4] and again.best_step() == 1


def test_a_damaged_checkpoint_is_reported_set_aside_and_skipped(saved, copied, capsys):
    damage(copied, 4)
    run = manager.Checkpoints(copied)
    state, meta = run.restore_latest(saved.program.abstract)
    assert meta["step"] == 3 and int(state.step) == 3
    assert "Checkpoint 4 is damaged and left out" in capsys.readouterr().out
    assert (copied / "4.unreadable").is_dir() and run.steps() == [1, 3]
    # The step can be saved again.
    run.save(state, {"step": 4})
    run.close()
    assert run.steps() == [1, 3, 4]


def test_what_was_set_aside_before_stays(saved, copied):
    for name in ("4.unreadable", "4.unreadable.2"):
        run = manager.Checkpoints(copied)
        damage(copied, 4)
        state, _ = run.restore_latest(saved.program.abstract)
        assert (copied / name).is_dir()
        run.save(state, {"step": 4})
        run.close()
    assert run.steps() == [1, 3, 4]


def test_what_cannot_be_renamed_is_an_error(saved, copied, monkeypatch):
    damage(copied, 4)
    run = manager.Checkpoints(copied)

    def refuse(*_):
        raise OSError("Read-only file system")

    monkeypatch.setattr(pathlib.Path, "rename", refuse)
    with pytest.raises(errors.UserError, match=r"\[4\] in .* cannot be renamed .*Read"):
        run.restore_latest(saved.program.abstract)


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(13, "Permission denied"),
        OSError(116, "Stale file handle"),
        MemoryError("no memory"),
        ValueError("PERMISSION_DENIED: Error opening file"),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory"),
    ],
    ids=lambda error: str(error)[:20],
)
def test_what_may_pass_is_not_taken_for_damage(saved, copied, monkeypatch, error):
    run = manager.Checkpoints(copied)

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(manager.ocp.StandardCheckpointHandler, "restore", fail)
    with pytest.raises(
        errors.UserError, match="cannot be read now .*run the same"
    ) as e:
        run.restore_latest(saved.program.abstract)
    assert not isinstance(e.value, manager.DamagedError)
    assert run.steps() == [1, 3, 4] and not list(copied.glob("*.unreadable"))


def test_metrics_that_earlier_versions_stored_count(copied):
    path = copied / "3" / "meta" / "metadata"
    sealed = json.loads(path.read_text())
    del sealed["digest"]
    sealed["metrics"] = {"top1": 0.97}
    path.write_text(json.dumps(sealed | {"digest": files.digest_of(sealed)}))
    (copied / "3" / files.METRICS_FILE).unlink()
    run = manager.Checkpoints(copied)
    assert run.best_step() == 3 and run.metrics(3) == {"top1": 0.97}


def test_metrics_that_come_late_count(saved, copied):
    run = manager.Checkpoints(copied)
    assert run.best_step() == 1
    run.add_metrics(4, {"top1": 0.95})
    assert run.best_step() == 4
    assert manager.Checkpoints(copied, read_only=True).best_step() == 4
    assert files.find(copied, "best") == (copied, 4)
    # What was the best one need not be kept any more.
    assert run.steps() == [3, 4]
    # Kept for them, though it is neither of the latest two.
    state, _ = run.restore_latest(saved.program.abstract)
    for step in (5, 6, 7):
        run.save(state, {"step": step})
        run.add_metrics(step, {"top1": 0.5})
    run.close()
    assert run.steps() == [4, 6, 7]
    (copied / "4" / files.METRICS_FILE).write_text("{")
    assert manager.Checkpoints(copied).best_step() == 7  # the later of equals


def test_a_half_written_checkpoint_is_not_seen(saved, copied):
    (copied / "4").rename(copied / "4.orbax-checkpoint-tmp")
    run = manager.Checkpoints(copied)
    assert run.steps() == [1, 3]
    _, meta = run.restore_latest(saved.program.abstract)
    assert meta["step"] == 3


def test_only_damaged_checkpoints_are_an_error_and_stay(saved, copied):
    for step in (1, 3, 4):
        damage(copied, step)
    run = manager.Checkpoints(copied)
    with pytest.raises(errors.UserError, match=r"None of the checkpoints \[1, 3, 4\]"):
        run.restore_latest(saved.program.abstract)
    assert run.steps() == [1, 3, 4]


def test_another_models_checkpoint_is_refused_with_the_first_differences(saved):
    other = Run(saved.checkpoints.folder, **{"model.width": 7})
    with pytest.raises(errors.UserError) as error:
        other.restore()
    text = str(error.value)
    assert "is a checkpoint of another model" in text
    assert "params/head/kernel: checkpoint (5, 3), model (7, 3)" in text
    assert "params/backbone/bias: checkpoint (5,), model (7,)" in text
    assert "Give the config" in text


def test_weights_alone_need_no_equal_optimiser(saved):
    other = Run(saved.checkpoints.folder, **{"optim.optimizer": "adam"})
    weights = other.checkpoints.restore_weights(3, other.program.network.abstract)
    state, _ = saved.restore()
    assert_equal(weights["params"], state.params)
    assert weights["batch_stats"] == {}


def test_damaged_weights_are_one_readable_error(saved, copied):
    damage(copied, 3)
    run = manager.Checkpoints(copied, read_only=True)
    with pytest.raises(errors.UserError, match="damaged or was not copied whole") as e:
        run.restore_weights(3, saved.program.network.abstract)
    assert "\n" not in str(e.value) and "has the steps [1, 3, 4]" in str(e.value)


@pytest.mark.parametrize(
    ("path", "which", "step"),
    [(".", "last", 4), (".", "best", 1), ("checkpoints", "best", 1)]
    + [("checkpoints/3", "best", 3)],
)
def test_checkpoints_are_found_from_what_a_person_types(copied, path, which, step):
    assert files.find(copied.parent / path, which) == (copied, step)


def test_a_folder_without_checkpoints_is_an_error(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(errors.UserError, match="There is no checkpoint in"):
            files.find(path)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.UserError, match="Choose a folder you may write to"):
        manager.Checkpoints(tmp_path / "file" / "checkpoints")


def test_arrays_are_read_as_they_were_stored(saved):
    state, _ = saved.restore()
    arrays = saved.checkpoints.read_arrays(4)
    assert_equal(arrays["params"], jax.device_get(state.params))
    assert all(type(leaf) is np.ndarray for leaf in jax.tree.leaves(arrays))
    assert "batch_stats" not in arrays
