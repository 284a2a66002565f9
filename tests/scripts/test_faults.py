"""Full disks, folders that are not ours, two runs at once, notices to leave."""

import contextlib
import errno
import os
import pathlib
import resource
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import evaluate
import train
from jaxact import errors
from jaxact.checkpoints import manager
from jaxact.devices import distributed
from jaxact.run import log as progress
from jaxact.run.program import make_plan, make_program
from tests import tiny
from tests.paths import ROOT


@pytest.fixture(autouse=True)
def one_device(monkeypatch):
    monkeypatch.setattr(distributed, "make_mesh", lambda *_: tiny.mesh_of(1))


def run(folder, data=None, **changes):
    return train.train(tiny.experiment(**changes), folder, data or tiny.TinyData())


@contextlib.contextmanager
def full_disk(most: int):
    """No file may grow beyond so many bytes, as if the disk had no more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def fill_at(step, stack, saved):
    """From this step on, and when that folder is there, the disk is full."""

    def on_batch(number):
        if number == step:
            while not saved.is_dir():  # it is written in the background
                time.sleep(0.01)
            stack.enter_context(full_disk(64))

    return on_batch


def steps_of(folder):
    return [row["step"] for row in progress.read_history(folder)]


def test_a_full_disk_loses_nothing(tmp_path):
    """The first write that fails ends the run; with room, it goes on as if never."""
    run(tmp_path / "whole")
    with contextlib.ExitStack() as stack:
        fill = fill_at(3, stack, tmp_path / "full" / "checkpoints" / "2")
        with pytest.raises(errors.UserError) as error:
            run(tmp_path / "full", tiny.TinyData(on_batch=fill))
    text = str(error.value)
    assert f"could not be written to {tmp_path / 'full'}" in text
    assert "Make room there" in text and "continues from the last" in text
    assert manager.Checkpoints(tmp_path / "full" / "checkpoints").steps() == [2]
    run(tmp_path / "full")
    assert steps_of(tmp_path / "full") == steps_of(tmp_path / "whole")


def wait_for_writers(folder):
    """Waits until nothing new appears: Orbax waits for the first that failed alone.

    Call it while the disk is still full: what finds room after all is a whole step.
    """
    before = None
    while before != (now := sorted(folder.rglob("*"))):
        before = now
        time.sleep(0.5)


def test_a_disk_that_fills_up_while_a_checkpoint_is_saved(tmp_path):
    experiment = tiny.experiment()
    mesh = tiny.mesh_of(1)
    program = make_program(experiment, mesh, make_plan(experiment.train, 20))
    state = program.create()
    run_of = manager.Checkpoints(tmp_path)
    run_of.save(state, {"step": 1})
    run_of.wait()
    with full_disk(64):
        with pytest.raises(errors.UserError) as error:
            run_of.save(state, {"step": 2})
            run_of.wait()
        wait_for_writers(tmp_path)
    text = str(error.value)
    assert f"The checkpoint could not be written to {tmp_path}" in text
    assert "Make room there" in text and "the last whole one, of [1]" in text
    again = manager.Checkpoints(tmp_path)
    assert again.steps() == [1]
    again.save(state, {"step": 2})
    again.close()
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["1", "2"]


def test_a_report_that_cannot_be_kept_is_said_before_anything_is_computed(
    tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    computed = []
    monkeypatch.setattr(evaluate.commandline, "experiment", tiny.experiment)
    monkeypatch.setattr(evaluate.commandline, "workdir", lambda: tmp_path)
    monkeypatch.setattr(evaluate.predictor, "find_checkpoint", lambda *_: (tmp_path, 1))
    monkeypatch.setattr(evaluate, "evaluate", lambda *_: computed.append(1))
    monkeypatch.setattr(evaluate, "write_report", lambda out, _: out / "report.html")

    def call(out):
        evaluate.flags.FLAGS(["evaluate.py", f"--out={out}"])
        evaluate.main()

    with pytest.raises(errors.UserError) as error:
        call(tmp_path / "file" / "report")
    text = str(error.value)
    assert f"written to {tmp_path / 'file' / 'report'}: Not a directory. Make" in text
    assert "with --out; then run the same command again" in text
    with full_disk(64), pytest.raises(errors.UserError, match="File too large"):
        call(tmp_path / "full")
    assert not computed
    call(tmp_path / "report")
    assert computed and not list((tmp_path / "report").iterdir())


def test_a_folder_that_is_read_only_is_said_before_anything_is_computed(
    tmp_path, monkeypatch
):
    def read_only(path, *_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    def never(step):
        raise AssertionError("a batch was read")

    monkeypatch.setattr(pathlib.Path, "mkdir", read_only)
    with pytest.raises(errors.UserError) as error:
        run(tmp_path / "run", tiny.TinyData(on_batch=never))
    text = str(error.value)
    assert f"cannot be kept in {tmp_path / 'run'}: Read-only file system" in text
    assert "with --workdir" in text


def test_a_second_run_in_the_same_folder_is_refused(tmp_path):
    def second(step):
        if step == 1:
            run(tmp_path)

    with pytest.raises(errors.UserError) as error:
        run(tmp_path, tiny.TinyData(on_batch=second))
    text = str(error.value)
    assert f"Another run is at work in {tmp_path}: process {os.getpid()} on" in text
    assert "kill PID saves and leaves" in text and "another --workdir" in text
    run(tmp_path)  # the first run has left, and freed the folder


def test_same_config_same_numbers(tmp_path):
    """Two runs, each compiled by itself: every number and every byte is the same."""
    kept = []
    for name in ("a", "b"):
        folder = tmp_path / name
        run(folder, **{"model.dropout": 0.5, "model.norm": True, "train.epochs": 1.2})
        rows = progress.read_history(folder)
        times = ("clips_per_s", "data_wait", "seconds_left")
        kept.append([{k: v for k, v in row.items() if k not in times} for row in rows])
    assert kept[0] == kept[1] and len(kept[0]) > 1


CONFIG = """
from tests import tiny

def get_config(arg=""):
    return tiny.experiment(**{"train.epochs": 4000.0, "train.eval_every": 0.0})
"""
SCRIPT = """
import sys, train
from jaxact.run import commandline
from tests import tiny

train.pipeline = None
def main():
    train.distributed.initialize()
    train.train(commandline.experiment(), commandline.workdir(), tiny.TinyData())
commandline.run(main)
"""


@pytest.mark.long
def test_sigterm_to_a_real_process_saves_and_leaves(tmp_path):
    (tmp_path / "config.py").write_text(textwrap.dedent(CONFIG))
    folder = tmp_path / "run"
    words = [f"--config={tmp_path / 'config.py'}", f"--workdir={folder}"]
    with subprocess.Popen(
        [sys.executable, "-u", "-c", SCRIPT, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("step 4/"):
                process.terminate()
                break
        rest = process.stdout.read()
    assert process.returncode == 143, "".join(lines) + rest
    assert "SIGTERM: saving, then leaving." in rest
    (step,) = manager.Checkpoints(folder / "checkpoints", read_only=True).steps()
    assert f"Stopped after step {step}; the same command continues." in rest
    assert np.array(steps_of(folder)).max() <= step


@pytest.mark.long
def test_killed_twice_and_continued_ends_at_the_same_bits(tmp_path):
    """The script behind docs/trust.md, on real data, with two of its twenty kills."""
    words = ["--folder", str(tmp_path), "--kills", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "results.kill_and_resume", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "With 2 kills" in done.stdout and "Equal, bit for bit." in done.stdout
