"""Differences between two rows of a study, by hand and against SciPy's own test."""

import math

import numpy as np
import pytest
from scipy import stats

from results import paired


def runs(rights):
    """One run a seed; the clips' numbers are given backwards."""
    return [
        {
            "seed": seed,
            "clips": len(right),
            "right": paired.packed(np.array(right[::-1]) > 0, -np.arange(len(right))),
        }
        for seed, right in enumerate(rights)
    ]


def test_clips_are_kept_in_the_order_of_their_numbers():
    text = paired.packed(np.array([True, False, True]), np.array([7, 1, 3]))
    assert paired.unpacked(text).tolist() == [0, 1, 1, 0, 0, 0, 0, 0]


def test_a_difference_by_hand():
    first = runs([[1, 1, 1, 0], [1, 1, 0, 0]])
    other = runs([[1, 0, 0, 0], [1, 1, 0, 0]])
    found = paired.difference(first, other)
    # Seeds differ by 1/2 and 0; clips by 0, 1/2, 1/2 and 0.
    of_seeds = 12.7062 * 0.5 / math.sqrt(2) / math.sqrt(2)
    of_clips = 1.95996 * math.sqrt(4 * 0.25**2 / 3) / 2
    assert found.mean == 0.25 and (found.seeds, found.clips) == (2, 4)
    assert found.half == pytest.approx(math.hypot(of_seeds, of_clips), rel=1e-4)
    assert found.p == pytest.approx(0.5)
    assert paired.cell(found).startswith("+25.0 (-29")


def test_p_is_that_of_the_paired_t_test():
    draw = np.random.default_rng(0)
    a, b = (draw.random((5, 200)) < share for share in (0.7, 0.6))
    found = paired.difference(runs(a), runs(b))
    expected = stats.ttest_rel(a.mean(axis=1), b.mean(axis=1))
    assert found.p == pytest.approx(expected.pvalue)


def test_only_seeds_of_both_are_compared():
    first, other = runs([[1, 1], [1, 1], [0, 0]]), runs([[0, 0], [0, 0]])
    found = paired.difference(first, other)
    assert (found.mean, found.seeds) == (1.0, 2)
    assert found.p == 0.0  # all seeds differ alike
    assert paired.difference(first, other[:1]) is None
    assert paired.cell(None) == ""


def test_runs_of_other_clips_are_not_compared():
    assert paired.difference(runs([[1, 1]] * 2), runs([[0, 0, 0]] * 2)) is None
