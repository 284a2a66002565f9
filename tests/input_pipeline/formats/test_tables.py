"""Rows of an array of sensors: their columns, their times, what is wrong in them."""

import numpy as np
import pytest

from input_pipeline.formats import tables
from input_pipeline.formats.errors import UnusableFile

# Rows 0 and 1 of 8 x 8 values.
VALUES = 20 + np.arange(128, dtype=np.float32).reshape(2, 8, 8) / 8


def text(values=VALUES, heads=("0", "0.25"), separator=",", names=None, mark="."):
    lines = [] if names is None else [separator.join(names)]
    for head, row in zip(heads, values.reshape(len(values), -1), strict=True):
        cells = [f"{x:.4f}".replace(".", mark) for x in row]
        lines.append(separator.join([*filter(None, [head]), *cells]))
    return "\n".join(lines) + "\n"


def read(tmp_path, content, size=None):
    (tmp_path / "a.csv").write_text(content, encoding="utf-8")
    table = tables.read(tmp_path / "a.csv", size)
    return table, np.array([*table.frames(0, table.count)])


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
def test_a_row_is_a_time_and_the_values(tmp_path, separator):
    table, values = read(tmp_path, text(separator=separator))
    np.testing.assert_array_equal(values, VALUES)
    assert table.times.tolist() == [0, 250_000, 500_000]
    assert table.about == (
        "a row is time in seconds (4 frames a second); then 8 x 8 values (width x "
        "height)"
    )
    (second,) = table.frames(1, 2)
    np.testing.assert_array_equal(second, VALUES[1])


@pytest.mark.parametrize(
    ("names", "heads", "times"),
    [
        (["Time_ms"], ["500", "520"], (500_000, 20_000)),
        (["t [us]"], ["7", "20007"], (7, 20_000)),
        (
            ["timestamp"],
            ["2024-03-01 10:00:00.5", "2024-03-01T10:00:02"],
            (1709287200_500_000, 1_500_000),
        ),
        (["time"], ["10:00:01", "10:00:01.25"], (36001_000_000, 250_000)),
        (["time"], ["1:00:01.5", "2:00:01"], (3601_500_000, 3599_500_000)),
        (["t"], ["1611234567990", "1611234568000"], (1611234567_990_000, 10_000)),
        (None, ["1611234567990000", "1611234568000000"], (1611234567_990_000, 10_000)),
        (["time"], ["1611234567.99", "1611234568"], (1611234567_990_000, 10_000)),
        (["frame"], ["3", "4"], None),
        (None, ["3", "4"], None),  # they count
        (None, ["", ""], None),
    ],
)
def test_the_header_says_the_unit(tmp_path, names, heads, times):
    if names is not None:
        names = ["room 3"] * (len(names) - 1) + names + [f"p{i}" for i in range(64)]
    table, values = read(tmp_path, text(heads=heads, names=names))
    np.testing.assert_array_equal(values, VALUES)
    if times is None:
        assert table.times is None
    else:
        first, step = times
        assert table.times.tolist() == [first, first + step, first + 2 * step]


def test_two_lines_of_header_and_the_ambient_temperature(tmp_path):
    head = "a sensor, ceiling\ntime,ambient," + ",".join(map(str, range(64))) + "\n"
    content = head + text(heads=["0,24.5", "0.1,24.5"])
    table, values = read(tmp_path, content)
    np.testing.assert_array_equal(values, VALUES)
    assert table.times.tolist() == [0, 100_000, 200_000]
    assert "ambient, which is not read" in table.about


def test_decimal_commas_between_semicolons(tmp_path):
    content = text(separator=";", mark=",", heads=["0", "0,25"])
    table, values = read(tmp_path, content)
    np.testing.assert_array_equal(values, VALUES)
    assert table.times.tolist() == [0, 250_000, 500_000]


def test_decimal_commas_need_no_header(tmp_path):
    """There is a comma more than there are semicolons."""
    content = text(separator=";", mark=",", heads=["0,00", "0,25"])
    assert content.split("\n")[0].count(",") == 65 > content.split("\n")[0].count(";")
    _, values = read(tmp_path, content)
    np.testing.assert_array_equal(values, VALUES)


def test_times_that_stand_still_and_a_table_in_utf_16(tmp_path):
    names = ["time", *map(str, range(64))]
    table, _ = read(tmp_path, text(heads=("1", "1"), names=names))
    assert "a row is time in seconds (which does not advance); then" in table.about
    (tmp_path / "b.csv").write_bytes(text().encode("utf-16"))
    with pytest.raises(UnusableFile, match="in UTF-16; export it again in UTF-8"):
        tables.read(tmp_path / "b.csv", None)


def test_the_size_is_that_of_a_sensor_or_is_given():
    assert tables.layout(768, None) == (0, 24, 32)
    assert tables.layout(4961, None) == (1, 62, 80)
    assert tables.layout(258, None) == (2, 16, 16)
    assert tables.layout(49, None) == (0, 7, 7)
    assert tables.layout(71, (10, 7)) == (1, 7, 10)
    with pytest.raises(ValueError, match="a row has 71 cells, of which no known sens"):
        tables.layout(71, None)
    with pytest.raises(ValueError, match="--frame_size says 8 x 7: 56 values"):
        tables.layout(71, (8, 7))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [lines[0], lines[1] + ",3"], "line 2 has 66 cells, those befor"),
        (
            lambda lines: [lines[0].replace("21.0000", ""), lines[1]],
            "line 1, column 10: '' is no number",
        ),
        (
            lambda lines: [lines[0], lines[1].replace("30.0000", "hot")],
            "line 2, column 18: 'hot' is no number",
        ),
        (lambda lines: ["time and values"], "of numbers; the last one is 'time and"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, change, message):
    lines = change(text().splitlines())
    with pytest.raises(UnusableFile, match=message):
        read(tmp_path, "\n".join(lines))


def test_times_of_an_array_s_first_column():
    rows = np.concatenate([[[0.0], [0.5]], VALUES.reshape(2, 64)], axis=1)
    table = tables.of_array(rows, None)
    assert table.times.tolist() == [0, 500_000, 1_000_000]
    np.testing.assert_array_equal([*table.frames(0, 2)], VALUES)
