"""Shards written by several processes, a killed one, and Apache Beam."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from input_pipeline.dataset import DatasetError, PreparedDataset
from tests.input_pipeline.prepare.small import contents, run


def test_same_bytes_with_two_processes(raw_dir, whole, tmp_path):
    again = run(raw_dir, tmp_path, workers=2)
    assert contents(again) == contents(whole)


KILLED = """
import multiprocessing, os, signal, sys
from pathlib import Path
from input_pipeline.prepare import __main__ as prepare
from input_pipeline.prepare import plan

count = 0

def after_clip(self, failure):
    global count
    count += 1
    if count == 3:
        pids = [str(child.pid) for child in multiprocessing.active_children()]
        Path(sys.argv[3]).write_text(" ".join(pids))
        os.kill(os.getpid(), signal.SIGKILL)

plan.FailureLimit.__call__ = after_clip
prepare.main(["ntu60", "--raw", sys.argv[1], "--out", sys.argv[2], "--short_side",
              "16", "--shards", "3", "--workers", "2"])
"""


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"  # ended, but nobody asked yet


def test_killed_in_the_middle_and_run_again(raw_dir, whole, tmp_path):
    pids = tmp_path / "pids"
    arguments = [str(raw_dir), str(tmp_path), str(pids)]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    with pytest.raises(DatasetError, match="half prepared"):
        PreparedDataset.open(tmp_path, "ntu60")
    # The workers end by themselves when the process that started them is gone.
    alive = [int(pid) for pid in pids.read_text().split()]
    assert len(alive) == 2
    deadline = time.monotonic() + 20
    while alive and time.monotonic() < deadline:
        alive = [pid for pid in alive if is_running(pid)]
        time.sleep(0.1)
    assert not alive
    assert contents(run(raw_dir, tmp_path)) == contents(whole)


def test_beam_writes_the_same_bytes(raw_dir, whole, tmp_path):
    pytest.importorskip("apache_beam")
    again = run(raw_dir, tmp_path, beam=["--runner=DirectRunner"])
    assert contents(again) == contents(whole)
