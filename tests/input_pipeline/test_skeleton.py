"""Skeleton files are read, and their persons chosen, by the documented rule."""

import numpy as np
import pytest

from input_pipeline.formats import skeleton
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


def test_ntu_skeletons_are_read(tmp_path):
    path = raw.write_skeleton(tmp_path / "a.skeleton", frames=13, bodies=2)
    found = skeleton.read_skeleton(path)
    assert found.points.shape == (2, 13, 25, 3) and found.tracked.all()


def test_arrays_and_tables_are_read(tmp_path):
    points = np.random.default_rng(0).standard_normal((7, 5, 3)).astype(np.float32)
    points[2, 3] = np.nan
    np.save(tmp_path / "a.npy", points)
    np.save(tmp_path / "b.npy", np.stack([points, points + 1], 1))
    one = skeleton.read_skeleton(tmp_path / "a.npy")
    assert one.points.shape == (1, 7, 5, 3)
    assert not one.tracked[0, 2, 3] and not one.points[0, 2, 3].any()
    assert one.tracked.sum() == 34
    np.testing.assert_array_equal(one.points[0, 0], points[0])
    assert skeleton.read_skeleton(tmp_path / "b.npy").points.shape == (2, 7, 5, 3)
    rows = [",".join(f"{x:.9g}" for x in frame.ravel()) for frame in points]
    rows = ["", *[row.replace("nan", "") for row in rows]]
    rows[0] = ",".join(f"joint{i // 3}{'xyz'[i % 3]}" for i in range(15))
    (tmp_path / "a.csv").write_text("\n".join(rows))
    table = skeleton.read_skeleton(tmp_path / "a.csv")
    np.testing.assert_array_equal(table.points, one.points)
    np.testing.assert_array_equal(table.tracked, one.tracked)


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
    np.save(tmp_path / "zero.npy", np.zeros((5, 4, 3)))
    assert "nobody is seen" in reason("zero.npy")
    np.save(tmp_path / "short.npy", np.ones((5, 4, 3)))
    assert "5 frames; at least 8" in reason("short.npy", min_frames=8)
    (tmp_path / "ragged.csv").write_text("1,2,3\n1,2,3,4,5,6\n")
    assert "frame 2 has 6 columns, frame 1 has 3" in reason("ragged.csv")
    (tmp_path / "word.csv").write_text("1,2,3\n1,two,3\n")
    assert "two" in reason("word.csv")
    path = raw.write_skeleton(tmp_path / "cut.skeleton")
    path.write_text(path.read_text()[:3000])
    assert "undecodable" in reason("cut.skeleton")


def test_pickled_arrays_are_not_executed(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"x": 1}], object), allow_pickle=True)
    with pytest.raises(UnusableFile, match="undecodable"):
        skeleton.read_skeleton(tmp_path / "a.npy")
