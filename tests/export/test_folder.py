"""A model folder from end to end: written of a run, read elsewhere, without the run."""

import json
import shutil
import subprocess
import sys
import types

import jax
import numpy as np
import pytest

import jaxact
from jaxact import __main__ as main
from jaxact import errors
from jaxact.checkpoints import manager
from jaxact.devices import distributed
from jaxact.export import folder as writing
from jaxact.run import predictor, program, transfer
from jaxact.run.network import make_network
from tests import tiny
from tests.paths import ROOT

CONFIG = str(ROOT / "configs" / "demo_stafusion.py")
SMALL = {
    "model.depth": "1",
    "model.width": "8",
    "model.heads": "2",
    "model.frames": "2",
    "model.image_size": "16",
    "model.num_classes": "3",
}
LABELS = ["wave", "clap", "sit, slowly"]


@pytest.fixture(scope="module", autouse=True)
def one_device():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distributed, "make_mesh", lambda *_: tiny.mesh_of(1))
        yield


@pytest.fixture(scope="module")
def experiment(one_device):
    return jaxact.load_experiment(CONFIG, SMALL)


@pytest.fixture(scope="module")
def made(experiment, tmp_path_factory):
    """A run, and the folder that the command writes of it."""
    place = tmp_path_factory.mktemp("made")
    plan = program.make_plan(experiment.train, 64)
    state = program.make_program(experiment, tiny.mesh_of(1), plan).create()
    checkpoints = manager.Checkpoints(place / "run" / "checkpoints")
    text = jaxact.config.config_text(experiment)
    values = {"ir": "fixed:20:40"}
    meta = {"step": 5, "config": text, "split": "val", "values": values}
    checkpoints.save(state, meta)
    checkpoints.add_metrics(5, {"top1": 0.75, "loss": 1.5})
    checkpoints.close()
    (place / "labels.txt").write_text("\n".join(LABELS) + "\n")
    main.main(
        ["folder", "--config", CONFIG, "--checkpoint", str(place / "run")]
        + ["--out", str(place / "model"), "--labels", str(place / "labels.txt")]
        + ["--license", "cc-by-4.0", *(f"--config.{k}={v}" for k, v in SMALL.items())]
    )
    module, variables = jaxact.load_model(experiment, place / "run")
    batch = jaxact.example_batch(experiment, 2)
    expected = logits_of(module, variables, batch)
    shutil.rmtree(place / "run")
    return place / "model", batch, expected


def logits_of(module, variables, batch):
    streams = {name: batch[name] for name in ("rgb", "ir")}
    said = jax.jit(lambda v, b: module.apply(v, b, train=False)["logits"])
    return np.asarray(said(variables, streams))


def test_the_logits_are_equal_elsewhere(made, tmp_path, monkeypatch):
    model, batch, expected = made
    shutil.copytree(model, tmp_path / "copy")
    monkeypatch.chdir(tmp_path)
    module, variables = jaxact.load_model("copy")
    np.testing.assert_array_equal(logits_of(module, variables, batch), expected)


