"""ONNX, where its converter and its runtime are installed."""

import jax
import numpy as np
import pytest

import jaxact
from jaxact.export import convert
from jaxact.run.network import make_network
from tests import tiny
from tests.export.test_folder import CONFIG, LABELS, SMALL

pytest.importorskip("jax2onnx", reason="docs/export.md has the two commands")
pytest.importorskip("onnxruntime", reason='needs pip install -e ".[onnx]"')


@pytest.mark.long
@pytest.mark.parametrize("config", [CONFIG, f"{CONFIG}:ranked"])
def test_stafusion_leaves_for_onnx(tmp_path, config):
    experiment = jaxact.load_experiment(config, SMALL)
    variables = make_network(experiment.model, tiny.mesh_of(1)).init(jax.random.key(0))
    batch = jaxact.example_batch(experiment, 3)
    clips = {name: np.asarray(batch[name]) for name in ("rgb", "ir")}
    arguments = (experiment, variables, LABELS, clips, "clips")
    written = convert.export("onnx", tmp_path / "out", *arguments)
    assert written.difference < 1e-5
    call = convert.FORMATS["onnx"].read(tmp_path / "out")
    size = written.batch or 3
    found = call({name: stream[:size] for name, stream in clips.items()})
    assert found["keep"].dtype == bool and found["scores"].shape == (size, 3)
