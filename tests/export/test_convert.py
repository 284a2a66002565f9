"""An export is kept only if it says what the model says; else nothing stays."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from jaxact import errors
from jaxact.export import convert
from tests import tiny

LABELS = ["red", "green", "blue"]


@pytest.fixture(scope="module")
def model():
    experiment = tiny.experiment()
    module = experiment.model.build()
    clips = {"rgb": tiny.batch(0, 5)["rgb"]}
    return experiment, dict(module.init(jax.random.key(0), clips, train=False)), clips


def export(model, out, name="stablehlo", **more):
    experiment, variables, clips = model
    return convert.export(
        name, out, experiment, variables, LABELS, clips, "clips", **more
    )


def test_stablehlo_says_the_same_of_any_number_of_clips(model, tmp_path):
    experiment, variables, clips = model
    written = export(model, tmp_path / "out")
    assert written.batch is None and written.difference < 1e-6
    call = convert.FORMATS["stablehlo"].read(tmp_path / "out")
    logits = experiment.model.build().apply(variables, clips, train=False)["logits"]
    for count in (1, 3):
        found = call({"rgb": clips["rgb"][:count]})
        np.testing.assert_allclose(found["logits"], logits[:count], atol=1e-6)
        np.testing.assert_allclose(np.sum(found["scores"], axis=1), 1, atol=1e-6)
        assert found["frame_marks"].shape == (count, tiny.FRAMES)


def test_what_stands_beside_it(model, tmp_path):
    export(model, tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "model.json").read_text())
    assert (facts["kind"], facts["batch"], facts["labels"]) == (
        "stablehlo",
        None,
        LABELS,
    )
    assert facts["inputs"]["rgb"]["shape"] == [2, 4, 4, 3]
    assert facts["outputs"]["logits"] == {"shape": [3], "dtype": "float32"}
    assert facts["outputs"]["keep"] == {"shape": [2, 4], "dtype": "bool"}
    assert facts["check"]["clips"] == "5 clips"
    assert facts["versions"]["jax"] == jax.__version__


def test_what_says_something_else_is_removed(model, tmp_path):
    with pytest.raises(errors.UserError, match="its logits differ by .* 5 have the sa"):
        export(model, tmp_path / "out", tolerance=-1.0)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_stays(model, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(errors.UserError, match="is there already and not empty"):
        export(model, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def replaced(monkeypatch, write):
    """Stablehlo with another way of writing."""
    chosen = dataclasses.replace(convert.FORMATS["stablehlo"], write=write)
    monkeypatch.setitem(convert.FORMATS, "stablehlo", chosen)


def test_a_model_that_takes_no_symbol_has_a_fixed_batch(model, tmp_path, monkeypatch):
    write = convert.FORMATS["stablehlo"].write

    def picky(folder, served, variables, batch):
        if batch is None:
            raise ValueError("b is no number")
        write(folder, served, variables, batch)

    replaced(monkeypatch, picky)
    written = export(model, tmp_path / "out", batch=2)  # of 5 clips
    assert written.batch == 2 and written.difference < 1e-6
    assert "ValueError: b is no number" in written.note


def test_a_format_that_does_not_hold_the_model_says_so(model, tmp_path, monkeypatch):
    def never(*_):
        raise NotImplementedError("no sorting")

    replaced(monkeypatch, never)
    with pytest.raises(errors.UserError, match="does not hold this model .*no sorting"):
        export(model, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_its_command(monkeypatch):
    monkeypatch.setattr(convert.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(errors.UserError, match="needs onnxruntime, .*pip install -e"):
        convert.check_installed("onnx")
    convert.check_installed("stablehlo")


def test_clips_go_in_batches_and_come_back_in_order():
    asked = []

    def call(streams):
        asked.append(streams["x"].tolist())
        return {"y": 10 * streams["x"]}

    found = convert.run(call, {"x": np.arange(5)}, 2)
    assert asked == [[0, 1], [2, 3], [4, 0]]
    assert found["y"].tolist() == [0, 10, 20, 30, 40]


def test_the_difference_is_relative_to_large_logits():
    small, large = np.array([[0.5, 0.25]]), np.array([[50.0, 25.0]])
    assert convert.difference_of(small + 0.125, small) == 0.125
    assert convert.difference_of(large + 5, large) == 0.1
