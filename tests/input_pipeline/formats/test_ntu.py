"""NTU RGB+D's names, protocols, lists and skeleton files."""

import collections
from pathlib import Path

import numpy as np
import pytest

from input_pipeline.formats import ntu

DATA = Path(ntu.__file__).parents[1] / "builders" / "data"

# Positions (metres) and tracking states that a Kinect v2 measured on someone standing
# with one hand raised: one frame of Ges01_wavehand.csv of LabanotationSuite (MIT,
# github.com/microsoft/LabanotationSuite), in Kinect v2's order of joints.
KINECT = """\
0.0138248 -0.273993 2.68392 2
0.0282689 0.0227361 2.67293 2
0.0467172 0.31932 2.64847 2
0.069088 0.456932 2.62865 1
-0.16609 0.151044 2.6587 2
-0.227795 -0.0648597 2.65528 2
-0.21792 -0.293232 2.59442 2
-0.200934 -0.371645 2.58584 2
0.161132 0.282254 2.6461 1
0.095761 0.551096 2.53052 2
-0.0517587 0.70665 2.49343 2
-0.0604038 0.716497 2.49193 2
-0.0628376 -0.276039 2.6498 2
-0.0834561 -0.674175 2.71098 2
-0.0660002 -1.04302 2.77928 2
-0.0821872 -1.10512 2.68459 2
0.0895784 -0.264386 2.64971 2
0.109432 -0.656765 2.71204 2
0.106863 -1.04455 2.78232 2
0.112299 -1.10385 2.68893 2
0.0419617 0.245697 2.65688 2
-0.177233 -0.45062 2.5865 2
-0.230538 -0.407075 2.57744 2
-0.0819967 0.727915 2.4732 2
-0.0351998 0.728359 2.45993 2"""
BODY_LINE = "72057594037944340 0 1 1 0 3 1 -0.0315 0.125 2"


def kinect_lines() -> list[str]:
    """A body as it stands in a file: its line, the number of joints, the joints."""
    joints = []
    for line in KINECT.splitlines():
        *position, state = line.split()
        joints.append(
            " ".join(
                [*position, "277.4 191.9 1036.2 519.5 0.25 -0.04 0.97 -0.1", state]
            )
        )
    return [BODY_LINE, "25", *joints]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def sample(tmp_path: Path) -> list[str]:
    """Three frames: one body, nobody, the same body again."""
    return ["3", "1", *kinect_lines(), "0", "1", *kinect_lines()]


def random_skeletons(bodies: int, frames: int) -> ntu.Skeletons:
    """Random arrays in which bodies come and go; frame 2 is empty."""
    rng = np.random.default_rng(0)
    made = ntu.Skeletons.empty(bodies, frames)
    made.ids[:] = 72057594037944340 + np.arange(bodies)
    made.present[:] = rng.random((bodies, frames)) < 0.6
    made.present[:, 0] = True  # fixes the order of first appearance
    made.present[:, 2] = False
    for name in ("points", "depth_xy", "color_xy", "orientation"):
        values = getattr(made, name)
        values[made.present] = rng.normal(0, 100, values.shape)[made.present]
    made.tracked[made.present] = rng.integers(0, 3, made.tracked.shape)[made.present]
    whole = rng.integers(0, 4, made.body.shape).astype(np.float32)
    whole[..., 6:8] = rng.normal(size=(bodies, frames, 2))
    made.body[made.present] = whole[made.present]
    return made


def test_name_is_read_from_file_names():
    expected = ntu.NtuName(setup=17, camera=2, subject=103, replication=1, action=60)
    for text in (
        "S017C002P103R001A060",
        "S017C002P103R001A060_rgb.avi",
        "S017C002P103R001A060.skeleton",
        Path("/some/where/S017C002P103R001A060_ir.avi"),
    ):
        assert ntu.parse_name(text) == expected
    assert str(expected) == "S017C002P103R001A060"


@pytest.mark.parametrize(
    "text",
    ["", "S1C2P3R1A4", "S001C001P001R001", "xS001C001P001R001A001", "clip.avi"]
    + ["S001C001P001R001A0011_rgb.avi", "s001c001p001r001a001"],
)
def test_other_names_are_refused(text):
    with pytest.raises(ValueError, match="is no NTU RGB\\+D name"):
        ntu.parse_name(text)


def test_number_zero_is_refused():
    with pytest.raises(ValueError, match="the camera is 0"):
        ntu.parse_name("S001C000P001R001A001")


