"""A model for inference: the weights of a checkpoint, and nothing of training."""

import subprocess
import sys

import jax
import numpy as np
import pytest

import jaxact
from jaxact import errors
from jaxact.checkpoints import manager
from jaxact.devices import distributed
from jaxact.run import optim, predictor, program, steps
from tests import tiny
from tests.paths import ROOT


@pytest.fixture(scope="module", autouse=True)
def one_device():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distributed, "make_mesh", lambda *_: tiny.mesh_of(1))
        yield


@pytest.fixture(scope="module")
def run_folder(one_device, tmp_path_factory):
    """A run whose head differs from step to step; the first is the best."""
    folder = tmp_path_factory.mktemp("run")
    experiment = tiny.experiment(**{"model.norm": True})
    plan = program.make_plan(experiment.train, 20)
    state = program.make_program(experiment, tiny.mesh_of(1), plan).create()
    checkpoints = manager.Checkpoints(folder / "checkpoints")
    for step, top1 in ((3, 0.9), (5, 0.2)):
        params = state.params | {"head": {k: x + step for k, x in HEAD.items()}}
        meta = {"step": step, "config": jaxact.config.config_text(experiment)}
        checkpoints.save(state.replace(params=params), meta)
        checkpoints.add_metrics(step, {"top1": top1})
    checkpoints.close()
    return folder


HEAD = {"kernel": np.eye(5, 3, dtype=np.float32), "bias": np.arange(3.0, dtype="f4")}


def experiment(**changes):
    return tiny.experiment(**{"model.norm": True} | changes)


@pytest.mark.parametrize(
    ("checkpoint", "step"),
    [("", 5), ("checkpoints/3", 3), ("last", 5), ("best", 3)],
)
def test_load_model_finds_what_evaluate_finds(
    run_folder, monkeypatch, tmp_path, checkpoint, step
):
    if checkpoint in ("last", "best"):  # of the run's own folder, runs/NAME
        (tmp_path / "runs").mkdir()
        (tmp_path / "runs" / "tiny").symlink_to(run_folder)
        monkeypatch.chdir(tmp_path)
    else:
        checkpoint = run_folder / checkpoint
    module, variables = jaxact.load_model(experiment(), checkpoint)
    np.testing.assert_array_equal(
        variables["params"]["head"]["bias"], HEAD["bias"] + step
    )
    assert variables.keys() == {"params", "batch_stats"}
    out = module.apply(variables, tiny.batch(0, 2), train=False)
    assert out["logits"].shape == (2, tiny.CLASSES)


def test_a_predictor_says_what_the_module_says(run_folder):
    ask = jaxact.Predictor(experiment(), run_folder)
    batch = tiny.batch(7, 1)
    said = ask({"rgb": batch["rgb"][0]})
    out = ask.network.module.apply(ask.variables, batch, train=False)
    expected = jax.nn.softmax(out["logits"])[0]
    np.testing.assert_allclose(said["scores"], expected, atol=1e-6)
    np.testing.assert_array_equal(said["keep"], out["keep"][0])
    assert said.keys() == {"scores", "frame_marks", "keep"}
    # Two views, the mean of their scores.
    other = tiny.batch(8, 1)
    views = np.stack([batch["rgb"][0], other["rgb"][0]])
    alone = ask({"rgb": other["rgb"][0]})
    np.testing.assert_allclose(
        ask({"rgb": views})["scores"], (said["scores"] + alone["scores"]) / 2, atol=1e-6
    )


def test_several_clips_are_asked_about_at_once(run_folder):
    ask = jaxact.Predictor(experiment(), run_folder)
    rgb = tiny.batch(7, 5)["rgb"]
    alone = np.stack([ask({"rgb": clip})["scores"] for clip in rgb])
    clips = [{"rgb": clip} for clip in rgb]
    for most in (1, 2, 8):  # of two the last one is alone
        np.testing.assert_allclose(ask.scores(clips, most), alone, atol=1e-6)
    assert ask.warm_up(clips[0], 2) > 0
    assert ask.checkpoint.endswith("/5")
    with pytest.raises(errors.UserError, match="the model reads rgb"):
        ask.scores([clips[0], {}])


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        ({}, "Got a clip of nothing; the model reads rgb"),
        ({"ir": np.zeros(1)}, "Got a clip of ir; the model reads rgb"),
        (
            {"rgb": np.zeros((2, 4, 4, 1), np.uint8)},
            r"rgb uint8\[2, 4, 4, 1\]; the model reads uint8\[2, 4, 4, 3\]",
        ),
        ({"rgb": np.zeros((2, 4, 4, 3))}, "Got rgb float64"),
        (
            {"rgb": np.zeros(1), "present": np.ones(2, bool)},
            r"present bool\[2\]; expec",
        ),
    ],
)
def test_a_clip_that_does_not_fit_is_said(run_folder, clip, message):
    with pytest.raises(errors.UserError, match=message):
        jaxact.Predictor(experiment(), run_folder)(clip)


def test_raw_values_are_told_how_they_become_pictures(run_folder):
    ask = jaxact.Predictor(experiment(), run_folder)
    assert ask.values == {}
    ask.values = {"rgb": "fixed:20:40"}  # as a run of such pictures says
    with pytest.raises(errors.UserError, match="become these first, fixed:20:40"):
        ask({"rgb": np.zeros((2, 4, 4, 3))})


def test_nothing_of_training_is_built(run_folder, monkeypatch):
    def never(*_, **__):
        raise AssertionError("for training only")

    for module, name in (
        (optim, "make_optimizer"),
        (optim, "make_schedule"),
        (steps, "make_train_step"),
    ):
        monkeypatch.setattr(module, name, never)
    jaxact.load_model(experiment(), run_folder)


def test_a_model_of_another_size_is_told_by_its_config(run_folder):
    with pytest.raises(errors.UserError, match="model.width: was 5, now 7"):
        jaxact.load_model(experiment(**{"model.width": 7}), run_folder)


def test_the_library_is_imported_without_orbax():
    code = "import sys, jaxact; print('orbax' in str(list(sys.modules)))"
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert jaxact.load_model is predictor.load_model
    with pytest.raises(AttributeError, match="no attribute 'load_modle'"):
        _ = jaxact.load_modle
