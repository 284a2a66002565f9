"""TensorFlow's formats, written, read, and asked by the runners without JAX."""

import json

import numpy as np
import pytest

import jaxact
from jaxact.export import convert
from jaxact.run.network import make_network
from tests import tiny
from tests.export.test_convert import LABELS, export, model  # noqa: F401
from tests.export.test_folder import CONFIG, SMALL


@pytest.mark.long
def test_a_savedmodel_takes_any_number_of_clips(model, tmp_path):  # noqa: F811
    assert export(model, tmp_path / "out", "savedmodel").batch is None
    call = convert.FORMATS["savedmodel"].read(tmp_path / "out")
    found = call({"rgb": model[2]["rgb"][:1]})
    assert found["logits"].shape == (1, 3) and found["keep"].dtype == bool


@pytest.mark.long
def test_tflite_has_a_fixed_number_of_clips(model, tmp_path):  # noqa: F811
    assert export(model, tmp_path / "out", "tflite", batch=2).batch == 2
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "model.json",
        "model.tflite",
    ]
    facts = json.loads((tmp_path / "out" / "model.json").read_text())
    assert facts["batch"] == 2


@pytest.mark.long
@pytest.mark.parametrize("config", [CONFIG, f"{CONFIG}:ranked"])
def test_stafusion_leaves_for_tflite(tmp_path, config):
    import jax

    experiment = jaxact.load_experiment(config, SMALL)
    variables = make_network(experiment.model, tiny.mesh_of(1)).init(jax.random.key(0))
    batch = jaxact.example_batch(experiment, 2)
    clips = {name: np.asarray(batch[name]) for name in ("rgb", "ir")}
    arguments = (experiment, variables, LABELS, clips, "clips")
    written = convert.export("tflite", tmp_path / "out", *arguments)
    assert written.difference < 1e-5
