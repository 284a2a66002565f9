"""The evidence is one drawing that holds all it shows."""

import xml.etree.ElementTree as ET

import numpy as np

from input_pipeline.offsets.correlation import propose
from input_pipeline.offsets.picture import _busiest, _thin, draw
from tests.input_pipeline.offsets.test_correlation import seen, world

SVG = "{http://www.w3.org/2000/svg}"


def test_both_curves_before_and_after_and_the_correlation():
    random = np.random.default_rng(0)
    moves = world(random, 120)
    rgb, ir = seen(random, moves, 25, 0, 1), seen(random, moves, 8, 2.7, 1)
    found = propose(rgb, ir)
    root = ET.fromstring(draw(rgb, ir, ("a<b.mp4", "c.mkv"), found, "ir_offset 2.70"))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert texts[0] == "ir_offset 2.70" and "a<b.mp4 (red)" in texts[1]
    lines = [
        np.array([point.split(",") for point in line.get("points").split()], float)
        for line in root.iter(f"{SVG}polyline")
    ]
    assert len(lines) == 5
    red, blue = lines[2].T, lines[3].T
    x = np.arange(150, 850)
    moved = np.interp(x - 2.7 * 15, *lines[1].T)  # 900 pixels are a minute
    assert np.corrcoef(moved, np.interp(x, *blue))[0, 1] > 0.95
    assert np.corrcoef(np.interp(x, *red), np.interp(x, *blue))[0, 1] > 0.5
    assert lines[4][:, 1].min() == 0  # the peak is the top


def test_the_minute_with_most_motion_is_shown():
    moments = np.arange(0, 600, 0.5)
    curve = np.where((moments >= 300) & (moments < 360), 1.0, 0.0)
    assert _busiest(moments, curve) == (300, 359.5)


def test_peaks_stay_in_a_thinned_curve():
    curve = np.zeros(50_000)
    curve[12_345] = 7
    x, y = _thin(np.arange(50_000.0), curve)
    assert len(x) <= 2000 and y.max() == 7 and x[y.argmax()] == 12_345
