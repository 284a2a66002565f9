"""Which frames were kept, by hand."""

import numpy as np
import pytest

from jaxact import frame_choice

# Three clips, two streams of three frames; two frames are kept of each clip.
MARKS = np.array([[2, 0, 0, 1, 0, 0], [0, 2, 0, 0, 0, 1], [1, 2, 0, 0, 0, 0]])
SHOWN = np.array(
    [[1, 0, 0, 1, 1, 0], [0, 1, 0, 0, 1, 0], [0, 0, 1, 0, 1, 0]], bool
)  # fmt: skip


def test_precision_by_hand():
    row = frame_choice.precision(MARKS >= 1, SHOWN)
    # Kept and shown: both of clip 0, one of clip 1, none of clip 2.
    assert row["precision"] == 3 / 6
    # At random: 2 x 3/6 + 2 x 2/6 + 2 x 2/6 of 6.
    assert row["chance"] == pytest.approx((1 + 4 / 3) / 6)
    # Position 4 shows the actor in three clips, the next best in one: 4 of 6.
    assert row["blind"] == 4 / 6 and row["ceiling"] == 1.0
    assert row["clips"] == 3 and row["kept"] == 2.0


def test_rows_by_stream_and_difficulty():
    found = frame_choice.describe(
        MARKS, SHOWN, {"rgb": 3, "ir": 3}, np.array([1, 2, 0]), ["dark", "far"]
    )
    rows = {row["name"]: row for row in found["rows"]}
    assert list(rows) == ["all", "rgb", "ir", "dark", "far", "none"]
    assert rows["rgb"]["precision"] == 2 / 4 and rows["ir"]["precision"] == 1 / 2
    # Of the infrared 2/3 of a frame is kept a clip, rounded 1: position 1 is right.
    assert rows["ir"]["blind"] == 1.0
    assert rows["rgb"]["chance"] == pytest.approx((1 / 3 + 1 / 3 + 2 / 3) / 4)
    assert [rows[name]["precision"] for name in ("dark", "far", "none")] == [1, 0.5, 0]
    assert rows["far"]["blind"] == 1.0  # for one clip the truth is a fixed position
    assert found["positions"] == {
        "rgb": [2 / 3, 2 / 3, 0.0], "ir": [1 / 3, 0.0, 1 / 3],
    }  # fmt: skip


def test_nothing_kept_is_no_number():
    row = frame_choice.precision(np.zeros((2, 4), bool), np.ones((2, 4), bool))
    assert np.isnan(row["precision"]) and np.isnan(row["blind"]) and row["kept"] == 0