def test_protocols_follow_the_papers():
    name = ntu.parse_name("S002C001P045R001A001")
    assert not ntu.is_training(name, "xsub", 60)
    assert ntu.is_training(name, "xsub", 120)
    assert not ntu.is_training(name, "xview")
    assert ntu.is_training(name, "xset")
    assert ntu.is_training(name._replace(camera=2), "xview")
    assert ntu.is_training(name._replace(camera=3), "xview")
    assert not ntu.is_training(name._replace(setup=31), "xset")
    assert len(ntu.TRAIN_SUBJECTS_60) == 20
    assert len(ntu.TRAIN_SUBJECTS_120) == 53
    assert max(ntu.TRAIN_SUBJECTS_60) <= ntu.NUM_SUBJECTS[60]
    assert max(ntu.TRAIN_SUBJECTS_120) <= ntu.NUM_SUBJECTS[120]
    with pytest.raises(ValueError, match="expected 'xsub', 'xview' or 'xset'"):
        ntu.is_training(name, "xsubject")
    with pytest.raises(ValueError, match="60 and 120 classes, got 61"):
        ntu.is_training(name, "xsub", 61)


def test_cross_view_counts_follow_from_three_cameras():
    # Every one of NTU 60's 18,960 takes was seen by three cameras.
    takes = 56_880 // 3
    views = [ntu.is_training(ntu.NtuName(1, c, 1, 1, 1), "xview") for c in (1, 2, 3)]
    assert (takes * sum(views), takes * (3 - sum(views))) == (37_920, 18_960)


def test_lists_hold_what_the_authors_say():
    names = (DATA / "ntu_classes.txt").read_text().splitlines()
    assert len(names) == len(set(names)) == 120
    assert names[0] == "drink water"
    assert names[59] == "walking apart from each other"
    assert names[111] == "high-five"
    missing = {}
    for classes, count in ((60, 302), (120, 535)):
        text = (DATA / f"ntu{classes}_missing_skeletons.txt").read_text()
        parsed = [ntu.parse_name(line) for line in text.splitlines()]
        missing[classes] = set(parsed)
        assert len(parsed) == len(missing[classes]) == count
        assert max(name.action for name in parsed) <= classes
        assert max(name.setup for name in parsed) <= ntu.NUM_SETUPS[classes]
        assert max(name.subject for name in parsed) <= ntu.NUM_SUBJECTS[classes]
    assert missing[60] < missing[120]
    cameras = collections.Counter(name.camera for name in missing[120])
    assert set(cameras) == {1, 2, 3}


@pytest.mark.parametrize(
    ("classes", "protocol", "all_clips", "usable"),
    [
        (60, "xsub", (40_320, 16_560), (40_091, 16_487)),
        (60, "xview", (37_920, 18_960), (37_646, 18_932)),
        (120, "xsub", (63_360, 51_120), (63_026, 50_919)),
        (120, "xset", (54_720, 59_760), (54_468, 59_477)),
    ],
)
def test_excluded_clips_lie_in_the_splits_as_published(
    classes, protocol, all_clips, usable
):
    """What the papers count, less the listed clips, is what users of skeletons have.

    Both pairs are published; that they differ by how our protocols split the names of
    the list ties the subjects, cameras and setups to them.
    """
    assert sum(all_clips) == {60: 56_880, 120: 114_480}[classes]
    text = (DATA / f"ntu{classes}_missing_skeletons.txt").read_text()
    names = [ntu.parse_name(line) for line in text.splitlines()]
    train = sum(ntu.is_training(name, protocol, classes) for name in names)
    left = (all_clips[0] - train, all_clips[1] - (len(names) - train))
    assert left == usable


def test_kinect_sample_is_read(tmp_path, sample):
    read = ntu.read_skeleton(write(tmp_path / "a.skeleton", sample))
    assert read.num_frames == 3
    assert read.ids.tolist() == [72057594037944340]
    assert read.present.tolist() == [[True, False, True]]
    assert read.points.shape == (1, 3, 25, 3) and read.points.dtype == np.float32
    points = dict(zip(ntu.JOINTS, read.points[0, 2], strict=True))
    np.testing.assert_allclose(points["spine_base"], [0.0138248, -0.273993, 2.68392])
    # The order of joints is right if the body is: head above neck above hips above
    # feet, left (negative x, seen from the sensor) and right on their sides, and the
    # right hand, the raised one, above the head.
    heights = [points[name][1] for name in ("head", "neck", "hip_left", "foot_left")]
    assert heights == sorted(heights, reverse=True)
    assert points["shoulder_left"][0] < points["shoulder_right"][0]
    assert points["hand_right"][1] > points["head"][1] > points["hand_left"][1]
    assert read.tracked[0, 0, 3] == ntu.INFERRED
    assert read.tracked[0, 0, 4] == ntu.TRACKED
    np.testing.assert_allclose(read.depth_xy[0, 0, 7], [277.4, 191.9], rtol=1e-6)
    np.testing.assert_allclose(read.color_xy[0, 0, 7], [1036.2, 519.5], rtol=1e-6)
    np.testing.assert_allclose(read.orientation[0, 0, 7], [0.25, -0.04, 0.97, -0.1])
    body = dict(zip(ntu.BODY_FIELDS, read.body[0, 0].tolist(), strict=True))
    assert body["hand_right_state"] == 3 and body["is_restricted"] == 1
    assert body["lean_y"] == 0.125 and body["tracking_state"] == 2
    # The empty frame is zero everywhere.
    assert not read.points[0, 1].any() and not read.tracked[0, 1].any()


