"""The report's charts: cells, ticks and curves."""

import re

import numpy as np
import pytest

from jaxact.report import figures


@pytest.mark.parametrize("size", [2, 24, 25, 120])
def test_confusion_chart_draws_every_cell_that_counts(size):
    confusion = np.zeros((size, size), int)
    confusion[0, 0], confusion[0, 1] = 3, 1
    chart = figures.confusion_chart(confusion, [f"c{i}" for i in range(size)])
    assert chart.count('class="right"') == 1
    assert chart.count('class="wrong"') == 1
    assert f'fill-opacity="{0.12 + 0.88 * 0.75:.3f}"' in chart
    assert "predicted: c1\n1 of 4 clips (25%)" in chart
    assert ("rotate(-45" in chart) == (size <= figures.NAMED_CELLS)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0, 0.25, 0.5, 0.75, 1]),
        (0.1, 3.2, [1, 2, 3]),
        (-40, 90, [-25, 0, 25, 50, 75]),
        (2.0, 2.0, [2]),
    ],
)
def test_ticks_are_round(low, high, expected):
    assert figures.nice_ticks(low, high) == pytest.approx(expected)


def test_curve_leaves_out_what_is_not_finite():
    nan = float("nan")
    chart = figures.curve_chart("loss", [("training", [(0, 1.0), (1, nan), (2, 0.5)])])
    (points,) = re.findall(r'points="([^"]*)"', chart)
    assert len(points.split()) == 2
    assert figures.curve_chart("loss", [("training", [(0, nan)])]) == ""
    assert figures.curve_chart("lr", [("training", [(0, 0.0)])], log=True) == ""


def test_long_histories_are_averaged_down():
    points = [(step, step % 2) for step in range(10 * figures.CURVE_POINTS)]
    chart = figures.curve_chart("loss", [("training", points)], limits=(0, 1))
    (line,) = re.findall(r'points="([^"]*)"', chart)
    heights = {point.split(",")[1] for point in line.split()}
    assert len(line.split()) == figures.CURVE_POINTS
    assert len(heights) == 1  # every part averages to one half
