"""What is found before a data set is prepared: another one, a lock, no room."""

import errno
import fcntl
import os

import pytest

from input_pipeline.builders.ntu import Ntu60
from input_pipeline.encode import EncodeOptions
from input_pipeline.formats.video import VideoOptions
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
