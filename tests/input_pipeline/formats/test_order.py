"""The order of numbered files, and names that have none."""

import random

import pytest

from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.order import natural

ORDERS = [
    ["1", "2", "9", "10", "11"],
    ["1_ir8", "2_ir8", "9_ir8", "10_ir8"],
    ["0.00", "0.25", "0.75", "1.00", "1.25", "10.00"],
    ["1611234567.900000000", "1611234567.999000000", "1611234568.032000000"],
    ["frame-1", "frame-2", "frame-10"],
    ["Frame_0001_640x480", "frame_0002_640x480"],
    ["2021-01-31_23-59-59_001", "2021-02-01_00-00-00_000"],
    ["28-02-2021 17.30", "28-02-2021 18.05"],
    ["img (1)", "img (2)", "img (12)"],
    ["-2", "-1", "0", "1"],
    ["-0.50", "-0.25", "0.00", "0.25"],
    ["t_-1", "t_0", "t_+1"],
    ["1611234567.9", "1611234567.95", "1611234568.0"],
    ["v2.0_1", "v2.0_2", "v2.0_10"],
    ["1.8", "1.9", "1.10", "1.11", "2.1"],  # counts on: no decimals
    ["0", "00000001", "2"],
]


@pytest.mark.parametrize("names", ORDERS, ids=lambda names: names[0])
def test_all_numbers_of_a_name_count_in_turn(names):
    shuffled = random.Random(0).sample(names, len(names))
    assert [shuffled[i] for i in natural(shuffled)] == names


AMBIGUOUS = [
    (["0.5", "0.25", "0.75"], "as decimals"),
    (["1611234567.9", "1611234567.85", "1611234568.0"], "as decimals"),
    (["1", "01", "2"], "same"),
    (["a_1", "b_1"], "texts differ"),
    (["0001", "cover"], "no number"),
    (["0001", "0001_mask"], "texts differ"),
    (["0001_left", "0001_right"], "texts differ"),
    (["left", "right"], "no number"),
    (["1f", "2a"], "texts differ"),
    (["31-01-2021", "01-02-2021", "02-02-2021"], "as dates"),
    (["1e-05", "0.1"], "texts differ"),
]


@pytest.mark.parametrize("names, why", AMBIGUOUS, ids=lambda value: value[0])
def test_names_without_one_order_are_refused(names, why):
    with pytest.raises(UnusableFile, match=f"ambiguous: .*{why}.*fixed width"):
        natural(names)


def test_one_name_needs_no_number():
    assert natural(["picture"]) == [0] and natural([]) == []
