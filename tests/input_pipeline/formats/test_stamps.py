"""Times of frames, by what containers say; which names are time stamps."""

import pytest

from input_pipeline.formats import notes
from input_pipeline.formats.stamps import span, stamps


@pytest.mark.parametrize(
    ("names", "want"),
    [
        (["0.040", "0.080", "1.000"], [40_000, 80_000, 1_000_000]),
        (["a2_1611234567.99", "a2_1611234568.03"], None),
        (["1611234567990", "1611234568030"], None),
        (["ir-1611234567990000", "ir-1611234568030000"], None),
        (["1611234567990000456", "1611234568030000456"], None),
    ],
)
def test_names_that_are_time_stamps(names, want):
    of_unix = [1611234567990000, 1611234568030000]
    assert stamps(names).tolist() == (want or of_unix)


@pytest.mark.parametrize(
    "names",
    [
        ["0001", "0002"],
        ["frame_9", "frame_10"],
        ["1.01", "1.02", "1.03"],  # scene 1, frame 3
        ["0.5", "0.6"],
        ["0.04", "0.04"],
        ["0.04", "1611234567990"],
        ["0.04"],
        [],
    ],
)
def test_names_that_count_are_none(names):
    assert stamps(names) is None


def test_times_that_run_backwards_or_are_not_known():
    assert span([0.0, None], 1) is None
    with notes.listening() as heard:
        assert span([0.0, 2.0, 1.0], 1) is None
    assert "backwards: after frame 1;" in heard[0]
    assert span([0.5, 1.0, 1.0], 0).tolist() == [5e5, 1e6, 1e6, 1.25e6]
