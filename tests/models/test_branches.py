"""A model's other predictions: each branch's accuracy, from the step to the report."""

import json
from typing import Any

import jax
import numpy as np

from jaxact import report
from jaxact.devices import distributed
from jaxact.run import evaluation
from jaxact.run.network import make_network
from tests import tiny
from tests.report.test_report import Page
from tests.report.test_report import evaluation as report_of


class TwoBranches(tiny.TinyModule):
    """The tiny model; a branch says the opposite, another is of other classes."""

    def __call__(self, batch: Any, *, train: bool) -> dict:
        out = super().__call__(batch, train=train)
        out["contrary_logits"] = -out["logits"]
        out["other_logits"] = out["logits"][:, :1]
        return out


class TwoBranchesConfig(tiny.TinyConfig):
    def build(self):
        return TwoBranches(self.num_classes)


def test_every_branch_is_scored_and_views_are_averaged():
    network = make_network(TwoBranchesConfig(), tiny.mesh_of(1))
    module = network.module
    flat = tiny.batch(0, 6)
    params = module.init(jax.random.key(0), flat, train=False)["params"]
    views = {key: value[::2] for key, value in flat.items()} | {
        "rgb": flat["rgb"].reshape(3, 2, *flat["rgb"].shape[1:]),
        "joints_seen": np.full((3, 2, 1, 5, 2), np.nan, np.float32),
    }
    variables = {"params": params, "batch_stats": {}}
    variables = distributed.put_replicated(variables, network.mesh)
    result = evaluation.evaluate_batches(network, variables, [views], 3, pictures=1)

    logits = np.asarray(module.apply({"params": params}, flat, train=False)["logits"])
    scores = np.asarray(jax.nn.softmax(-logits)).reshape(3, 2, -1).mean(1)
    assert result.branches.keys() == {"contrary"}
    np.testing.assert_allclose(result.branches["contrary"], scores, rtol=1e-5)
    top1 = (scores.argmax(-1) == views["label"]).mean()
    assert result.metrics["top1/contrary"] == top1
    # Joints are kept for the picture, as they came.
    assert np.isnan(result.examples[0]["joints_seen"]).all()


def test_the_report_names_every_branch(tmp_path):
    wrong = np.roll(np.asarray(report_of().scores), 1, axis=1)
    given = report_of(branches={"rgb": report_of().scores, "skeleton": wrong})
    text = report.write_report(tmp_path, given).read_text()
    words = Page(text).texts
    at = words.index("Each branch alone")
    row = [word for word in words[at:] if word.strip()]
    assert row[row.index("the model") + 1] == "50.0\u2009%"
    assert row[row.index("visible") + 1] == "50.0\u2009%"
    branches = json.loads((tmp_path / "report.json").read_text())["branches"]
    assert [branch["name"] for branch in branches] == ["rgb", "skeleton"]
    assert branches[0]["top1"] == 0.5
    labels = np.asarray(given.labels)
    assert branches[1]["top1"] == (wrong.argmax(1) == labels).mean()
    with np.load(tmp_path / "predictions.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["scores_skeleton"], np.float32(wrong))


def test_a_model_without_branches_has_no_table(tmp_path):
    text = report.write_report(tmp_path, report_of()).read_text()
    assert "Each branch alone" not in text
    assert json.loads((tmp_path / "report.json").read_text())["branches"] == []
