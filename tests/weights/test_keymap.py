"""Strict conversion: every name on either side is accounted for, or it is an error."""

import numpy as np
import pytest

from jaxact.weights.keymap import KeyMap, Rule, WeightsError, convert

SOURCE = {"w": np.arange(6.0).reshape(2, 3), "b": np.ones(2), "old": np.zeros(5)}
TARGET = {
    "fc/kernel": np.zeros((3, 2), np.float32),
    "fc/bias": np.zeros(2, np.float32),
    "head/bias": np.full(4, 7.0, np.float32),
}
RULES = (
    Rule("fc/kernel", ("w",), np.transpose),
    Rule("fc/bias", ("b",), lambda b: b),
)
IGNORE, FRESH = frozenset({"old"}), frozenset({"head/bias"})


def test_a_complete_map_fills_everything_and_reports_it():
    result, report = convert(SOURCE, TARGET, KeyMap("test", RULES, IGNORE, FRESH))
    assert list(result) == list(TARGET)
    np.testing.assert_array_equal(result["fc/kernel"], [[0, 3], [1, 4], [2, 5]])
    assert result["fc/kernel"].dtype == np.float32
    np.testing.assert_array_equal(result["head/bias"], TARGET["head/bias"])
    assert report.loaded == {"fc/kernel": (3, 2), "fc/bias": (2,)}
    assert (report.resized, report.fresh) == ({}, {"head/bias": (4,)})
    assert report.unused == {"old": (5,)}


def test_the_report_prints_three_columns():
    _, report = convert(SOURCE, TARGET, KeyMap("test", RULES, IGNORE, FRESH))
    assert str(report).splitlines() == [
        "Weights from test",
        "  loaded              8  fc/kernel, bias",
        "  resized             0  none",
        "  fresh               4  head/bias",
        "  unused              5  old",
    ]


@pytest.mark.parametrize(
    ("rules", "ignore", "fresh", "match"),
    [
        (RULES[:1], IGNORE, FRESH, r"b \[2\] of the file is not used"),
        (RULES[:1], IGNORE, FRESH, "fc/bias: nothing in the file fills it"),
        (RULES, frozenset(), FRESH, r"old \[5\] of the file is not used"),
        (RULES, IGNORE, frozenset(), "head/bias: nothing"),
        (
            (*RULES, Rule("head/bias", ("gone",), np.transpose)),
            IGNORE,
            FRESH,
            "head/bias: the file has no gone",
        ),
        (
            (*RULES, Rule("tail", ("b",), np.transpose)),
            IGNORE,
            FRESH,
            "tail: no such parameter",
        ),
        (
            (Rule("fc/kernel", ("w",), lambda w: w), RULES[1]),
            IGNORE,
            FRESH,
            r"fc/kernel: the file has \[2, 3\], the model \[3, 2\]",
        ),
    ],
)
def test_anything_unaccounted_for_is_an_error(rules, ignore, fresh, match):
    with pytest.raises(WeightsError, match=match) as error:
        convert(SOURCE, TARGET, KeyMap("test", rules, ignore, fresh))
    assert "width, depth, heads" in str(error.value)


def test_a_long_list_of_problems_is_cut():
    source = {f"extra{i}": np.zeros(1) for i in range(30)}
    with pytest.raises(WeightsError, match="and 22 more") as error:
        convert(source, {}, KeyMap("test", ()))
    assert len(str(error.value).splitlines()) < 12


def test_resized_arrays_are_reported_apart():
    keymap = KeyMap(
        "test", RULES, IGNORE, FRESH, lambda target, array, shape: array[:1]
    )
    target = {**TARGET, "fc/bias": np.zeros(1, np.float32)}
    result, report = convert(SOURCE, target, keymap)
    assert result["fc/bias"].tolist() == [1.0]
    assert report.resized == {"fc/bias": (1,)}
