"""The scripts as commands: signals, flags, exit codes."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest
from absl import app

from jaxact import config, errors
from jaxact.run import commandline, stopping
from tests.paths import ROOT


@pytest.fixture
def interruptible():
    """SIGINT as in a terminal: a shell's background jobs start with it ignored."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.mark.usefixtures("interruptible")
def test_a_second_signal_acts_as_without_us():
    with stopping.StopSignal() as stop:
        former = signal.getsignal(signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.exit_code(1) == 130
        assert signal.getsignal(signal.SIGINT) is not former
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_what_comes_last_is_not_cut_short():
    """A machine stopped by another's signal may get its own while it still writes."""
    done = []

    def last():
        os.kill(os.getpid(), signal.SIGTERM)
        done.append("written")

    former = signal.getsignal(signal.SIGTERM)
    with stopping.StopSignal(last):
        pass
    assert done == ["written"] and signal.getsignal(signal.SIGTERM) is former


UNREAD = """
import os, signal
from jaxact.devices.distributed import say
from jaxact.run import stopping

with stopping.StopSignal() as stop:
    os.kill(os.getpid(), signal.SIGTERM)
    say("a line")
    say("another")
    raise SystemExit(stop.exit_code())
"""


def test_a_run_saves_although_nobody_reads_its_output_any_more():
    """Ctrl-C ends the tee behind the run as well."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing) as pipe:
        command = [sys.executable, "-c", UNREAD]
        done = subprocess.run(
            command, cwd=ROOT, stdout=pipe, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (143, "")


CONFIG = """
from tests import tiny

def get_config(arg=""):
    return tiny.experiment()
"""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "No experiment is given. Add --config FILE"),
        (["--config", "missing.py"], "No config file at 'missing.py'"),
        (["--config=FILE", "--config.optim.lrr=1"], "Did you mean 'lr'?"),
        (["--config=FILE", "--config.optimizer.lr=1"], "Its fields are: name, model"),
        (["--config=FILE", "--config.optim.lr=abc"], "expected float"),
        (["--config", "FILE", "--config.train.epochs", "x"], "expected float"),
        (["--config=FILE", "--config.optim.optimizer=lamb"], "choose one of sgd, adam"),
        (["--config=FILE", "--config.train.init_part"], "choose one of all"),
        (["--config=FILE", "--", "--config.a=1"], "Got --config.a=1, which belongs"),
        (["--config=FILE", "model.width=3"], "Got model.width=3, which belongs to no"),
        (["--config=FILE", "--worckdir=x"], "Unknown command line flag 'worckdir'"),
    ],
)
def test_a_wrong_command_line_ends_in_one_line(tmp_path, capsys, words, message):
    file = tmp_path / "tiny_config.py"
    file.write_text(CONFIG)
    words = [word.replace("FILE", str(file)) for word in words]
    with pytest.raises(SystemExit) as stop:
        commandline.parse_flags(["train.py", *words])
    assert stop.value.code == errors.EXIT_USER_ERROR
    text = capsys.readouterr().err
    assert message in text and text.strip().count("\n") == 0
    assert text.startswith("\nError: ")


def test_right_overrides_pass(tmp_path):
    file = tmp_path / "tiny_config.py"
    file.write_text(CONFIG)
    words = ["--config", f"{file}:arg", "--config.model.norm", "--config.optim.lr=1"]
    words += ["--config.train.epochs", "3", "--workdir", "x", "--"]
    left = commandline.parse_flags(["train.py", *words])
    assert left == ["train.py"]
    found = commandline.experiment()
    assert (found.model.norm, found.optim.lr, found.train.epochs) == (True, 1.0, 3.0)
    assert commandline.workdir() == pathlib.Path("x")


def test_help_needs_no_config(capsys):
    app.define_help_flags()
    with pytest.raises(SystemExit) as stop:
        commandline.parse_flags(["train.py", "--helpfull"])
    assert stop.value.code == 1  # absl's
    shown = capsys.readouterr()
    assert "--config: FILE[:ARG]" in shown.out and not shown.err


def test_friendly_ends_with_the_documented_codes(capsys):
    def fail(error):
        raise error

    for error, code in (
        (errors.UserError("bad"), 2),
        (config.ConfigError("bad"), 2),
        (KeyError("known here"), 2),
        (errors.NotFiniteError("bad"), 3),
    ):
        with pytest.raises(SystemExit) as stop:
            errors.friendly(fail, KeyError)(error)
        assert stop.value.code == code
    with pytest.raises(ZeroDivisionError):
        errors.friendly(fail)(ZeroDivisionError())


def test_the_script_itself_dies_of_a_misspelt_key(tmp_path):
    """As a process: exit code, and no traceback."""
    file = tmp_path / "tiny_config.py"
    file.write_text(CONFIG)
    words = ["train.py", "--config", str(file), "--config.train.epoch=1"]
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 2
    assert "Did you mean 'epochs'?" in done.stderr
    assert "Traceback" not in done.stderr
