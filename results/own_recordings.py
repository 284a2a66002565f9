"""Two sets as people have them, staged, and what the library makes of them.

python -m results.own_recordings hour           two cameras, an hour, forty parts
python -m results.own_recordings eighty_six     nine classes, of seventy clips and two

``hour``: two streams of 25 and 8 frames a second, of which the second one begins 2.7 s
later, are prepared by the command; said are the peak memory of each process (MB), how
many parts have exactly their frames, and the offset that is proposed.

``eighty_six``: what is warned of, the folds by person, and the pooled confusion matrix
of a small network without and with ``data.balance=1``. A class is a bright square at
one of nine places; all frames have noise.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from input_pipeline.offsets.correlation import propose
from input_pipeline.offsets.motion import of_file
from tests.input_pipeline import recorded, small_set
from tests.input_pipeline import test_recorded_hour as recorded_hour

FOLDS = 5
NETWORK = {
    "model.backbone.patch": 4,
    "model.backbone.depth": 1,
    "model.backbone.width": 32,
    "model.backbone.heads": 2,
    "model.frames": 2,
    "train.batch_size": 16,
    "train.eval_every": 0,
    "train.epochs": 40,
    "data.flip": 0,  # a place is a class
    "data.resize_min": 16,
    "data.resize_max": 16,
    "data.test_resize": 16,
    "eval.pictures": 0,
}


def hour(folder: Path, seconds: int = 3600, parts: int = 40) -> dict:
    """Stages, prepares and measures; an AssertionError is a part that is not exact."""
    staged = recorded.stage(folder, seconds, parts)
    start = time.monotonic()
    _, first, worker = recorded_hour.prepare(staged, folder / "out", "--workers", "2")
    lasted = time.monotonic() - start
    recorded_hour.check_frames(staged, folder / "out")
    found = propose(of_file(staged.rgb, "rgb"), of_file(staged.ir, "ir"))
    return {
        "parts with exactly their frames": f"{len(staged.parts)} of {parts}",
        "seconds of preparing": round(lasted),
        "peak memory of the first process, MB": round(first),
        "peak memory of a worker, MB": round(worker),
        "offset": float(recorded.OFFSET),
        "offset that is proposed": round(found.offset, 3),
        "doubt": found.doubt or "none",
    }


def stage_small(folder: Path) -> Path:
    """Writes the 86 pairs with pictures by which the classes can be told."""
    table = small_set.write(folder, split=False)
    random = np.random.default_rng(0)
    for clip, label in enumerate(small_set.LABELS):
        row, column = divmod(small_set.CLASSES.index(label), 3)
        for stream, mode in (("rgb", "RGB"), ("ir", "L")):
            for frame in range(3):
                picture = random.normal(90, 25, (16, 16))
                picture[5 * row : 5 * row + 5, 5 * column : 5 * column + 5] += 90
                image = Image.fromarray(picture.clip(0, 255).astype(np.uint8))
                path = folder / stream / f"{clip:03d}" / f"{frame}.png"
                image.convert(mode).save(path)
    return table


def run(*words: object) -> str:
    """Returns what a command prints."""
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-3000:]}")
    return done.stdout


def eighty_six(folder: Path, epochs: int = int(NETWORK["train.epochs"])) -> dict:
    """Prepares the set and cross-validates it with both kinds of sampling."""
    table, out = stage_small(folder / "raw"), folder / "data"
    words = ["-m", "input_pipeline.prepare", "clips", "--manifest", table]
    said = run(*words, "--name", "small", "--min_frames", 3, "--out", out)
    found: dict = {
        "clips by class": Counter(small_set.LABELS),
        "warnings": [line for line in said.splitlines() if line.startswith("Warning")],
    }
    for balance in (0, 1):
        place = folder / f"balance_{balance}"
        values = NETWORK | {"train.epochs": epochs, "data.balance": balance}
        config = f"configs/own_dual_stream.py:dataset=small,dir={out},image=16"
        words = ["crossvalidate.py", "--config", config, "--workdir", place]
        words += ["--folds", "person", "--num_folds", FOLDS]
        run(*words, *(f"--config.{key}={value}" for key, value in values.items()))
        report = json.loads((place / "report" / "report.json").read_text())
        confusion, rows = report["confusion"], report["folds"]["rows"]
        rare = sorted(small_set.CLASSES)[:-1]  # walk is the last one
        found[f"balance {balance}"] = {
            "clips of the folds": [row["clips"] for row in rows],
            "top-1": report["top1"],
            "mean class accuracy": report["mean_class_accuracy"],
            "rare clips that are right, of 16": sum(
                confusion[i][i] for i in range(len(rare))
            ),
            "pooled confusion": confusion,
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m results.own_recordings")
    parser.add_argument("what", choices=("hour", "eighty_six"))
    what = parser.parse_args().what
    with tempfile.TemporaryDirectory() as folder:
        found = (hour if what == "hour" else eighty_six)(Path(folder))
    for key, value in found.items():
        if isinstance(value, list | dict):
            print(f"{key}:")
            pairs = value.items() if isinstance(value, dict) else enumerate(value, 1)
            print("\n".join(f"  {name}: {each}" for name, each in pairs))
        else:
            print(f"{key}: {value}")


if __name__ == "__main__":
    main()
