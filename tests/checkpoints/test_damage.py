"""Every way of losing a part of a checkpoint ends at the one before, and says so."""

import pathlib
import shutil

import chex
import jax
import orbax.checkpoint as ocp
import pytest

from jaxact import errors
from jaxact.checkpoints import manager
from jaxact.run import program
from tests import tiny

META = {"step": 2, "window": {"loss": 0.1}, "config": "optim.lr = 0.1\n"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with the steps 1 and 2, the states, and the program."""
    experiment = tiny.experiment(**{"model.norm": True, "model.width": 499})
    plan = program.make_plan(experiment.train, 20)
    built = program.make_program(experiment, tiny.mesh_of(1), plan)
    folder = tmp_path_factory.mktemp("saved")
    checkpoints = manager.Checkpoints(folder)
    states = {}
    for step in (1, 2):
        state = built.create()
        state = state.replace(
            params=jax.tree.map(lambda x, step=step: x + step, state.params)
        )
        checkpoints.save(state, META | {"step": step})
        states[step] = jax.device_get(state)
    checkpoints.close()
    return folder, states, built.abstract


def delete(path: pathlib.Path) -> None:
    path.unlink()


def empty(path: pathlib.Path) -> None:
    path.write_bytes(b"")


def halve(path: pathlib.Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def zero(path: pathlib.Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def remove(path: pathlib.Path) -> None:
    shutil.rmtree(path)


# What is damaged, how, and whether what is left is the whole checkpoint all the same:
# Orbax keeps some facts twice.
CASES = [
    ("state", remove, False),
    ("state/_METADATA", delete, False),
    ("state/_METADATA", empty, False),
    ("state/_METADATA", halve, False),
    ("state/manifest.ocdbt", delete, False),
    ("state/manifest.ocdbt", empty, False),
    ("state/manifest.ocdbt", halve, False),
    ("state/manifest.ocdbt", zero, False),
    ("state/d", remove, False),
    ("state/d/*", delete, False),
    ("state/d/*", empty, False),
    ("state/d/*", halve, False),
    ("state/d/*", zero, False),
    ("meta", remove, False),
    ("meta/metadata", delete, False),
    ("meta/metadata", empty, False),
    ("meta/metadata", halve, False),
    ("meta/metadata", zero, False),
    ("_CHECKPOINT_METADATA", delete, True),
    ("_CHECKPOINT_METADATA", halve, True),
]


@pytest.mark.parametrize(
    ("where", "how", "whole"), CASES, ids=[f"{h.__name__}-{w}" for w, h, _ in CASES]
)
def test_a_part_that_is_gone_leads_to_the_step_before(
    saved, tmp_path, capsys, where, how, whole
):
    folder, states, abstract = saved
    copy = tmp_path / "checkpoints"
    shutil.copytree(folder, copy)
    for path in sorted((copy / "2").glob(where)):
        how(path)
    checkpoints = manager.Checkpoints(copy)
    state, meta = checkpoints.restore_latest(abstract)
    checkpoints.close()
    assert meta == META | {"step": 2 if whole else 1}
    chex.assert_trees_all_equal(jax.device_get(state), states[meta["step"]])
    said = "Checkpoint 2 is damaged and left out: " in capsys.readouterr().out
    assert said == (not whole)
    assert (copy / "2.unreadable").is_dir() == (not whole)


def test_metadata_that_were_changed_are_damage(saved, tmp_path, capsys):
    folder, _, abstract = saved
    copy = tmp_path / "checkpoints"
    shutil.copytree(folder, copy)
    path = copy / "2" / "meta" / "metadata"
    path.write_text(path.read_text().replace("lr = 0.1", "lr = 0.2"))
    checkpoints = manager.Checkpoints(copy)
    with pytest.raises(manager.DamagedError, match="not those that were stored"):
        checkpoints.meta(2)
    _, meta = checkpoints.restore_latest(abstract)
    assert meta["step"] == 1


def test_a_flipped_bit_in_an_array_is_not_restored_as_if_right(saved, tmp_path):
    """Bits of the middle of each file of arrays; nothing wrong may come back."""
    folder, states, abstract = saved
    files = sorted((folder / "2").glob("state/ocdbt.process_0/d/*"))
    files += sorted((folder / "2").glob("state/d/*"))
    for number, file in enumerate(files):
        copy = tmp_path / str(number)
        shutil.copytree(folder, copy)
        path = copy / file.relative_to(folder)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0x10
        path.write_bytes(data)
        checkpoints = manager.Checkpoints(copy)
        state, meta = checkpoints.restore_latest(abstract)
        checkpoints.close()
        expected = states[meta["step"]]
        chex.assert_trees_all_equal(jax.device_get(state), expected)


@pytest.mark.parametrize("part", ["step", "batch_stats", "opt_state"])
def test_every_part_of_the_state_has_a_fingerprint(saved, monkeypatch, part):
    folder, _, abstract = saved
    restore = ocp.StandardCheckpointHandler.restore

    def wrong(*args, **kwargs):
        state = restore(*args, **kwargs)
        changed = jax.tree.map(lambda x: x + 1, getattr(state, part))
        return state.replace(**{part: changed})

    monkeypatch.setattr(ocp.StandardCheckpointHandler, "restore", wrong)
    with pytest.raises(manager.DamagedError, match=f"{part}.* is not the array"):
        manager.Checkpoints(folder, read_only=True).restore(2, abstract)


def test_without_a_whole_one_the_run_says_so(saved, tmp_path):
    folder, _, abstract = saved
    copy = tmp_path / "checkpoints"
    shutil.copytree(folder, copy)
    for step in ("1", "2"):
        delete(copy / step / "state" / "_METADATA")
    with pytest.raises(errors.UserError) as error:
        manager.Checkpoints(copy).restore_latest(abstract)
    text = str(error.value)
    assert "None of the checkpoints [1, 2]" in text
    assert "Restore the folder from a copy, or remove it to start anew." in text
