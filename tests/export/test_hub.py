"""The hub's mixin on model folders, without a network; a sentence where it lacks."""

import sys

import pytest

import jaxact
from jaxact import errors, model_folder
from jaxact.export import folder, hub
from jaxact.run.network import make_network
from tests import tiny
from tests.export.test_folder import CONFIG, LABELS, SMALL


def test_a_missing_client_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    hub.hub_model.cache_clear()
    with pytest.raises(errors.UserError, match="pip install huggingface_hub"):
        hub.hub_model()
    hub.hub_model.cache_clear()


def test_the_mixin_saves_and_reads_a_folder(tmp_path, monkeypatch):
    pytest.importorskip("huggingface_hub", reason='needs pip install -e ".[hub]"')
    import jax

    experiment = jaxact.load_experiment(CONFIG, SMALL)
    network = make_network(experiment.model, tiny.mesh_of(1))
    variables = network.init(jax.random.key(0))
    source = folder.write(tmp_path / "model", experiment, variables, LABELS)
    model = hub.hub_model().from_pretrained(str(source))
    model.save_pretrained(tmp_path / "saved")
    for name in hub.FILES:
        saved = (tmp_path / "saved" / name).read_bytes()
        assert saved == (source / name).read_bytes()
    assert hub.hub_model().from_pretrained(str(tmp_path / "saved")).step == 0
    (source / "model.safetensors").write_bytes(b"x")
    with pytest.raises(model_folder.ConfigError, match="another SHA-256"):
        model.save_pretrained(tmp_path / "again")
