"""From a recording of temperatures to a report and a prediction, by commands alone."""

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from input_pipeline.conversions import table
from input_pipeline.prepare import __main__ as preparing
from tests.paths import ROOT

RATE, FRAMES = 10, 12
SMALL = (
    *("--config.model.backbone.patch=4", "--config.model.backbone.depth=1"),
    *("--config.model.backbone.width=16", "--config.model.backbone.heads=2"),
    *("--config.train.batch_size=8", "--config.train.epochs=20"),
    *(
        "--config.train.eval_every=0",
        "--config.data.flip=0",
        "--config.eval.pictures=1",
    ),
)


def recording(random, feverish):
    """[t 16 16] degrees: somebody of 26 or 31 goes through a room of 22.

    Each file by its own lowest and highest value, both would look alike.
    """
    frames = random.normal(22, 0.1, (FRAMES * len(feverish), 16, 16))
    for part, fever in enumerate(feverish):
        row = random.integers(3, 10)
        for i in range(FRAMES):
            column = slice(i, i + 4)
            frames[part * FRAMES + i, row : row + 4, column] += 9 if fever else 4
    return frames.astype(np.float32)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Two days of 16 parts each, of people with a fever and without."""
    folder, random = tmp_path_factory.mktemp("own"), np.random.default_rng(0)
    with (folder / "segments.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("recording", "first", "stop", "tag", "day"))
        for day in ("monday", "tuesday"):
            feverish = random.permutation([True, False] * 8)
            np.save(folder / f"{day}.npy", recording(random, feverish))
            for i, fever in enumerate(feverish):
                tag = "fever" if fever else "well"
                writer.writerow((day, i * FRAMES, (i + 1) * FRAMES, tag, day))
    table.main(
        [
            *("ir={recording}.npy", f"ir_rate={RATE}", "start_frame={first}"),
            *("end_frame={stop}", "label={tag}", "day={day}"),
            *("--table", f"{folder}/segments.csv", "--out", f"{folder}/m.csv"),
        ]
    )
    preparing.main(
        [
            *("clips", "--manifest", f"{folder}/m.csv", "--name", "walks"),
            *("--scaling", "fixed:20:32", "--workers", "1", "--out", f"{folder}/data"),
        ]
    )
    return folder


def run(folder, script, *more):
    config = f"configs/own_dual_stream.py:dataset=walks,dir={folder}/data,image=16"
    done = subprocess.run(
        [sys.executable, script, "--config", config, *SMALL, *more],
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_temperatures_are_learned_and_predicted_by_commands(prepared):
    out = str(prepared / "run")
    run(prepared, "crossvalidate.py", "--workdir", out, "--folds", "day")
    report = json.loads((prepared / "run/report/report.json").read_text())
    assert report["values"] == {"ir": "fixed:20:32"}
    assert report["clips"] == 32 and report["top1"] >= 0.9
    page = (prepared / "run/report/report.html").read_text()
    assert "fixed:20:32" in page
    # A clip of another day, cut out of its recording, scaled as the checkpoint says.
    random = np.random.default_rng(1)
    for fever, name in ((True, "fever"), (False, "well")):
        np.save(prepared / f"{name}.npy", recording(random, [fever]))
        fold = ["--workdir", f"{out}/fold_1", "--checkpoint", "last"]
        files = ["--ir", f"{prepared}/{name}.npy", "--out", f"{prepared}/{name}"]
        run(prepared, "predict.py", *fold, *files)
        said = json.loads((prepared / name / "prediction.json").read_text())
        assert said["best"][0][0] == name
