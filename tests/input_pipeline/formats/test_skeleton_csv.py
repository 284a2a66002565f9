"""Skeletons in CSV files: a row a frame, or a row a joint."""

import numpy as np
import pytest

from input_pipeline.formats import notes, skeleton, skeleton_csv


def read(tmp_path, text: str):
    (tmp_path / "a.csv").write_text(text)
    return skeleton_csv.read(tmp_path / "a.csv")


POINTS = np.arange(1.0, 2 * 5 * 3 + 1).reshape(2, 5, 3)
ROWS = [[f"{x:g}" for x in frame.ravel()] for frame in POINTS]
NAMES = [f"joint{i}{axis}" for i in range(5) for axis in "xyz"]


@pytest.mark.parametrize("separator", [",", ";", "\t", ", "])
@pytest.mark.parametrize("header", [[], [NAMES]])
@pytest.mark.parametrize("end", ["", ","])
def test_a_row_a_frame(tmp_path, separator, header, end):
    rows = [separator.join(row) + end * (separator == ",") for row in header + ROWS]
    points, states = read(tmp_path, "\n".join(rows) + "\n\n")
    np.testing.assert_array_equal(points, POINTS[None])
    assert states.shape == (1, 2, 5) and (states == 2).all()


def test_an_empty_cell_is_a_joint_not_seen(tmp_path):
    rows = [list(row) for row in ROWS]
    rows[0][4], rows[1][0] = "", "nan"
    points, states = read(tmp_path, "\n".join(",".join(row) for row in rows))
    assert np.isnan(points[0, 0, 1, 1])
    assert states[0].tolist() == [[2, 0, 2, 2, 2], [0, 2, 2, 2, 2]]


def test_a_recorder_of_kinect_adds_times_and_states(tmp_path):
    lines = []
    for time, frame in zip((89810293609, 89810634305), POINTS, strict=True):
        joints = [f"{x:g},{y:g},{z:g},{i % 3}" for i, (x, y, z) in enumerate(frame)]
        lines.append(",".join([str(time), *joints]) + ",")
    points, states = read(tmp_path, "\n".join(lines))
    np.testing.assert_array_equal(points, POINTS[None])
    assert states[0].tolist() == [[0, 1, 2, 0, 1]] * 2
    found = skeleton.read_skeleton(tmp_path / "a.csv")
    np.testing.assert_array_equal(found.points, POINTS[None])
    assert found.tracked[0, 0].tolist() == [False, False, True, False, False]
    backward = "\n".join(reversed(lines))
    with pytest.raises(
        ValueError, match="line 2: the time, the first column, is before"
    ):
        read(tmp_path, backward)
    with pytest.raises(
        ValueError, match="line 2: the state of joint 4 is 7; expected 0"
    ):
        read(tmp_path, "\n".join(lines)[:-2] + "7,")


@pytest.mark.parametrize("cells", [slice(4, 5), slice(1, 5)])
def test_a_recorder_s_blank_cells_are_a_joint_not_seen(tmp_path, cells):
    """20 joints and a time are 81 columns, which x y z of 27 joints have, too."""
    body = [f"{i},0.5,2.5,2".split(",") for i in range(20)]
    rows = [[str(time), *sum(body, [])] for time in (7, 8)]
    rows[1][cells] = [""] * len(rows[1][cells])
    points, states = read(tmp_path, "\n".join(map(",".join, rows)))
    assert points.shape == (1, 2, 20, 3) and states[0, 1].tolist() == [0] + [2] * 19
    assert np.isnan(points).sum() == (3 if cells.start == 1 else 0)


def test_positions_are_not_taken_for_states(tmp_path):
    table = np.random.default_rng(0).normal(size=(6, 21)).cumsum(axis=0)
    table[:, 0] = np.arange(6)  # never falls
    table[2, 4:] = 0  # a frame in which the others were not seen
    text = "\n".join(",".join(map(str, row)) for row in table.tolist())
    assert read(tmp_path, text)[0].shape == (1, 6, 7, 3)


LONG = """\
Person;Frame;Joint;Z;Y;X;Note
Ann;12;0;3;2;1;first
Ann;12;2;;2;1;
Bob;13;1;6;5;4;
Ann;14;0;9;8;7;
"""


def test_a_row_a_joint(tmp_path):
    points, states = read(tmp_path, LONG)
    assert points.shape == (2, 3, 3, 3)
    assert points[0, 0, 0].tolist() == [1, 2, 3]
    assert points[1, 1, 1].tolist() == [4, 5, 6]
    assert points[0, 2, 0].tolist() == [7, 8, 9]
    # Ann's joint 2 has a row without a number: not seen, but there is such a joint.
    assert np.isfinite(points).all(-1).sum() == 3 and (states == 2).sum() == 3


