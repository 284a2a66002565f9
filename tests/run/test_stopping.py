"""Signals: noticed once, and nothing that must end is cut short."""

import os
import signal
import subprocess
import sys

import pytest

from jaxact.run import stopping
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
