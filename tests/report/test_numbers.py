"""The report's numbers, by hand."""

import numpy as np
import pytest

from jaxact.report import numbers
from tests.report.test_report import NASTY, evaluation, whole_evaluation


def test_numbers_equal_those_by_hand():
    result = numbers.summarise(whole_evaluation())
    assert (result["clips"], result["views"], result["loss"]) == (4, 3, 0.25)
    assert (result["top1"], result["top5"]) == (0.5, 1.0)
    assert result["mean_class_accuracy"] == pytest.approx((1 + 1 + 0) / 3)
    assert result["confusion"] == [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 0, 0],
    ]
    nasty = result["classes"][2]
    assert (nasty["clips"], nasty["correct"], nasty["accuracy"]) == (2, 0, 0.0)
    assert nasty["most_confused_with"] == {"index": 0, "name": "sit", "clips": 1}
    assert result["classes"][0]["most_confused_with"] is None
    assert [(d["name"], d["clips"], d["top1"]) for d in result["difficulties"]] == [
        ("dark", 2, 0.5),
        (NASTY, 2, 0.0),
        ("none", 1, 1.0),
    ]
    assert [(m["id"], m["probability"]) for m in result["mistakes"]] == [
        (11, 0.9),
        (5, 0.5),
    ]
    assert result["mistakes"][0]["difficulties"] == ["dark", NASTY]
    assert result["mistakes"][1]["probability_of_true"] == 0.2


def test_interval_of_a_share():
    # Wilson's interval of 8 in 10, from its formula with z = 1.96: 0.4901 to 0.9433.
    assert numbers.interval(8, 10) == pytest.approx((0.4901, 0.9433), abs=1e-4)
    assert numbers.interval(0, 5)[0] == 0.0
    assert numbers.interval(5, 5)[1] == 1.0


def test_loss_of_the_scores_where_none_is_given():
    result = numbers.summarise(evaluation())
    expected = -np.log([0.7, 0.6, 0.1, 0.2]).mean()
    assert result["loss"] == pytest.approx(expected)
