"""What a study's networks do when a stream fails: read once, measured, in tables."""

import dataclasses

import numpy as np
import pytest

import train
from jaxact.checkpoints.files import find
from jaxact.report import Evaluation, write_report
from jaxact.run import predictor, robustness, session
from results import failing, study
from results.studies import synthetic_table2 as table2
from results.studies import synthetic_table_rates as rates
from tests import tiny
from tests.run.test_robustness import TwoConfig, TwoData


class Counted(TwoData):
    reads = 0

    def train_batches(self, *args, **kwargs):
        for batch in super().train_batches(*args, **kwargs):
            yield batch | {"ir": batch["rgb"][..., :1]}

    def eval_batches(self, *args, **kwargs):
        self.reads += 1
        return super().eval_batches(*args, **kwargs)


def test_the_clips_of_an_evaluation_are_read_once():
    data = Counted()
    kept = failing.Remembered(data)
    asked = dict(split="test", batch_size=4, host=0, hosts=1)
    one = list(kept.eval_batches(None, {}, **asked))
    two = list(kept.eval_batches(None, {}, **asked))
    assert data.reads == 1 and len(one) == 3
    for a, b in zip(one, two, strict=True):
        assert all(a[name] is b[name] for name in a)
    list(kept.eval_batches(None, {}, **asked | {"batch_size": 5}))
    assert data.reads == 2 and kept.dataset_facts(None).name == "tiny"


def test_a_trained_network_is_measured_by_case(tmp_path, monkeypatch):
    data = Counted()
    monkeypatch.setattr(failing, "pipeline", lambda: failing.Remembered(data))
    spec = tiny.experiment()
    spec.model = TwoConfig()
    train.train(spec, tmp_path / "run", data)
    found = failing.measured(spec, tmp_path / "run" / "report")
    cases = {key.rpartition("/")[0] for key in found}
    assert cases == {failing.WHOLE} | {
        f"{stream} {case}"
        for stream in ("rgb", "ir")
        for case in ("missing", "black 1", "noisy 0.1", "noisy 0.3")
    }
    opened = session.open_evaluation(spec, data)
    weights = predictor.restore_weights(*find(tmp_path / "run"), opened.network, spec)
    (_, black, *_) = robustness.measure(opened, weights, ("black",))
    assert found["rgb black 1/confidence"] == black["confidence"] != 1
    assert "rgb black 1/uncertainty" not in found  # it tells none


def test_a_network_of_one_stream_has_the_first_case_alone(tmp_path):
    scores = np.array([[0.95, 0.05], [0.95, 0.05], [0.4, 0.6], [0.4, 0.6]], np.float32)
    found = Evaluation(
        experiment="one",
        classes=["a", "b"],
        ids=np.arange(4),
        names=[f"clip{i}" for i in range(4)],
        labels=np.array([0, 1, 1, 1]),
        scores=scores,
    )
    write_report(tmp_path, found)
    spec = dataclasses.replace(tiny.experiment(), model=tiny.TinyConfig())
    assert failing.measured(spec, tmp_path) == pytest.approx(
        {
            "nothing fails/top1": 0.75,
            "nothing fails/confidence": (0.95 + 0.6) / 2,
            # Two clips are .95 sure, of which half are right; two are .6, both right.
            "nothing fails/calibration_error": 0.5 * 0.45 + 0.5 * 0.4,
            "nothing fails/sure_and_wrong": 0.25,
        }
    )


def test_the_tables_show_the_strongest_of_each_failure_and_a_gap_where_there_is_none():
    def run(row, seed, **cases):
        figures = {}
        for name, top1 in cases.items():
            case = name.replace("_", " ").replace("0", "0.")
            figures |= {f"{case}/top1": top1, f"{case}/confidence": 0.5}
        return {"row": row, "seed": seed, "top1": 0.5, **figures}

    two = dict(nothing_fails=0.5, rgb_missing=0.25, rgb_noisy_01=0.4, rgb_noisy_03=0.3)
    runs = [
        run("alone", 0, nothing_fails=0.5),
        run("add", 0, **two),
        run("add", 1, **two | {"rgb_missing": 0.5}),
    ]
    runs[1]["rgb missing/uncertainty"] = runs[2]["rgb missing/uncertainty"] = 1.0
    lines = failing.lines(runs)
    assert lines[1:5] == [
        "| Top-1 % | nothing fails | rgb missing | rgb noisy 0.3 |",
        "|---|---|---|---|",
        "| alone | 50.0 |  |  |",
        "| add | 50.0 ± 0.0 | 37.5 ± 17.7 | 30.0 ± 0.0 |",
    ]
    # Of what a model says of itself there is a table of the rows that say it.
    assert (
        lines[-3]
        == "| own uncertainty % | nothing fails | rgb missing | rgb noisy 0.3 |"
    )
    assert lines[-1] == "| add |  | 100.0 ± 0.0 |  |"


def test_rows_have_the_rate_of_their_kind_and_one_budget(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "DATA", tmp_path)
    assert rates.rate("timesformer") == rates.RATES[0]  # nothing was compared yet
    best = rates.name("tokens", rates.RATES[1])
    rates.STUDY.data.write_text(f'{{"row": "{best}", "seed": 0, "top1": 0.5}}\n')
    assert {rates.rate(net) for net in rates.TOKENS} == {rates.RATES[1]}
    assert {rates.rate(net) for net in rates.CONVOLUTIONAL} == {rates.RATES[0]}
    found = {
        row: table2.STUDY.experiment(network, 0)
        for row, network in table2.rows().items()
    }
    assert {spec.optim.lr for spec in found.values()} == {rates.RATES[1]}
    assert len({spec.train.epochs for spec in found.values()}) == 1
    assert len({spec.model.frames for spec in found.values()}) == 1
    start = rates.pretraining("timesformer")[0]
    assert {spec.train.init_from for spec in found.values()} == {start}
    assert start in rates.STUDY.pretraining
    sizes = {row: spec.model.inputs() for row, spec in found.items()}
    assert list(sizes["infrared alone"]) == ["ir"]
    ours, baseline = found["stafusion"].model, found["add"].model.backbone
    assert (ours.patch, ours.depth, ours.width) == (
        *(baseline.patch, baseline.depth, baseline.width),
    )
    assert found["qmf"].model.fusion.history == table2.CLIPS
    spec = rates.STUDY.experiment(rates.STUDY.networks(best)[0], 0)
    assert (spec.data.protocol, spec.eval.split) == ("xsub_dev", "val")
    # As many steps as the tables' rows on half of the clips.
    assert spec.train.epochs == 2 * found["add"].train.epochs
