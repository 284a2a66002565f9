"""The flags of the scripts: what is taken, and what ends in one line."""

import pathlib
import subprocess
import sys

import pytest
from absl import app, flags

from jaxact import errors
from jaxact.run import commandline
from tests.paths import ROOT

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
    flags.FLAGS["config"].unparse()  # what another test has given
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
