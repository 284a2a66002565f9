"""Skeleton files are read, and their persons chosen, by the documented rule."""

import numpy as np
import pytest

from input_pipeline.formats import ntu, skeleton
from input_pipeline.formats.errors import UnusableFile
from tests.input_pipeline import raw


def tracks(lengths: list[tuple[int, int]], frames: int = 60) -> tuple:
    """Upright bodies of 3 joints, present in [start, stop); body i moves by i + 1."""
    points = np.zeros((len(lengths), frames, 3, 3), np.float32)
    present = np.zeros((len(lengths), frames), bool)
    for i, (start, stop) in enumerate(lengths):
        present[i, start:stop] = True
        points[i, start:stop, :, 1] = [0.0, 1.0, 2.0]
        step = np.arange(stop - start)[:, None] % 2
        points[i, start:stop, :, 0] = (i + 1) * 0.1 * step
        points[i, start:stop, :, 2] = 3
    tracked = np.broadcast_to(present[..., None], points.shape[:3])
    return points, tracked, present


def test_persons_are_ordered_by_motion_and_at_most_two():
    points, tracked, present = tracks([(0, 60), (0, 60), (0, 60)])
    chosen = skeleton.choose_persons(points, tracked, present)
    np.testing.assert_array_equal(chosen.points, points[[2, 1]])
    assert chosen.tracked.all()


def test_a_person_who_is_lost_and_found_is_one_person():
    points, tracked, present = tracks([(0, 20), (30, 60)])
    chosen = skeleton.choose_persons(points, tracked, present)
    assert chosen.points.shape[0] == 1
    np.testing.assert_array_equal(chosen.points[0, :20], points[0, :20])
    np.testing.assert_array_equal(chosen.points[0, 30:], points[1, 30:])
    assert not chosen.points[0, 20:30].any() and not chosen.tracked[0, 20:30].any()


@pytest.mark.parametrize(
    ("aside", "gap", "persons"),
    [
        (0.6, 10, 1),  # 0.5 + 0.05 x 11 = 1.05 m
        (1.5, 10, 2),
        (1.5, 25, 1),  # who walks has come 1.3 m by then
    ],
)
def test_who_could_not_have_come_there_is_somebody_else(aside, gap, persons):
    points, tracked, present = tracks([(0, 20), (20 + gap, 60)])
    points[1, 20 + gap :, :, 2] += aside
    chosen = skeleton.choose_persons(points, tracked, present)
    assert chosen.points.shape[0] == persons
    if persons == 2:  # each where it was, with nothing of the other
        np.testing.assert_array_equal(chosen.points, points[::-1])


def test_who_appears_aside_while_another_is_lost_is_not_that_one():
    points, tracked, present = tracks([(25, 40), (0, 20), (45, 60)])
    points[0, 25:40, :, 2] += 1.5
    chosen = skeleton.choose_persons(points, tracked, present)
    there = chosen.points.any(axis=(2, 3))
    np.testing.assert_array_equal(there, [present[1] | present[2], present[0]])


def test_short_tracks_and_furniture_are_dropped_but_never_everybody():
    points, tracked, present = tracks([(0, 60), (0, 11), (0, 60)])
    points[2, :, :, 0] = [0.0, 1.0, 2.0]  # as wide as high
    points[2, 0] += 5  # and it jumps, so that it has the most motion energy
    chosen = skeleton.choose_persons(points, tracked, present)
    np.testing.assert_array_equal(chosen.points, points[:1])
    alone = [part[2:] for part in (points, tracked, present)]
    assert skeleton.choose_persons(*alone).points.shape[0] == 1
    brief = [part[1:2] for part in (points, tracked, present)]
    assert skeleton.choose_persons(*brief).points.shape[0] == 1


def test_only_sensors_see_furniture_and_by_joints_that_were_seen(tmp_path):
    made = ntu.Skeletons.empty(2, 20)
    made.present[:], made.ids[:] = True, [7, 8]
    made.points[..., 1] = np.linspace(-1, 0.8, 25)
    made.points[..., 2] = 3
    made.points[1, ..., 0] = 1.8  # Bob stands aside,
    made.points[1, :, 3] = 0  # and his head is never seen
    made.tracked[:] = ntu.TRACKED
    ntu.write_skeleton(tmp_path / "a.skeleton", made)
    assert len(skeleton.read_skeleton(tmp_path / "a.skeleton").points) == 2
    made.points[1, :, 3] = made.points[1, :, 4]
    lying = made.points[..., [1, 0, 2]]  # or an array whose y is not upward
    np.save(tmp_path / "a.npy", np.stack([made.points[0], lying[1]]))
    assert len(skeleton.read_skeleton(tmp_path / "a.npy").points) == 2


def test_ntu_skeletons_are_read(tmp_path):
    path = raw.write_skeleton(tmp_path / "a.skeleton", frames=13, bodies=2)
    found = skeleton.read_skeleton(path)
    assert found.points.shape == (2, 13, 25, 3) and found.tracked.all()


def test_arrays_are_read(tmp_path):
    points = np.random.default_rng(0).standard_normal((7, 5, 3)).astype(np.float32)
    np.save(tmp_path / "a.npy", points)
    np.save(tmp_path / "b.npy", np.stack([points, points + 1]))
    one = skeleton.read_skeleton(tmp_path / "a.npy")
    np.testing.assert_array_equal(one.points, points[None])
    assert one.tracked.all()
    two = skeleton.read_skeleton(tmp_path / "b.npy")
    assert two.points.shape == (2, 7, 5, 3)


