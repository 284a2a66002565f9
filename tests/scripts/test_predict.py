"""predict.py from end to end: a video file, a checkpoint, the words it prints."""

import json
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest
from PIL import Image

from input_pipeline.dataset import DatasetError
from input_pipeline.formats import ntu
from input_pipeline.own_clip import read_clip
from jaxact import load_experiment
from jaxact.checkpoints import manager
from jaxact.devices import distributed
from jaxact.report import bodies
from jaxact.run.program import make_plan, make_program
from tests.input_pipeline import raw
from tests.input_pipeline.test_own_clip import write_video
from tests.paths import ROOT

CONFIG = """
from input_pipeline.config import DataConfig
from jaxact.config import Experiment
from tests.tiny import TinyConfig

def get_config(arg=""):
    data = DataConfig(dir="nowhere", test_resize=20, eval_views_space=2)
    return Experiment("tiny", TinyConfig(), data)
"""


def run(folder: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "predict.py", "--config", str(folder / "tiny.py")]
    return subprocess.run(
        [*command, "--workdir", str(folder / "run"), *arguments],
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def experiment(tmp_path):
    (tmp_path / "tiny.py").write_text(CONFIG)
    return load_experiment(str(tmp_path / "tiny.py"))


def test_predicts_what_the_model_says_of_the_clip(tmp_path, experiment):
    video = write_video(tmp_path / "own.mkv", 12, 30, 40)
    mesh = distributed.make_mesh()
    program = make_program(experiment, mesh, make_plan(experiment.train, 16))
    state = program.create()
    checkpoints = manager.Checkpoints(tmp_path / "run" / "checkpoints")
    checkpoints.save(state, {"step": 7})
    checkpoints.add_metrics(7, {"top1": 0.5})
    checkpoints.close()

    done = run(tmp_path, "--rgb", str(video), "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "Class names unknown, frames made 256 pixels short: " in done.stdout

    inputs = experiment.model.inputs()
    (rgb,) = read_clip({"rgb": video}, experiment.data, inputs).values()
    module = experiment.model.build()
    variables = {"params": jax.device_get(state.params)}
    logits = module.apply(variables, {"rgb": rgb}, train=False)["logits"]
    scores = np.asarray(jax.nn.softmax(logits)).mean(0)  # the mean of the two views
    facts = json.loads((tmp_path / "out" / "prediction.json").read_text())
    assert [name for name, _ in facts["best"]] == [
        f"class {i}" for i in np.argsort(-scores)
    ]
    np.testing.assert_allclose(
        [p for _, p in facts["best"]], np.sort(scores)[::-1], atol=1e-6
    )
    assert f"{scores.max():7.1%}  class {scores.argmax()}\n" in done.stdout
    assert facts["checkpoint"].endswith("/checkpoints/7")
    with Image.open(tmp_path / "out" / "prediction.png") as picture:
        colours = {colour for _, colour in picture.getcolors(2**24)}
    assert (255, 179, 0) in colours  # the border of a key frame


BODIES = """
import dataclasses
import flax.linen as nn
import jax, jax.numpy as jnp, numpy as np
from input_pipeline.config import DataConfig
from jaxact.config import Experiment
from tests.tiny import TinyConfig

class Height(nn.Module):
    num_classes: int

    @nn.compact
    def __call__(self, batch, *, train):
        heights = batch["skeleton"][:, 0, :, :, 1].mean(axis=1)
        return {"logits": nn.Dense(self.num_classes)(heights)}

@dataclasses.dataclass
class BodyConfig(TinyConfig):
    def build(self):
        return Height(self.num_classes)

    def inputs(self):
        return {"skeleton": jax.ShapeDtypeStruct((2, 8, 25, 3), np.float32)}

def get_config(arg=""):
    return Experiment("tiny", BodyConfig(), DataConfig(dir="nowhere"))
"""


def save_fresh(experiment, folder: pathlib.Path):
    program = make_program(
        experiment, distributed.make_mesh(), make_plan(experiment.train, 16)
    )
    checkpoints = manager.Checkpoints(folder / "run" / "checkpoints")
    checkpoints.save(program.create(), {"step": 1})
    checkpoints.close()


@pytest.mark.long
def test_skeletons_are_read_and_drawn(tmp_path):
    (tmp_path / "tiny.py").write_text(BODIES)
    experiment = load_experiment(str(tmp_path / "tiny.py"))
    save_fresh(experiment, tmp_path)
    path = raw.write_skeleton(tmp_path / "own.skeleton", bodies=2)
    done = run(tmp_path, "--skeleton", str(path), "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    facts = json.loads((tmp_path / "out" / "prediction.json").read_text())
    assert sum(p for _, p in facts["best"]) == pytest.approx(1)
    with Image.open(tmp_path / "out" / "prediction.png") as picture:
        colours = {colour for _, colour in picture.getcolors(2**24)}
    assert set(bodies.PERSONS) <= colours

    # An array is another form of the same file.
    np.save(tmp_path / "own.npy", ntu.read_skeleton(path).points)
    forms = [
        read_clip({"skeleton": file}, experiment.data, experiment.model.inputs())
        for file in (path, tmp_path / "own.npy")
    ]
    np.testing.assert_array_equal(forms[0]["skeleton"], forms[1]["skeleton"])


def test_a_skeleton_of_other_joints_is_refused(tmp_path):
    (tmp_path / "tiny.py").write_text(BODIES)
    experiment = load_experiment(str(tmp_path / "tiny.py"))
    np.save(tmp_path / "own.npy", np.ones((9, 20, 3)))
    with pytest.raises(DatasetError, match="8, 25, 3.; the data .* frames, 20, 3"):
        read_clip(
            {"skeleton": tmp_path / "own.npy"},
            experiment.data,
            experiment.model.inputs(),
        )


@pytest.mark.long
def test_a_folder_that_cannot_be_written_to_is_said_before_computing(
    tmp_path, experiment
):
    save_fresh(experiment, tmp_path)
    video = write_video(tmp_path / "own.mkv", 12, 30, 40)
    done = run(tmp_path, "--rgb", str(video), "--out", str(video / "out"))
    assert done.returncode == 2 and "Traceback" not in done.stderr
    text = f"Error: Nothing can be written to {video / 'out'}: Not a directory. Make"
    assert text in done.stderr
    assert "%" not in done.stdout


def test_a_long_file_becomes_a_timeline(tmp_path, experiment):
    save_fresh(experiment, tmp_path)
    video = write_video(tmp_path / "own.mkv", 12, 30, 40)
    out = tmp_path / "out"
    words = ("--window=.4", "--stride=.2", "--threshold=0", "--checkpoint=last")
    done = run(tmp_path, "--rgb", str(video), "--out", str(out), *words)
    assert done.returncode == 0, done.stderr
    assert "Windows of 0.40 s (2 frames a stream, one every 0.200 s), a new one" in (
        done.stdout
    )
    assert f"Timeline: {out / 'timeline.html'}" in done.stdout
    whole = json.loads((out / "timeline.json").read_text())
    assert [(m["start"], m["windows"]) for m in whole["moments"]] == [
        *((0, 1), (200_000, 2), (400_000, 2), (600_000, 2), (800_000, 2)),
        (1_000_000, 2),  # the last window, 1.0 to 1.2 s, is half as long
    ]
    assert whole["segments"][-1]["end"] == 1_200_000


@pytest.mark.long
def test_a_folder_of_clips_becomes_a_table(tmp_path, experiment):
    save_fresh(experiment, tmp_path)
    (tmp_path / "clips").mkdir()
    write_video(tmp_path / "clips" / "a.mkv", 12, 30, 40)
    out = tmp_path / "out"
    (tmp_path / "clips" / "b.mkv").write_bytes(b"")
    words = ("--rgb", str(tmp_path / "clips"), "--out", str(out), "--checkpoint=last")
    done = run(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert "1 clips predicted, 1 could not be read" in done.stdout
    lines = (out / "predictions.csv").read_text().splitlines()
    assert lines[0] == "rgb,class,score,error"
    assert "a.mkv,class" in lines[1] and "empty" in lines[2]


@pytest.mark.usefixtures("experiment")
def test_says_which_file_is_missing(tmp_path):
    done = run(tmp_path, "--ir", "own.avi")
    assert done.returncode == 2
    assert "Error: The model reads rgb. Add --rgb FILE. Leave out --ir." in done.stderr
