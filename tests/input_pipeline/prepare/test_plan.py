"""What is found before a data set is prepared: another one, a lock, no room."""

import errno
import fcntl
import os

import pytest

from input_pipeline.builders.clips import Clips
from input_pipeline.builders.ntu import Ntu60
from input_pipeline.encode import EncodeOptions
from input_pipeline.formats.video import VideoOptions
from input_pipeline.prepare import __main__ as command
from input_pipeline.prepare import plan, shards
from input_pipeline.prepare.plan import PrepareError
from tests.input_pipeline import raw
from tests.input_pipeline.prepare.small import CLIPS, SHARDS, Broken, run


def test_a_finished_data_set_is_left_alone(raw_dir, tmp_path, capsys):
    folder = run(raw_dir, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    capsys.readouterr()
    assert run(raw_dir, tmp_path) == folder
    assert "prepared already" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_other_options_or_clips_are_refused(raw_dir, tmp_path):
    run(raw_dir, tmp_path)
    with pytest.raises(PrepareError, match="shards: there 3, now 2.*another --out"):
        run(raw_dir, tmp_path, shards=2)
    raw.ntu_tree(tmp_path / "raw", CLIPS - 1)
    with pytest.raises(PrepareError, match="clips: there 10, now 9; clip list: not"):
        run(tmp_path / "raw", tmp_path)


def test_unfinished_folder_refuses_other_options_too(raw_dir, tmp_path, monkeypatch):
    def broken(*_):
        raise Broken

    monkeypatch.setattr(shards, "encode_clip", broken)
    for shards_now, error in ((SHARDS, Broken), (2, PrepareError)):
        with pytest.raises(error):
            run(raw_dir, tmp_path, shards=shards_now)


def test_two_at_once_are_refused(raw_dir, tmp_path):
    folder = tmp_path / "ntu60" / "1.0.0"
    with plan.lock(folder):
        with pytest.raises(PrepareError, match=f"Process {os.getpid()} is preparing"):
            run(raw_dir, tmp_path)
    run(raw_dir, tmp_path)


def test_files_that_are_not_there_are_told_before_any_is_opened(
    tmp_path, monkeypatch, capsys
):
    """All of them at once; and the list of clips may be mended, for none is stored."""
    videos = [raw.write_video(tmp_path / f"{i}.avi") for i in range(8)]
    cells = [path.name for path in videos[:-1]] + ["7.avi#0", "8.avi", "near/9.avi"]
    table = "rgb,label\n" + "".join(f"{cell},{i % 2}\n" for i, cell in enumerate(cells))
    (tmp_path / "clips.csv").write_text(table)

    def prepare(max_failed):
        options = EncodeOptions(("rgb",), VideoOptions(short_side=16))
        builder = Clips(
            raw=tmp_path / "clips.csv", name="mine", options=options, data_dir=tmp_path
        )
        return command.prepare(builder, tmp_path, workers=1, max_failed=max_failed)

    with monkeypatch.context() as patch:
        for module in (plan, shards):
            patch.setattr(module, "encode_clip", None)  # would fail if it were called
        with pytest.raises(PrepareError, match=r"2 of 10 clips .*\(2 missing\)"):
            prepare(0.1)
    listed = (tmp_path / "mine" / "1.0.0" / plan.FAILED_FILE).read_text().splitlines()
    reason = "rgb,missing: there is no such file"
    assert [line.split(",", 1)[1] for line in listed[1:]] == [
        f"{tmp_path / '8.avi'},{reason}",
        f"{tmp_path / 'near/9.avi'},{reason}",
    ]
    (tmp_path / "clips.csv").write_text(table.replace("near/9.avi,1\n", ""))
    folder = prepare(0.2)
    said = capsys.readouterr().out
    assert "Warning: Files of 1 of 9 clips are not there" in said
    assert "8 clips of 2 classes" in said
    assert "8.avi" in (folder / plan.FAILED_FILE).read_text()


def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch, capsys):
    def failing(number):
        def flock(*_):
            raise OSError(number, os.strerror(number))

        return flock

    monkeypatch.setattr(fcntl, "flock", failing(errno.ENOLCK))
    with plan.lock(tmp_path / "1.0.0"):
        assert "knows no locks" in capsys.readouterr().out
    monkeypatch.setattr(fcntl, "flock", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        with plan.lock(tmp_path / "1.0.0"):
            pass


def test_size_is_estimated_and_a_full_disk_refused(raw_dir, whole, tmp_path):
    options = EncodeOptions(video=VideoOptions(short_side=16))
    builder = Ntu60(raw=raw_dir, options=options, data_dir=tmp_path)
    estimate = plan.estimate_bytes(builder, builder.clips())
    written = sum(path.stat().st_size for path in whole.glob("*.tfrecord-*"))
    assert 0.8 < estimate / written < 1.25
    plan.check_space(tmp_path, 1.0)
    with pytest.raises(PrepareError, match=r"10000000000\.0 GB more .* --short_side"):
        plan.check_space(tmp_path, 1e19)
