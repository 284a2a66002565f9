"""Segments by hand."""

import numpy as np
import pytest

from jaxact.report.timeline.merging import Moment
from jaxact.report.timeline.segments import Segment, Segments, agreement


def moments(text, sure=0.8):
    """A letter a moment of 10: "a" and "b" are classes 0 and 1, "-" is neither."""
    for i, letter in enumerate(text):
        scores = {"a": [sure, 1 - sure], "b": [1 - sure, sure], "-": [0.5, 0.5]}
        yield Moment(10 * i, 10 * i + 10, np.array(scores[letter]), 1)


def segments(text, **options):
    found, ask = [], Segments(0.6, **options)
    for moment in moments(text):
        found += ask.add(moment)
    return [(s.start, s.end, "ab"[s.label]) for s in found + ask.finish()]


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("--aaa-bb", {}, [(20, 50, "a"), (60, 80, "b")]),
        ("aabb", {}, [(0, 20, "a"), (20, 40, "b")]),
        ("aa-aa", {}, [(0, 20, "a"), (30, 50, "a")]),
        ("aa-aa", {"bridge": 10}, [(0, 50, "a")]),
        ("aa--aa", {"bridge": 10}, [(0, 20, "a"), (40, 60, "a")]),
        ("aa-ba", {"bridge": 10}, [(0, 20, "a"), (30, 40, "b"), (40, 50, "a")]),
        ("aa-", {"bridge": 10}, [(0, 20, "a")]),
        ("a-bb-a", {"shortest": 20}, [(20, 40, "b")]),
        ("aabb", {"background": [0]}, [(20, 40, "b")]),
        ("----", {}, []),
    ],
)
def test_segments(text, options, expected):
    assert segments(text, **options) == expected


def test_the_score_is_the_mean_over_the_time_and_the_threshold_counts():
    ask = Segments(0.6)
    ask.add(Moment(0, 10, np.array([0.9, 0.1]), 1))
    ask.add(Moment(10, 40, np.array([0.7, 0.3]), 1))
    (found,) = ask.finish()
    assert found[:3] == (0, 40, 0)
    assert found.score == pytest.approx((10 * 0.9 + 30 * 0.7) / 40)
    assert ask.label(Moment(0, 1, np.array([0.6, 0.4]), 1)) == 0
    assert ask.label(Moment(0, 1, np.array([0.59, 0.41]), 1)) is None
    assert ask.label(Moment(0, 1, None, 0)) is None


def test_a_segment_is_told_as_soon_as_it_is_over():
    ask = Segments(0.6, bridge=10)
    told = [len(ask.add(moment)) for moment in moments("aa--bb")]
    assert told == [0, 0, 0, 1, 0, 0]


def test_agreement_by_hand():
    true = [Segment(0, 40, 0, 1.0), Segment(60, 100, 1, 1.0)]
    found = [Segment(10, 50, 0, 0.9), Segment(60, 70, 0, 0.9), Segment(80, 90, 1, 0.9)]
    # Right: 30 of the first, 10 of the second; found 60, true 80.
    assert agreement(found, true) == {"precision": 40 / 60, "recall": 40 / 80}
    assert agreement([], true) == {"precision": None, "recall": 0.0}
    assert agreement(found, []) == {"precision": 0.0, "recall": None}
