"""Checkpoints written before the wings (26a606a) still load, with the same logits.

`tests/golden/make_old_checkpoints.py` made them, on the code of that time.
"""

import json
import zipfile

import jax
import numpy as np
import pytest

import jaxact
from jaxact.config import load_experiment
from tests.paths import GOLDEN, ROOT

# What has got another default since, or compiles sooner; not what is computed.
AS_BEFORE = {
    "tsm_netvlad": {"model.head_scale": 1.0},
    "ccdfarm": {"model.conv3d": "native"},
}


@pytest.mark.parametrize(
    "name", ["stafusion", "baseline", "ccdfarm", "dam", "tsm_netvlad"]
)
def test_an_old_checkpoint_gives_its_old_logits(name, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    with zipfile.ZipFile(GOLDEN / f"old_{name}.zip") as archive:
        archive.extractall(tmp_path)
    with np.load(tmp_path / "golden.npz") as file:
        golden = dict(file)
    spec = json.loads(str(golden["spec"]))
    overrides = spec["overrides"] | AS_BEFORE.get(name, {})
    experiment = load_experiment(spec["config"], overrides)
    module, variables = jaxact.load_model(experiment, tmp_path)
    batch = {
        key.removeprefix("batch/"): value
        for key, value in golden.items()
        if key.startswith("batch/")
    }
    out = jax.jit(module.apply)(variables, batch)
    assert np.ptp(golden["logits"]) > 0.1
    scale = np.abs(golden["logits"]).max()
    np.testing.assert_allclose(
        out["logits"] / scale, golden["logits"] / scale, atol=1e-5
    )
