"""Moments by hand: which windows cover them, and the mean of their scores."""

import numpy as np
import pytest

from jaxact.report.timeline.merging import Merger


def merged(windows, stride):
    merger, found = Merger(stride), []
    for start, end, score in windows:
        scores = None if score is None else np.array([score, 1 - score])
        found += merger.add(start, end, scores)
    return found + merger.finish()


def test_a_moment_is_the_mean_of_the_windows_that_cover_its_middle():
    # Windows of 4, a new one every 2: each moment lies in two but the first and last.
    found = merged([(0, 4, 1.0), (2, 6, 0.5), (4, 8, 0.0)], stride=2)
    assert [(m.start, m.end) for m in found] == [(0, 2), (2, 4), (4, 6), (6, 8)]
    assert [m.scores[0] for m in found] == [1.0, 0.75, 0.25, 0.0]
    assert [m.windows for m in found] == [1, 2, 2, 1]


def test_an_end_at_the_middle_does_not_cover_it():
    # A window of 3 and a stride of 2: the middle of the second moment is 3.
    found = merged([(0, 3, 1.0), (2, 5, 0.0)], stride=2)
    assert [m.scores[0] for m in found] == [1.0, 0.0]
    # 4 to 6 has its middle at 5, which no window covers.
    assert found[-1].end == 4


def test_a_moment_is_said_with_the_window_that_starts_where_it_starts():
    merger = Merger(10)
    assert [m.start for m in merger.add(100, 150, np.ones(1))] == [100]
    assert [m.start for m in merger.add(110, 160, np.ones(1))] == [110]
    assert [m.start for m in merger.finish()] == [120, 130, 140, 150]


def test_windows_left_out_leave_moments_that_say_nothing():
    found = merged([(0, 2, 1.0), (2, 4, None), (4, 6, 0.5)], stride=2)
    assert [m.windows for m in found] == [1, 0, 1]
    assert found[1].scores is None
    # Starts may be left out, too: the moments between them are said.
    found = merged([(0, 2, 1.0), (6, 8, 0.5)], stride=2)
    assert [(m.start, m.windows) for m in found] == [(0, 1), (2, 0), (4, 0), (6, 1)]


def test_the_last_moment_ends_with_the_last_window():
    found = merged([(0, 4, 1.0), (3, 7, 1.0), (6, 8, 1.0)], stride=3)
    assert [(m.start, m.end) for m in found] == [(0, 3), (3, 6), (6, 8)]
    assert merged([], stride=3) == []


@pytest.mark.parametrize("windows", [40])
def test_only_windows_that_may_still_count_are_kept(windows):
    merger = Merger(1)
    for start in range(windows):
        merger.add(start, start + 5, np.ones(2))
    assert len(merger._windows) <= 5
