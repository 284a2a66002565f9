"""predict.py on a live stream, from end to end: a quarter of a minute."""

import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from input_pipeline.synthetic.sending import Sender
from jaxact import load_experiment
from tests.paths import ROOT
from tests.scripts.test_predict import CONFIG, save_fresh

pytestmark = pytest.mark.long
FILM = np.random.default_rng(0).integers(0, 255, (30, 64, 96, 3), np.uint8)


def resident(pid: int) -> float:
    """Memory of a process, MiB."""
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def start(folder: pathlib.Path, address: str, *words: str) -> subprocess.Popen:
    (folder / "tiny.py").write_text(CONFIG)
    if not (folder / "run").exists():
        save_fresh(load_experiment(str(folder / "tiny.py")), folder)
    command = [sys.executable, "-u", "predict.py", "--config", str(folder / "tiny.py")]
    command += ["--workdir", str(folder / "run"), "--checkpoint=last", "--timeout=1"]
    command += ["--rgb", address, "--out", str(folder / "out"), *words]
    process = subprocess.Popen(
        [*command, "--window=1", "--stride=.5", "--threshold=0", "--shortest=0"],
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if line.startswith("Windows of 1.00 s"):
            assert "told at most 1.50 s later" in line
            return process
    raise AssertionError("it ended before it began")


def test_fifteen_seconds_with_a_stall(tmp_path):
    with Sender(FILM, 15) as sender:
        process = start(tmp_path, sender.address, "--seconds=15")
        time.sleep(4)
        before = resident(process.pid)
        with sender.still():
            time.sleep(3)
        time.sleep(5)
        after = resident(process.pid)
        said, _ = process.communicate()
    assert process.wait() == 0
    assert after < 1.03 * before
    assert "rgb stalled: noth" in said and "nothing is predicted meanwhile" in said
    assert "rgb came back after 3" in said
    assert "told after it began: mean 1." in said
    facts = json.loads((tmp_path / "out" / "timeline.json").read_text())
    moments = facts["moments"]
    assert moments[0]["start"] == 0 and moments[-1]["end"] >= 13_000_000
    silent = sum(moment["windows"] == 0 for moment in moments) / 2
    assert 0.5 <= silent <= 4
    assert len(facts["events"]) == 2


def test_an_interrupt_leaves_whole_files_and_a_kill_the_lines(tmp_path):
    with Sender(FILM, 15) as sender:
        process = start(tmp_path, sender.address)
        time.sleep(5)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate()
        assert process.wait() == 128 + signal.SIGINT
        assert "SIGINT: saving, then leaving." in said and "Timeline: " in said
        whole = json.loads((tmp_path / "out" / "timeline.json").read_text())
        assert whole["segments"] and "</html>" in (
            (tmp_path / "out" / "timeline.html").read_text()
        )
        process = start(tmp_path, sender.address)
        time.sleep(6)
        process.kill()
        process.wait()
        process.stdout.close()
    lines = (tmp_path / "out" / "timeline.jsonl").read_text().splitlines()
    assert len([json.loads(line) for line in lines]) >= 5
    with (tmp_path / "out" / "timeline.csv").open(newline="") as file:
        assert next(csv.reader(file)) == ["start", "end", "class", "score"]
