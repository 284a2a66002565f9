"""A timeline as it grows, from windows to what is printed and written."""

import json

import numpy as np
import pytest

from jaxact import errors
from jaxact.report.timeline import SECOND, running
from jaxact.report.timeline.segments import Rule

CLASSES = ["sit", "wave", "nothing"]


def run(tmp_path, labels, rule, now=None):
    """Windows of 2 s, one a second, each sure of a class; returns what is printed."""
    said = []
    with running.timeline(
        tmp_path, CLASSES, {"rgb": "a"}, SECOND, rule, say=said.append
    ) as line:
        for i, label in enumerate(labels):
            scores = None if label is None else np.eye(3)[label]
            start = i * SECOND
            late = None if now is None else start + now
            line.add(start, start + 2 * SECOND, scores, late)
    return said


def test_segments_are_printed_and_counted(tmp_path):
    said = run(tmp_path, [0, 0, 0, 1, 1, None, 2, 2], Rule(0.9, ["nothing"]))
    # Moment 3 is half of class 0 and half of 1; a gap of a moment is bridged.
    assert said[:2] == [
        "    0.0 s to     3.0 s  100%  sit",
        "    4.0 s to     6.0 s  100%  wave",
    ]
    assert said[2] == "9.0 s: 2 segments of 7 windows (1 more could not be predicted)."
    facts = json.loads((tmp_path / "timeline.json").read_text())
    assert [s["class"] for s in facts["segments"]] == ["sit", "wave"]
    assert facts["threshold"] == "0.9"


def test_the_delay_of_live_moments_is_measured(tmp_path):
    said = run(tmp_path, [0, 0, 0], Rule(), now=2_250_000)
    assert said[-2].endswith("told after it began: mean 2.25 s, longest 2.25 s.")


def test_files_are_whole_where_reading_broke_off(tmp_path):
    with pytest.raises(errors.UserError, match="cut off"):
        with running.timeline(tmp_path, CLASSES, {}, SECOND, Rule(), say=str) as line:
            line.add(0, 2 * SECOND, np.eye(3)[0])
            line.event(0, "", "a word")
            raise errors.UserError("cut off")
    assert len(json.loads((tmp_path / "timeline.json").read_text())["moments"]) == 2


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Rule(0.5, ["stand"]), "names stand; the classes are sit, wave, nothing"),
        (Rule(1.5), "threshold is 1.5; expected a probability"),
        (Rule(float("nan")), "threshold is nan"),
    ],
)
def test_a_rule_that_cannot_be_is_said(rule, message):
    with pytest.raises(errors.UserError, match=message):
        rule.segments(CLASSES, SECOND)
