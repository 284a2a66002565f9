"""Kills a training at random moments and compares its end with an undisturbed one.

python -m results.kill_and_resume

Trains HCN (dropout, batch norm, AdamW) on staged skeletons once without interruption,
and once more with 20 ``kill -9``: during start-up, while the step is compiled, at any
moment of the training, and just when a checkpoint is being written. Then every array of
the last checkpoint (parameters, statistics, optimiser), its metadata and every line of
metrics.jsonl must be equal, bit for bit; only what measures time may differ. Exits with
1 if anything differs. Some minutes on one free core.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from typing import Any, NoReturn

import jax
import numpy as np
from absl import logging

import train
from input_pipeline.config import DataConfigError
from input_pipeline.dataset import DatasetError
from jaxact import config
from jaxact.checkpoints import manager
from jaxact.devices import distributed
from jaxact.run import commandline, log, program

CONFIG = "configs/demo_ccdfarm.py:model=skeleton"
CHANGES = {
    "data.skeleton_turn": 10.0,
    "train.batch_size": 8,
    "train.epochs": 14.0,  # 36 clips: an epoch ends in the middle of a batch
    "train.eval_every": 2.0,
    "train.checkpoint_every": 3,
    "train.log_every": 2,
}
STAGE = ["--clips", "60", "--rgb", "32x18", "--ir", "24x20"]
TIMES = ("clips_per_s", "data_wait", "seconds_left")
# Between which lines of output a kill comes; "saving": by a new checkpoint's files.
MOMENTS = {
    "start-up": ("", "Compiling"),
    "compiling": ("Compiling", "step "),
    "training": ("step ", "Done"),
    "saving": ("step ", "Done"),
}
KINDS = ["start-up"] * 3 + ["compiling"] * 3 + ["training"] * 7 + ["saving"] * 7


def stage(folder: pathlib.Path) -> None:
    """Stages and prepares the clips, once."""
    if (folder / "data").is_dir():
        return
    for module, *words in (
        ("input_pipeline.synthetic", "--out", folder / "raw", *STAGE),
        ("input_pipeline.prepare", "synthetic", "--raw", folder / "raw")
        + ("--out", folder / "data", "--streams", "skeleton"),
    ):
        words = [sys.executable, "-m", module, *map(str, words)]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


class Training:
    """One process of train.py, killed or not.

    It is forked from this one, which has imported everything but computed nothing:
    importing takes longer than the whole training.
    """

    def __init__(self, folder: pathlib.Path, workdir: pathlib.Path):
        self.workdir = workdir
        self.lines: list[tuple[float, str]] = []  # seconds since the start
        changes = CHANGES | {
            "data.dir": folder / "data",
            "train.compilation_cache": folder / "cache",
        }
        words = [f"--config.{key}={value}" for key, value in changes.items()]
        words = ["train.py", f"--config={CONFIG}", f"--workdir={workdir}", *words]
        self._start = time.monotonic()
        source, sink = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            _run(words, sink)
        os.close(sink)
        self._code: int | None = None
        self._reader = threading.Thread(target=self._read, args=(source,), daemon=True)
        self._reader.start()

    def _read(self, source: int) -> None:
        with open(source) as output:
            for line in output:
                self.lines.append((time.monotonic() - self._start, line.rstrip()))

    def running(self) -> bool:
        """Says whether it has not ended yet."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code is None

    def unfinished(self) -> set[str]:
        """Returns the checkpoints that are being written, or were left so."""
        return {path.name for path in self.workdir.glob("checkpoints/*tmp*")}

    def wait_for(self, kind: str, draw: random.Random, usual: float) -> None:
        """Waits for a random moment of a kind, or for the end of the process.

        ``usual`` is how long this part of the run is. How fast this one goes, nobody
        knows: in training lines are counted, not seconds.
        """
        before, (begin, end) = self.unfinished(), MOMENTS[kind]
        lines = draw.randrange(3) if kind == "training" else 0
        seconds = draw.uniform(0, usual)
        reached = None
        while self.running():
            now = time.monotonic()
            if kind == "saving":
                there = bool(self.unfinished() - before)
            else:
                there = self.count(begin) > lines or not begin
            if reached is None and there:
                reached = now
            over = self.count(end) or (kind == "training" and self.count(begin) > 3)
            if reached is not None and (now - reached > seconds or over):
                return
            time.sleep(0.001)

    def count(self, text: str) -> int:
        """Returns how many lines have begun so."""
        return sum(line.startswith(text) for _, line in self.lines)

    def when(self, text: str) -> float | None:
        """Returns when the first line that begins so was printed."""
        found = [at for at, line in self.lines if line.startswith(text)]
        return found[0] if found else None

    def kill(self) -> None:
        """Sends SIGKILL, which nothing can catch."""
        os.kill(self.pid, signal.SIGKILL)
        self.end()

    def end(self) -> int:
        """Waits for the end; returns the exit code."""
        while self.running():
            time.sleep(0.01)
        self._reader.join()
        assert self._code is not None
        return self._code

    def text(self) -> str:
        """Returns what was printed."""
        return "\n".join(line for _, line in self.lines)