@pytest.mark.long
def test_a_process_without_the_repository_reads_it(made, tmp_path):
    model, batch, expected = made
    np.savez(tmp_path / "clips.npz", rgb=batch["rgb"], ir=batch["ir"])
    code = (
        "import sys, numpy, jaxact\n"
        f"module, variables = jaxact.load_model({str(model)!r})\n"
        "batch = dict(numpy.load('clips.npz'))\n"
        "import jax\n"
        "said = jax.jit(lambda v, b: module.apply(v, b, train=False)['logits'])\n"
        "print(said(variables, batch).tolist())\n"
        "assert 'tensorflow' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(json.loads(done.stdout), expected, atol=1e-5)


def test_config_and_card_say_what_the_model_is(made):
    model, _, _ = made
    found = json.loads((model / "config.json").read_text())
    assert (found["labels"], found["step"]) == (LABELS, 5)
    assert found["inputs"]["ir"]["shape"] == [2, 16, 16, 1]
    assert found["metrics"] == {"split": "val", "top1": 0.75, "loss": 1.5}
    assert found["normalisation"] == {"mean": [0.45], "std": [0.225]}
    card = (model / "README.md").read_text()
    assert card.startswith('---\nlicense: "cc-by-4.0"\nlibrary_name: "jaxact"\n')
    assert "\n| 2 | sit, slowly |\n" in card
    assert "| metric | val |\n| --- | --- |\n| top1 | 0.7500 |" in card
    assert '"name": "top-1", "value": 0.75' in card


def test_the_folder_says_how_raw_values_become_pictures(made):
    asked = predictor.Predictor(str(made[0]))
    assert asked.values == {"ir": "fixed:20:40"} and asked.classes == tuple(LABELS)


def test_last_and_best_of_a_folder_are_its_own_weights(made, experiment):
    model, _, _ = made
    for which in ("best", "last"):
        ask = jaxact.Predictor(str(model), which)
        assert (ask.folder, ask.step) == (model, 5)
        assert ask.experiment == experiment
    found = predictor.find_checkpoint(experiment, model)
    assert found == (model, 5)


def test_other_values_are_told(made, experiment, capsys):
    model, _, _ = made
    jaxact.load_model(jaxact.load_experiment(str(model), {"model.k1": "0.5"}), model)
    assert "model.k1: was 0.25, now 0.5" in capsys.readouterr().out
    wider = jaxact.load_experiment(str(model), {"model.width": "16"})
    with pytest.raises(errors.UserError, match="model.width: was 8, now 16"):
        jaxact.load_model(wider, model)


def test_training_starts_from_a_folder(made, experiment):
    model, _, _ = made
    network = make_network(experiment.model, tiny.mesh_of(1))
    fresh = network.init(jax.random.key(9))
    start = transfer.start_from(str(model), "all", fresh["params"], {})
    assert not start.reports[0].fresh and not start.reports[0].unused
    _, variables = jaxact.load_model(str(model))
    jax.tree.map(np.testing.assert_array_equal, start.params, variables["params"])


def test_what_is_there_stays(made, experiment, tmp_path):
    model, _, _ = made
    _, variables = jaxact.load_model(str(model))
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(errors.UserError, match="is there already and not empty"):
        writing.write(tmp_path, experiment, variables, LABELS)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_nothing_is_left_of_a_folder_that_could_not_be_written(
    made, experiment, tmp_path, monkeypatch
):
    def full(*_):
        raise OSError(28, "No space left on device")

    model, _, _ = made
    _, variables = jaxact.load_model(str(model))
    monkeypatch.setattr(writing.folder_weights, "write", full)
    with pytest.raises(errors.UserError, match="No space left on device"):
        writing.write(tmp_path / "out", experiment, variables, LABELS)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_number_of_labels_is_said(made, experiment, tmp_path):
    with pytest.raises(errors.UserError, match="Got 2 labels; the model has 3 classes"):
        writing.write(tmp_path / "out", experiment, {"params": {}}, ["a", "b"])


def test_data_are_described():
    facts = types.SimpleNamespace(
        name="ntu60",
        version="1.0.0",
        protocol="xsub",
        num_clips={"train": 40, "test": 16},
        digest="d",
    )
    assert writing.data_of(facts)["clips"] == {"train": 40, "test": 16}
    assert writing.data_of(None) == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--labels", "none.txt"], "The labels cannot be read from none.txt"),
        ([], "names of the classes are not known: give them with --labels FILE"),
    ],
)
def test_without_labels_nothing_is_written(tmp_path, arguments, message):
    command = ["folder", "--config", CONFIG, "--out", str(tmp_path / "out")]
    with pytest.raises(errors.UserError, match=message):
        main.main([*command, *arguments, f"--config.data.dir={tmp_path}"])


def test_a_folder_is_no_source_of_a_folder(made, tmp_path):
    model, _, _ = made
    command = ["folder", "--config", str(model), "--out", str(tmp_path / "out")]
    with pytest.raises(errors.UserError, match="is a model folder already; copy it"):
        main.main(command)
