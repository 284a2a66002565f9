"""A model folder's config.json: what is written comes back; changed, it does not."""

import json
import pathlib

import pytest

from jaxact import load_experiment, model_folder
from jaxact.config import ConfigError
from tests import tiny
from tests.paths import ROOT

# Those of one's own data read a prepared set first.
FILES = (path.name for path in sorted((ROOT / "configs").glob("*_*.py")))
CONFIGS = [
    *(name for name in FILES if not name.startswith(("_", "own_"))),
    "demo_infar.py:net=video_swin,fusion=tmc",
    "demo_tsm_netvlad.py:stream=both",
]


def written(folder: pathlib.Path, config: str = "demo_dam.py", **more) -> pathlib.Path:
    found = {
        "experiment": model_folder.values_of(load_experiment(f"configs/{config}")),
        "labels": ["wave", "clap"],
        "inputs": {},
        "step": 7,
        "weights": {"bytes": 3, "sha256": ABC},
        "jaxact_version": "0.0.9",
    }
    text = json.dumps(model_folder.sealed(found | more))
    (folder / "config.json").write_text(text)
    (folder / "model.safetensors").write_bytes(b"abc")
    return folder


# SHA-256 of "abc": FIPS 180-2, appendix B.1.
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("config", CONFIGS)
def test_every_config_comes_back_as_it_was(tmp_path, config):
    written(tmp_path, config)
    expected = load_experiment(f"configs/{config}")
    assert load_experiment(str(tmp_path)) == expected
    overridden = load_experiment(str(tmp_path), {"eval.batch_size": "3"})
    assert overridden.eval.batch_size == 3 != expected.eval.batch_size


def test_paths_of_a_machine_stay_there():
    own = {"data.dir": "mine", "train.init_from": "mine", "data.protocol": "xsub"}
    experiment = load_experiment("configs/demo_dam.py", own)
    values = model_folder.values_of(experiment)["values"]
    assert values["data.protocol"] == "xsub"
    assert "mine" not in values.values() and "train.compilation_cache" not in values


def test_a_whole_folder_is_read(tmp_path):
    written(tmp_path)
    assert model_folder.is_ours(tmp_path)
    assert model_folder.labels(tmp_path) == ("wave", "clap")
    assert model_folder.weights_file(tmp_path).read_bytes() == b"abc"
    assert model_folder.labels(tmp_path / "none") == ()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (b"ab", "it has 2 bytes of 3, or another SHA-256"),
        (b"abd", "it has 3 bytes of 3, or another SHA-256 than ba7816bf"),
        (None, r"model\.safetensors cannot be read \(No such file"),
    ],
)
def test_other_weights_are_refused(tmp_path, weights, message):
    file = written(tmp_path) / "model.safetensors"
    file.unlink() if weights is None else file.write_bytes(weights)
    with pytest.raises(ConfigError, match=message):
        model_folder.weights_file(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"wave"', '"bow"', "was changed or damaged"),
        ('"format_version": 1', '"format_version": 2', "version 2 of the format"),
        ('"jaxact model folder"', '"bert"', "is not of this library"),
        ('{"format"', '{format"', "cannot be read"),
        ('"step": 7, ', "", "was changed or damaged"),
    ],
)
def test_another_config_is_refused(tmp_path, old, new, message):
    file = written(tmp_path) / "config.json"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        load_experiment(str(tmp_path))


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="is no model folder: it has no config.json"):
        load_experiment(str(tmp_path))


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        ("values", "model.colour", 3, "no field 'colour'.* by jaxact '0.0.9'"),
        ("values", "model.frames", "many", "got 'many' of type str, expected int"),
        ("classes", "model", "subprocess.Popen", "is no config of jaxact."),
        ("classes", "model", "jaxact.config.load_experiment", "is no config of"),
        ("classes", "model", "jaxact.models.none.Config", "No module named"),
    ],
)
def test_what_this_version_does_not_know_is_refused(
    tmp_path, part, key, value, message
):
    described = model_folder.values_of(load_experiment("configs/demo_dam.py"))
    described[part][key] = value
    written(tmp_path, experiment=described)
    with pytest.raises(ConfigError, match=message):
        load_experiment(str(tmp_path))


def test_a_family_outside_the_library_cannot_be_written():
    with pytest.raises(ConfigError, match="tests.tiny.TinyConfig cannot be written"):
        model_folder.values_of(tiny.experiment())
