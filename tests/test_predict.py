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

from input_pipeline.own_clip import read_clip
from jaxact import checkpoint, distributed, load_experiment
from jaxact.program import make_plan, make_program
from tests.input_pipeline.test_own_clip import write_video

ROOT = pathlib.Path(__file__).parent.parent
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
    checkpoints = checkpoint.Checkpoints(tmp_path / "run" / "checkpoints")
    checkpoints.save(state, {"step": 7}, {"top1": 0.5})
    checkpoints.close()

    done = run(tmp_path, "--rgb", str(video), "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr

    (rgb,) = read_clip({"rgb": video}, experiment.data, program.inputs).values()
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


@pytest.mark.usefixtures("experiment")
def test_says_which_file_is_missing(tmp_path):
    done = run(tmp_path, "--ir", "own.avi")
    assert done.returncode == 2
    assert "Error: The model reads rgb. Add --rgb FILE. Leave out --ir." in done.stderr
