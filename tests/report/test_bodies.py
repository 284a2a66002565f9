"""Skeletons in the report's pictures: where they are drawn, and where nothing is."""

import numpy as np
import pytest

from jaxact import report
from jaxact.report import bodies, overlays
from tests.report.test_overlays import video
from tests.report.test_report import Page, evaluation

FIRST, SECOND = bodies.PERSONS
NAN = np.nan


def grey(size: int = 100) -> np.ndarray:
    return np.full((size, size, 3), 120, np.uint8)


def near(picture: np.ndarray, tint: tuple[int, int, int]) -> np.ndarray:
    """Where a picture has a colour, bool [h w]."""
    return np.abs(picture.astype(int) - tint).max(-1) < 40


def test_a_bone_joins_its_joints():
    joints = np.array([[[0.2, 0.5], [0.8, 0.5], [0.5, 0.1]]])
    picture = bodies.draw(grey(), joints, [(0, 1)])
    rows, columns = np.nonzero(near(picture, FIRST))
    line = rows > 30
    assert set(rows[line]) <= {48, 49, 50, 51} and set(range(22, 79)) <= set(columns)
    assert near(picture, FIRST)[10, 50]  # the joint alone is a dot
    # A dark edge on both sides, and the rest as it was.
    column = picture[:, 50].astype(int).max(-1)
    assert column[44:49].min() < 60 and column[51:56].min() < 60
    assert (picture[60:] == 120).all() and (picture[:, :15] == 120).all()


def test_joints_without_bones_are_dots():
    picture = bodies.draw(grey(), np.array([[[0.3, 0.4]]]), ())
    rows, columns = np.nonzero(near(picture, FIRST))
    assert 0 < len(rows) < 40
    assert (rows.mean(), columns.mean()) == (
        pytest.approx(39.5, 1),
        pytest.approx(29.5, 1),
    )


def test_nothing_is_drawn_of_what_is_not_known():
    joints = np.array([[[0.2, 0.5], [NAN, NAN], [1e30, 0.5], [-np.inf, 0.5]]])
    bones = [(0, 1), (0, 2), (0, 3)]
    picture = bodies.draw(grey(), joints, bones)
    assert (picture[:, 40:] == 120).all() and near(picture, FIRST).any()
    nobody = np.full((2, 4, 2), NAN)
    np.testing.assert_array_equal(bodies.draw(grey(), nobody, bones), grey())


def test_the_first_person_is_on_top():
    bone = np.array([[0.1, 0.5], [0.9, 0.5]])
    other = np.array([[0.5, 0.1], [0.5, 0.9]])
    picture = bodies.draw(grey(), np.stack([bone, other]), [(0, 1)])
    assert near(picture, FIRST)[50, 50] and near(picture, SECOND)[20, 50]


def test_panels_keep_scale_and_place():
    """A body of two joints that walks to the right; upright is upright."""
    points = np.zeros((2, 3, 2, 3))
    points[0, :, :, 0] = np.array([1.0, 2.0, 3.0])[:, None]
    points[0, :, 1, 1] = 1.0
    points[0, :, :, 2] = 3
    frames = bodies.panels(points, [(0, 1)], size=120)
    assert frames.shape == (3, 120, 120, 3) and frames.dtype == np.uint8
    assert overlays.is_video(frames)
    places = [np.nonzero(near(frame, FIRST)) for frame in frames]
    columns = [columns.mean() for _, columns in places]
    assert columns[0] < columns[1] - 30 < columns[2] - 60
    heights = [np.ptp(rows) for rows, _ in places]
    assert max(heights) - min(heights) <= 1 and heights[0] > 40
    # The absent second person is nowhere.
    assert not near(frames, SECOND).any()


def test_nobody_at_all_is_empty_panels():
    frames = bodies.panels(np.zeros((2, 2, 5, 3)), [(0, 1)])
    assert (frames == bodies.PANEL).all()


def test_a_sheet_draws_each_frames_joints():
    joints = np.full((2, 1, 2, 2), NAN)
    joints[1, 0] = [[0.2, 0.5], [0.8, 0.5]]
    frames = np.full((2, 150, 150, 1), 90, np.uint8)
    selection = overlays.Selection(joints=joints)
    sheet = np.asarray(
        overlays.selection_sheet({"ir": frames}, selection, bones=[(0, 1)])
    )
    _, columns = np.nonzero(near(sheet, FIRST))
    assert columns.min() > sheet.shape[1] / 2
    with pytest.raises(ValueError, match="2 joints for 3 frames"):
        overlays.selection_sheet({"ir": frames[[0, 0, 0]]}, selection)


def test_long_clips_are_shown_in_a_row():
    streams = {"rgb": video(32), "ir": video(5, channels=1)}
    joints = np.arange(37.0)[:, None, None, None] * np.ones((1, 2, 3, 2))
    fewer, selection = overlays.spread(streams, overlays.Selection(joints=joints))
    np.testing.assert_array_equal(fewer["rgb"], streams["rgb"][2::4])
    np.testing.assert_array_equal(fewer["ir"], streams["ir"])
    assert selection.joints[:, 0, 0, 0].tolist() == [*range(2, 32, 4), *range(32, 37)]
    marked = overlays.Selection(marks=np.ones(37, int))
    everything, same = overlays.spread(streams, marked)
    assert len(everything["rgb"]) == 32 and same is marked


@pytest.mark.parametrize("overlaid", [True, False])
def test_the_report_shows_skeletons(tmp_path, overlaid):
    points = np.random.default_rng(0).uniform(1, 2, (2, 8, 5, 3))
    example = {"name": "x", "label": 0, "scores": [0.7, 0.1, 0.1, 0.1]}
    example["streams"] = {"rgb": video(2), "skeleton": points}
    if overlaid:
        example["joints_seen"] = np.full((2, 2, 5, 2), 0.5)
    given = evaluation(examples=[example], bones=((0, 1), (1, 2)))
    page = Page(report.write_report(tmp_path, given).read_text())
    assert page.tags.count("img") == 1
    text = " ".join(" ".join(page.texts).split())
    assert "Lines are the skeleton" in text and "not shown" not in text
    assert ("drawn where the camera sees it" in text) == overlaid
    heights = [
        int(v) for tag, name, v in page.attributes if (tag, name) == ("img", "height")
    ]
    assert (heights[0] > 300) == (not overlaid)  # a row of its own, or none
