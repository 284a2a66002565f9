"""Folds pooled by hand: three clips, then one; two right, then none."""

import numpy as np
import pytest

from jaxact.errors import UserError
from jaxact.report import folds, numbers
from jaxact.report.predictions import Predictions
from tests import tiny


def part(ids, labels, predicted, fold):
    scores = np.eye(3, dtype=np.float32)[predicted]
    facts = {"experiment": "tiny", "dataset": "small 1.0.0", "split": "test"}
    facts["protocol"] = f"manifest, fold {fold} of 2 by person"
    classes = np.array(["sit", "stand", "wave"])
    names = np.array([f"clip {i}" for i in ids])
    return Predictions(
        "", np.array(ids), names, np.array(labels), scores, classes, facts
    )


def pooled(*parts):
    return folds.pool(tiny.experiment(), parts, "the last one", "person")


def test_numbers_of_the_folds_and_of_all_together():
    found = pooled(part([4, 0, 2], [0, 0, 1], [0, 1, 1], 1), part([3], [2], [0], 2))
    assert found.ids.tolist() == [4, 0, 2, 3] and found.folds.tolist() == [1, 1, 1, 2]
    assert found.protocol == "manifest, 2 folds by person"
    summary = numbers.summarise(found)
    assert summary["confusion"] == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]
    assert summary["top1"] == 0.5
    of_folds = summary["folds"]
    assert [row["clips"] for row in of_folds["rows"]] == [3, 1]
    assert [row["tested"] for row in of_folds["rows"]] == [2, 1]
    assert of_folds["rows"][0]["top1"] == pytest.approx(2 / 3)
    # Of sit one of two, of stand one of one; then of wave none of one.
    assert [row["mean_class_accuracy"] for row in of_folds["rows"]] == [0.75, 0.0]
    assert of_folds["top1"]["mean"] == pytest.approx(1 / 3)
    assert of_folds["top1"]["deviation"] == pytest.approx(2 / 3 / np.sqrt(2))
    lines = folds.table(found).splitlines()
    assert lines[1].split() == ["1", "3", "2", "66.67%", "75.00%"]
    assert lines[-1].split() == ["all", "together", "4", "3", "50.00%", "50.00%"]


def test_a_clip_in_two_folds_is_refused():
    one = part([4, 0], [0, 1], [0, 1], 1)
    with pytest.raises(UserError, match="2 clips are in two folds"):
        pooled(one, one)