def test_a_row_a_joint_with_states(tmp_path):
    text = "frame,joint,x,y,z,state\n0,0,1,1,1,1\n0,1,2,2,2,2\n"
    points, states = read(tmp_path, text)
    assert points.shape == (1, 1, 2, 3) and states[0, 0].tolist() == [1, 2]
    points, states = read(tmp_path, text + "1,0,,,,\n")
    assert np.isnan(points[0, 1]).all() and states[0, 1].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("\n\n", "there is no row"),
        ("x1,y1,z1\n", "header but no row"),
        ("1,2,3\n\n1,2,3,4,5,6\n", "line 3: 6 columns, line 1 has 3"),
        ("1,2,3,4\n", "4 columns; expected x y z"),
        ("1,2,3\n1,b,3\n", "line 2: 'b' is no number"),
        ("frame,joint,x,y,z\n", "header but no row"),
        ("frame,joint,x,y,z\n0,0,1,1\n", "line 2: 4 columns, the header has 5"),
        ("frame,joint,x,y,z\n0,hip,1,1,1\n", "line 2: the joint is 'hip'; expected"),
        ("frame,joint,x,y,z\n-1,0,1,1,1\n", "line 2: the frame is '-1'"),
        ("frame,joint,x,y,z\n0,99999,1,1,1\n", "line 2: the joint is '99999'.*1000"),
        ("frame,joint,x,y,z\n0,0,1,1,1\n0,0,2,2,2\n", "line 3: joint 0 of frame 0 st"),
        ("frame,joint,x,y,z,state\n0,0,1,1,1,7\n", "line 2: the state is '7'"),
        ("frame,joint,x,y,z\n0,0,1,1,high\n", "line 2: 'high' is no number"),
        (
            "# of a Kinect\n1,2,3\n",
            "line 1: '# of a Kinect' begins with #, as comments",
        ),
        ("1,2,3\n\n#2,3,4\n", "line 3: '#2' begins with #"),
    ],
)
def test_errors_name_the_line(tmp_path, text, match):
    with pytest.raises(ValueError, match=match):
        read(tmp_path, text)


def test_utf_16_is_called_so(tmp_path):
    (tmp_path / "a.csv").write_text("1,2,3\n", encoding="utf-16")
    with pytest.raises(ValueError, match="in UTF-16, as Excel's.*expected UTF-8"):
        skeleton_csv.read(tmp_path / "a.csv")


def long(frames, joints=range(5)) -> str:
    """A table with a row a joint of these frames; x says which frame in order."""
    rows = [f"{f},{j},{i},1,3" for i, f in enumerate(frames) for j in joints]
    return "\n".join(["frame,joint,x,y,z", *rows])


MILLISECONDS = [round(i * 1000 / 30) for i in range(60)]


@pytest.mark.parametrize(
    ("frames", "unit"),
    [
        (range(60), 1),
        (range(1, 61), 1),
        (range(0, 600, 10), 10),
        (range(7, 7 + 60 * 5, 5), 5),
        (MILLISECONDS, 33),
        ([1_764_000_000_000 + t for t in MILLISECONDS], 33),
        ([1_764_000_000 * 10**9 + 40_000_000 * i for i in range(60)], 40_000_000),
    ],
)
def test_frames_may_be_counted_in_any_unit(tmp_path, frames, unit):
    with notes.listening() as heard:
        points, _ = read(tmp_path, long(frames))
    assert points[0, :, 0, 0].tolist() == list(range(60))
    assert len(heard) == (unit > 1)
    assert all(f"counts in steps of {unit}," in text for text in heard)


def test_frames_in_which_nobody_was_seen_stay_empty_in_any_unit(tmp_path):
    """10 frames, 20 without a row, 10 frames: 30 frames a second, in milliseconds."""
    kept = [*range(10), *range(30, 40)]
    points, states = read(tmp_path, long([MILLISECONDS[i] for i in kept]))
    assert np.flatnonzero(states[0].any(axis=-1)).tolist() == kept
    assert points[0, 30, 0, 0] == 10


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (
            long([*range(10), *range(990, 999)]),
            "nearly all frames have no row: 19 have",
        ),
        (long(range(9), range(1, 6)), "joint 0 has no row, but joints 1 to 5 have"),
        (
            "frame,joint,person,x,y,score\n0,0,0,1,2,.9\n",
            "names joint but not z;",
        ),
        ("nose_x,nose_y,eye_x,eye_y,a_x,a_y\n1,2,3,4,5,6\n", "nose_x, nose_y, eye_x"),
        ("x0,y0,score0\n1,2,3\n", "a score is no z"),
        ("x_0,y_0,c_0\n1,2,3\n", "columns are x_0, y_0, c_0, .*a score is no z"),
        ("x0,x1,y0,y1,z0,z1\n1,2,3,4,5,6\n", "columns are x0, x1, y0, .*one joint aft"),
        ("hip_z,hip_y,hip_x\n1,2,3\n", "columns are hip_z, hip_y, hip_x, .*expected x"),
    ],
)
def test_tables_of_other_things_are_refused(tmp_path, text, match):
    with pytest.raises(ValueError, match=match):
        read(tmp_path, text)


@pytest.mark.parametrize(
    "header",
    ["x0,y0,z0,x1,y1,z1", "a_x,a_y,a_z,b_x,b_y,b_z", "X,Y,Z,X,Y,Z", "a,b,c,d,e,f"],
)
def test_headers_of_positions_are_passed_over(tmp_path, header):
    assert read(tmp_path, f"{header}\n1,2,3,4,5,6\n")[0].shape == (1, 1, 2, 3)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas_between_other_separators(tmp_path, separator):
    for number, row in enumerate((["0,5", "-1,25", "2,5"], ["1", "2", "3,5"])):
        path = tmp_path / f"{number}.csv"
        path.write_text("x0 y0 z0\n".replace(" ", separator) + separator.join(row))
        points, states = skeleton_csv.read(path)
        want = [float(cell.replace(",", ".")) for cell in row]
        assert points.ravel().tolist() == want and states.tolist() == [[[2]]]
    path.write_text(separator.join(["0,5", "-1,25", "2,5"]))  # without a header
    assert skeleton_csv.read(path)[0].ravel().tolist() == [0.5, -1.25, 2.5]
