"""export.py from end to end: a model folder in, a format out, without the data."""

import json
import os
import subprocess
import sys

import jax
import pytest

import jaxact
from jaxact.export import folder
from jaxact.run.network import make_network
from tests import tiny
from tests.export.test_folder import CONFIG, LABELS, SMALL
from tests.paths import ROOT


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    experiment = jaxact.load_experiment(CONFIG, SMALL)
    variables = make_network(experiment.model, tiny.mesh_of(1)).init(jax.random.key(0))
    place = tmp_path_factory.mktemp("model") / "model"
    return folder.write(place, experiment, variables, LABELS)


def run(*words):
    return subprocess.run(
        [sys.executable, "export.py", *map(str, words)],
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )


@pytest.mark.long
def test_a_folder_becomes_a_file_that_was_compared(model, tmp_path):
    out = tmp_path / "out"
    words = ["--config", model, "--format", "stablehlo", "--out", out, "--clips", 3]
    done = run(*words, f"--config.data.dir={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert "Compared on random clips: " in done.stdout
    assert "any number of clips a call." in done.stdout
    assert "on 3 random clips." in done.stdout
    assert json.loads((out / "model.json").read_text())["labels"] == LABELS


@pytest.mark.long
def test_a_call_without_a_format_is_told_what_there_are(model):
    done = run("--config", model)
    assert done.returncode == 2
    assert "Add --format (stablehlo, savedmodel, tflite, onnx)" in done.stderr
