"""A run's folder belongs to one run at a time."""

import errno
import fcntl
import os
import subprocess
import sys

import pytest

from jaxact import errors
from jaxact.devices import distributed
from jaxact.run import workdir
from tests.paths import ROOT

HOLDER = """
import pathlib, sys, time
from jaxact.run import workdir
with workdir.lock_workdir(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_killed_run_frees_its_folder(tmp_path):
    words = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(errors.UserError, match=f"process {holder.pid} on"):
            with workdir.lock_workdir(tmp_path):
                pass
        holder.kill()
    with workdir.lock_workdir(tmp_path):
        assert (tmp_path / ".lock").read_text().startswith(f"{os.getpid()} on")


def test_other_processes_of_a_run_do_not_lock_but_leave_too(tmp_path, monkeypatch):
    monkeypatch.setattr(distributed, "is_main", lambda: False)
    with workdir.lock_workdir(tmp_path / "run"):
        assert not (tmp_path / "run").exists()
    monkeypatch.setattr(distributed, "any_process", lambda flag: True)
    with pytest.raises(errors.UserError, match="The main process cannot use the fol"):
        with workdir.lock_workdir(tmp_path / "run"):
            pass


def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch, capsys):
    def unknown(handle, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", unknown)
    with workdir.lock_workdir(tmp_path):
        pass
    assert "knows no locks" in capsys.readouterr().out