@pytest.mark.parametrize("lost", [np.nan, np.inf, -np.inf])
def test_joints_that_were_not_seen_lie_on_the_way(tmp_path, lost):
    points = np.ones((6, 3, 3))
    points[:, 0, 0] = [1, 2, 3, 4, 5, 9]
    points[2:5, 0, 1] = lost  # one number is enough to lose a joint
    points[0, 1] = points[5, 1] = lost  # at the ends
    points[:, 2] = lost  # never seen
    points[3] = lost  # nobody there at all
    np.save(tmp_path / "a.npy", points)
    found = skeleton.read_skeleton(tmp_path / "a.npy")
    x = found.points[0, :, 0, 0].tolist()
    # From 2 at frame 1 to 9 at frame 5, but for frame 3, which shows nobody.
    assert x == [1, 2, 3.75, 0, 7.25, 9]
    assert found.tracked[0, :, 0].tolist() == [True, True, False, False, False, True]
    assert found.points[0, [0, 5], 1].tolist() == [[1, 1, 1], [1, 1, 1]]
    assert not found.tracked[0, [0, 5], 1].any()
    assert not found.points[0, :, 2].any() and not found.points[0, 3].any()


def test_empty_frames_and_states_of_a_skeleton_file(tmp_path):
    made = ntu.Skeletons.empty(1, 9)
    made.present[0] = [1, 1, 0, 0, 1, 1, 1, 1, 1]
    made.points[made.present] = 1 + np.arange(75).reshape(25, 3) / 75
    made.tracked[made.present] = ntu.TRACKED
    made.tracked[0, 1, 4] = ntu.INFERRED  # guessed: where it is guessed
    made.points[0, 5, 6], made.tracked[0, 5, 6] = 0, ntu.NOT_TRACKED
    ntu.write_skeleton(tmp_path / "a.skeleton", made)
    found = skeleton.read_skeleton(tmp_path / "a.skeleton")
    assert found.points.shape == (1, 9, 25, 3)
    assert not found.points[0, 2:4].any() and not found.tracked[0, 2:4].any()
    there = found.points[0, [0, 1, 4, 5, 6, 7, 8]]
    np.testing.assert_array_equal(there, [made.points[0, 0]] * 7)
    assert not found.tracked[0, 1, 4] and not found.tracked[0, 5, 6]
    assert found.tracked.sum() == 7 * 25 - 2


def test_noise_and_lost_tracks_of_a_skeleton_file(tmp_path):
    """Ann is lost and found under a new number, Bob stays; a chair and a flicker."""
    ann, found_ann, bob, chair, flicker = range(5)
    made = ntu.Skeletons.empty(5, 50)
    made.ids[:] = 7 + np.arange(5)
    for body, frames in (
        (ann, range(20)),
        (found_ann, range(26, 50)),
        (bob, range(50)),
        (chair, range(50)),
        (flicker, range(3, 8)),
    ):
        made.present[body, frames] = True
    made.points[..., 1] = np.linspace(-1, 0.8, 25)
    made.points[..., 2] = 3
    made.points[bob, ..., 0] = 1
    made.points[[ann, found_ann], :, :, 0] = 0.2 * np.sin(np.arange(50))[:, None]
    made.points[chair, ..., 0] = np.linspace(1, 5, 25)  # wider than high
    made.points[chair, ..., 2] += np.arange(50)[:, None]  # and lively
    made.points[flicker, ..., 2] = np.arange(50)[:, None]
    made.points[~made.present] = 0
    made.tracked[made.present] = ntu.TRACKED
    path = tmp_path / "a.skeleton"
    ntu.write_skeleton(path, made)
    read = skeleton.read_skeleton(path)
    assert read.points.shape == (2, 50, 25, 3)
    np.testing.assert_array_equal(read.points[0, :20], made.points[ann, :20])
    np.testing.assert_array_equal(read.points[0, 26:], made.points[found_ann, 26:])
    assert not read.points[0, 20:26].any()
    np.testing.assert_array_equal(read.points[1], made.points[bob])


def test_unusable_skeletons_say_why(tmp_path):
    def reason(name: str, **options) -> str:
        with pytest.raises(UnusableFile) as caught:
            skeleton.read_skeleton(tmp_path / name, **options)
        return str(caught.value)

    assert "missing" in reason("no.skeleton")
    (tmp_path / "empty.csv").touch()
    assert "no bytes" in reason("empty.csv")
    (tmp_path / "a.txt").write_text("1 2 3")
    assert ".skeleton, .npy, .csv" in reason("a.txt")
    np.save(tmp_path / "flat.npy", np.zeros((5, 75)))
    assert "float64 [5, 75]; expected" in reason("flat.npy")
    np.save(tmp_path / "turned.npy", np.zeros((65, 2, 25, 3)))
    assert "[65, 2, 25, 3], of 65 persons; expected [m t v 3]" in reason("turned.npy")
    np.save(tmp_path / "zero.npy", np.zeros((5, 4, 3)))
    assert "nobody is seen" in reason("zero.npy")
    np.save(tmp_path / "short.npy", np.ones((5, 4, 3)))
    assert "5 frames; at least 8" in reason("short.npy", min_frames=8)
    (tmp_path / "word.csv").write_text("1,2,3\n1,two,3\n")
    assert "undecodable: line 2: 'two' is no number" in reason("word.csv")
    path = raw.write_skeleton(tmp_path / "cut.skeleton")
    path.write_text(path.read_text()[:3000])
    assert "undecodable" in reason("cut.skeleton")


def test_pickled_arrays_are_not_executed(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"x": 1}], object), allow_pickle=True)
    with pytest.raises(UnusableFile, match="undecodable"):
        skeleton.read_skeleton(tmp_path / "a.npy")