def _run(words: list[str], sink: int) -> NoReturn:
    """Is train.py with these arguments, from here to the end of the process."""
    code = 1
    try:
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        sys.stdout = sys.stderr = open(sink, "w", buffering=1)
        sys.argv = words
        commandline.run(train.main, DatasetError, DataConfigError)
    except SystemExit as error:
        code = int(error.code or 0)
    except BaseException:
        traceback.print_exc()
    os._exit(code)


def usual_waits(undisturbed: Training) -> dict[str, float]:
    """Returns how many seconds each part takes, from a whole run."""
    compiling, trained = undisturbed.when("Compiling"), undisturbed.when("step ")
    assert compiling is not None and trained is not None
    return {
        "start-up": compiling,
        "compiling": trained - compiling,
        "training": (undisturbed.lines[-1][0] - trained) / 30,
        "saving": 0.3,
    }


def kill_many(
    folder: pathlib.Path,
    workdir: pathlib.Path,
    usual: dict[str, float],
    seed: int,
    kills: int,
) -> int:
    """Trains to the end through all kills; prints each; returns how many there were."""
    draw, kinds = random.Random(seed), list(KINDS)
    draw.shuffle(kinds)
    del kinds[kills:]
    for number, kind in enumerate(kinds, 1):
        if kind == "compiling":  # with nothing in the cache, so that it takes its time
            shutil.rmtree(folder / "cache", ignore_errors=True)
        training = Training(folder, workdir)
        training.wait_for(kind, draw, usual[kind])
        if not training.running():
            sys.exit(f"Kill {number} came too late: {training.text()}")
        training.kill()
        last = training.lines[-1][1].strip()[:40] if training.lines else "(no output)"
        left = ", ".join(sorted(training.unfinished()))
        half = f"  half written: {left}" if left else ""
        print(f"{number:3}  {kind:<10} {last:<40}{half}", flush=True)
    training = Training(folder, workdir)
    if training.end():
        sys.exit(training.text())
    start = next(line for _, line in training.lines if line.startswith("Start"))
    print(f"Then undisturbed to the end. {start.partition(' in ')[0]}")
    return len(kinds)


def last_state(folder: pathlib.Path, workdir: pathlib.Path) -> tuple[Any, dict]:
    """Returns all arrays of the last checkpoint, and its metadata."""
    experiment = config.load_experiment(CONFIG, CHANGES)
    mesh = distributed.make_mesh()
    plan = program.make_plan(experiment.train, 36)
    abstract = program.make_program(experiment, mesh, plan).abstract
    stored = manager.Checkpoints(workdir / "checkpoints", read_only=True)
    step = stored.steps()[-1]
    state, meta = stored.restore(step, abstract), stored.meta(step)
    print(f"  {workdir.name}: checkpoints {stored.steps()}, best {stored.best_step()}")
    stored.close()
    return jax.device_get(state), meta


def differences(folder: pathlib.Path, one: pathlib.Path, two: pathlib.Path) -> list:
    """Returns what is not equal, bit for bit."""
    (left, left_meta), (right, right_meta) = (last_state(folder, w) for w in (one, two))
    found = []
    leaves = jax.tree_util.tree_leaves_with_path(left)
    others = jax.tree.leaves(right)
    size = 0
    for (path, a), b in zip(leaves, others, strict=True):
        size += a.nbytes
        if a.dtype != b.dtype or a.tobytes() != np.asarray(b).tobytes():
            found.append(jax.tree_util.keystr(path))
    print(f"  {len(leaves)} arrays, {size:,} bytes compared")
    if left_meta != right_meta:
        found.append("the metadata of the last checkpoint")
    rows = [
        [{k: v for k, v in row.items() if k not in TIMES} for row in history]
        for history in map(log.read_history, (one, two))
    ]
    for name, history in zip((one, two), rows, strict=True):
        text = (name / log.METRICS_FILE).read_text()
        if not text.endswith("\n") or len(text.splitlines()) != len(history):
            found.append(f"{name}/metrics.jsonl has a line that is no JSON")
    print(f"  {len(rows[0])} and {len(rows[1])} lines of metrics")
    if json.dumps(rows[0]) != json.dumps(rows[1]):
        found.append("metrics.jsonl")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", default="runs/kill_and_resume", type=pathlib.Path)
    parser.add_argument("--kills", default=len(KINDS), type=int, help="how many")
    parser.add_argument("--seed", default=0, type=int, help="of the moments")
    given = parser.parse_args()
    logging.set_verbosity(logging.ERROR)
    folder = given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    stage(folder)
    straight, broken = folder / "undisturbed", folder / "killed"
    for workdir in (straight, broken):
        shutil.rmtree(workdir, ignore_errors=True)
    began = time.monotonic()
    training = Training(folder, straight)
    if training.end():
        sys.exit(training.text())
    print(f"Undisturbed: {time.monotonic() - began:.0f} s.")
    began = time.monotonic()
    count = kill_many(folder, broken, usual_waits(training), given.seed, given.kills)
    print(f"With {count} kills: {time.monotonic() - began:.0f} s. Comparison:")
    found = differences(folder, straight, broken)
    print("Different: " + ", ".join(found) if found else "Equal, bit for bit.")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
