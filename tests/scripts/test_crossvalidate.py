"""Every fold trained and tested once, resumed where it stopped, all in one report."""

import json

import numpy as np
import pytest

import crossvalidate
from jaxact import errors
from jaxact.checkpoints import manager
from jaxact.report import folds, write_report
from tests import tiny
from tests.scripts.test_train import quick

__all__ = ["quick"]  # a fixture

CLIPS = 30


def run(folder, on_batch=None, data=None, **changes):
    spec = tiny.experiment(**{"train.epochs": 0.8, **changes})
    data = data or tiny.FoldedData(on_batch=on_batch)
    return crossvalidate.crossvalidate(spec, folder, "person", data=data)


@pytest.fixture(scope="module")
def finished(quick, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("folds")
    return folder, run(folder)


def test_every_clip_is_tested_once_and_reported_with_the_others(finished, tmp_path):
    folder, found = finished
    assert sorted(found.ids.tolist()) == list(range(CLIPS))
    assert found.folds.tolist() == [1] * 10 + [2] * 10 + [3] * 10
    assert found.protocol == "xview, 3 folds by person"
    write_report(tmp_path, found)
    summary = json.loads((tmp_path / "report.json").read_text())
    assert np.sum(summary["confusion"]) == CLIPS
    rows = summary["folds"]["rows"]
    assert [row["clips"] for row in rows] == [10, 10, 10]
    of_folds = [
        json.loads((folder / f"fold_{k}/report/report.json").read_text())
        for k in (1, 2, 3)
    ]
    assert [row["top1"] for row in rows] == [each["top1"] for each in of_folds]
    together = np.sum([each["confusion"] for each in of_folds], axis=0)
    assert together.tolist() == summary["confusion"]
    mean = np.mean([each["top1"] for each in of_folds])
    assert summary["folds"]["top1"]["mean"] == pytest.approx(mean)
    assert "Fold by fold" in (tmp_path / "report.html").read_text()
    assert len(folds.table(found).splitlines()) == 1 + 3 + 2 + 1


def test_folds_are_trained_on_their_own_data_from_one_seed(finished):
    folder, _ = finished
    for fold in (1, 2, 3):
        checkpoints = manager.Checkpoints(folder / f"fold_{fold}/checkpoints")
        meta = checkpoints.meta(checkpoints.steps()[-1])
        assert f"data.fold = {fold}\n" in meta["config"]
        assert meta["data"]["protocol"] == f"xview, fold {fold} of 3 by person"


def test_an_interrupted_run_continues_with_the_fold_it_was_in(finished, tmp_path):
    """And comes to what it would have come to."""
    seen = []

    def stop(number):
        seen.append(number)
        if len(seen) == 3:  # of the second fold's second batch
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, stop)
    assert (tmp_path / "fold_1/report").exists() and not (tmp_path / "fold_3").exists()
    again = run(tmp_path, seen.append)
    assert seen == [0, 1, 0, 0, 1, 0, 1]  # nothing of the first fold again
    np.testing.assert_array_equal(again.scores, finished[1].scores)
    batches = []
    run(tmp_path, batches.append)
    assert batches == []


def test_folds_of_another_config_or_other_data_are_refused(finished):
    folder, _ = finished
    with pytest.raises(errors.UserError, match="optim.lr: was 0.1, now 0.2"):
        run(folder, **{"optim.lr": 0.2})
    data = tiny.FoldedData()
    data.sizes = {"train": 20, "test": 9, "val": 0}
    with pytest.raises(errors.UserError, match="was begun on other data"):
        run(folder, data=data)