def test_written_file_reads_back_equal(tmp_path):
    made = random_skeletons(bodies=3, frames=7)
    path = tmp_path / "b.skeleton"
    ntu.write_skeleton(path, made)
    read = ntu.read_skeleton(path)
    for field in ("ids", "present", "points", "tracked", "depth_xy", "color_xy"):
        np.testing.assert_array_equal(getattr(read, field), getattr(made, field))
    np.testing.assert_array_equal(read.orientation, made.orientation)
    np.testing.assert_array_equal(read.body, made.body)
    again = tmp_path / "c.skeleton"
    ntu.write_skeleton(again, read)
    assert again.read_bytes() == path.read_bytes()


def test_nobody_at_all_is_no_error(tmp_path):
    read = ntu.read_skeleton(write(tmp_path / "a.skeleton", ["2", "0", "0"]))
    assert read.points.shape == (0, 2, 25, 3)


def test_unmapped_pixels_are_kept(tmp_path, sample):
    # Kinect maps a joint outside the colour camera's view to minus infinity.
    sample[4] = sample[4].replace("1036.2 519.5", "-inf -inf")
    read = ntu.read_skeleton(write(tmp_path / "a.skeleton", sample))
    assert np.isneginf(read.color_xy[0, 0, 0]).all()


@pytest.mark.parametrize("kept", [0, 1, 2, 3, 4, 10, 28, 29, 30, 40])
def test_truncated_file_is_refused(tmp_path, sample, kept):
    path = write(tmp_path / "cut.skeleton", sample[:kept])
    if not kept:
        path.write_text("")
    with pytest.raises(
        ntu.SkeletonError, match=f"cut.skeleton, line {kept + 1}: .*end"
    ):
        ntu.read_skeleton(path)


def test_file_cut_inside_a_line_is_refused(tmp_path, sample):
    path = tmp_path / "cut.skeleton"
    text = "\n".join(sample)
    path.write_text(text[: len(text) // 4])
    with pytest.raises(ntu.SkeletonError, match="cut.skeleton, line "):
        ntu.read_skeleton(path)


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (1, "three", "line 1: expected the number of frames .*'three'"),
        (1, "-3", "line 1: expected the number of frames"),
        (2, "7", "line 2: expected frame 1's number of bodies"),
        (3, BODY_LINE.replace("0.125", "nan"), "line 3: .*not finite"),
        (3, BODY_LINE.rsplit(" ", 1)[0], "line 3: .*10 fields.*got 9"),
        (4, "24", "line 4: expected 25 joints, got 24"),
        (5, "nan 0 1 0 0 0 0 0 0 0 0 2", "line 5: joint spine_base .*NaN"),
        (6, "0 0 1 0 0 0 0 0 0 0 0 3", "line 6: joint spine_mid's tracking state is 3"),
        (7, "0 0 ? 0 0 0 0 0 0 0 0 2", "line 7: joint neck .*no number"),
        (8, "0 0 1 0 0 0 0 0 0 0 2", "line 8: .*12 fields.*got 11"),
    ],
)
def test_damaged_line_is_named(tmp_path, sample, line, text, message):
    sample[line - 1] = text
    path = write(tmp_path / "bad.skeleton", sample)
    with pytest.raises(ntu.SkeletonError, match=f"bad.skeleton, {message}"):
        ntu.read_skeleton(path)


def test_field_that_slipped_to_the_next_line_is_named(tmp_path, sample):
    sample[9] = sample[9].rsplit(" ", 1)[0]
    sample[10] = "2 " + sample[10]
    path = write(tmp_path / "bad.skeleton", sample)
    with pytest.raises(ntu.SkeletonError, match="line 10: .*12 fields.*got 11"):
        ntu.read_skeleton(path)


def test_one_body_twice_in_a_frame_is_refused(tmp_path):
    lines = ["1", "2", *kinect_lines(), *kinect_lines()]
    with pytest.raises(ntu.SkeletonError, match="line 30: body .* stands twice"):
        ntu.read_skeleton(write(tmp_path / "a.skeleton", lines))


def test_text_after_the_end_is_refused(tmp_path, sample):
    path = write(tmp_path / "a.skeleton", [*sample, "", "1"])
    with pytest.raises(
        ntu.SkeletonError, match=f"line {len(sample) + 2}: .*text after"
    ):
        ntu.read_skeleton(path)


def test_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "a.skeleton"
    path.write_bytes(b"RIFF\xff\xd8\xff")
    with pytest.raises(ntu.SkeletonError, match="not a text file"):
        ntu.read_skeleton(path)
