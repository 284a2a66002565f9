"""What is given as streams, and what belongs together."""

import os

import pytest

from input_pipeline.footage import FootageError, choose

INPUTS = {"rgb": None, "rgb_diff": None, "ir": None}


def test_some_streams_will_do_where_clips_may_lack_them():
    assert choose.streams({"ir": "b", "rgb": ""}, INPUTS, some=True) == {"ir": "b"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "The model reads rgb and ir. Add --rgb FILE. Add --ir FILE."),
        ({"ir": "b", "depth": "c"}, "The model reads rgb and ir. Leave out --depth."),
    ],
)
def test_what_is_missing_and_what_is_too_much(given, message):
    with pytest.raises(FootageError, match=message):
        choose.streams(given, INPUTS, some=True)


def test_the_switch_for_clips_that_lack_streams_is_named():
    with pytest.raises(FootageError, match=r"--config\.data\.allow_missing=True"):
        choose.streams({"ir": "b"}, INPUTS)


def touch(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")
    return str(folder)


def test_clips_are_paired_by_what_differs_in_their_names(tmp_path):
    touch(tmp_path, "S1_rgb.avi", "S10_rgb.avi", "S2_rgb.avi", "notes.txt")
    touch(tmp_path, "S1_ir.avi", "S10_ir.avi", "S2_ir.avi")
    given = {s: f"{tmp_path}/S*_{s}.avi" for s in ("rgb", "ir")}
    pairs = [[os.path.basename(p) for p in c.values()] for c in choose.clips(given)]
    assert pairs == [[f"S{n}_rgb.avi", f"S{n}_ir.avi"] for n in ("10", "1", "2")]


def test_folders_of_videos_are_many_clips_and_one_of_pictures_is_one(tmp_path):
    cams = {s: touch(tmp_path / s, f"{s}-a.mp4", f"{s}-b.mkv") for s in ("rgb", "ir")}
    assert len(choose.clips(cams)) == 2
    pictures = touch(tmp_path / "pictures", "1.png", "2.png")
    assert choose.clips({"rgb": pictures}) is None
    assert choose.clips({"rgb": str(tmp_path / "rgb" / "rgb-a.mp4")}) is None
    strange = touch(tmp_path / "a[1]", "1.avi")  # a name, not a pattern
    assert choose.clips({"rgb": f"{strange}/1.avi"}) is None


@pytest.mark.parametrize(
    ("ir", "message"),
    [
        (["a_ir.avi", "c_ir.avi"], "b_rgb.avi has no partner"),
        (["a_ir.avi"], "2 files are given for rgb and 1 for ir"),
        ([], r"no video in .*/\*_ir.avi \(ir\)"),
    ],
)
def test_clips_without_partners_are_refused(tmp_path, ir, message):
    touch(tmp_path, "a_rgb.avi", "b_rgb.avi", *ir)
    given = {s: f"{tmp_path}/*_{s}.avi" for s in ("rgb", "ir")}
    with pytest.raises(FootageError, match=message):
        choose.clips(given)


def test_one_file_and_many_clips_do_not_go_together(tmp_path):
    touch(tmp_path, "a_rgb.avi", "b_rgb.avi")
    given = {"rgb": f"{tmp_path}/*_rgb.avi", "ir": f"{tmp_path}/a_rgb.avi"}
    with pytest.raises(FootageError, match="rgb is a folder .* ir is one file"):
        choose.clips(given)


def test_live_streams_and_files_do_not_go_together(tmp_path):
    file = str(tmp_path / "a.avi")
    os.mkfifo(tmp_path / "pipe")
    for address in ("0", "/dev/video3", "rtsp://a/b", "-", str(tmp_path / "pipe")):
        assert choose.live({"rgb": address})
    assert not choose.live({"rgb": file, "ir": "gone.avi"})
    with pytest.raises(FootageError, match="rgb is live and ir is a file"):
        choose.live({"rgb": "http://a/b", "ir": file})
