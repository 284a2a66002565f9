"""Preparing: whole or not at all, the same bytes every time, failures listed."""

import errno
import os
import re
import resource

import pytest

from input_pipeline.builders.base import RawDataError
from input_pipeline.dataset import DatasetError, PreparedDataset
from input_pipeline.prepare import __main__ as command
from input_pipeline.prepare import plan, shards
from tests.input_pipeline import raw
from tests.input_pipeline.prepare.small import CLIPS, SHARDS, Broken, contents, run


@pytest.mark.parametrize("clip", range(CLIPS))
def test_interrupted_after_any_clip_and_run_again(
    raw_dir, whole, tmp_path, monkeypatch, clip
):
    encode, count = shards.encode_clip, 0

    def broken(*arguments):
        nonlocal count
        if count == clip:
            raise Broken
        count += 1
        return encode(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(shards, "encode_clip", broken)
        with pytest.raises(Broken):
            run(raw_dir, tmp_path)
    with pytest.raises(DatasetError, match="half prepared"):
        PreparedDataset.open(tmp_path, "ntu60")
    calls = []
    monkeypatch.setattr(
        shards, "encode_clip", lambda *a: calls.append(a[0].name) or encode(*a)
    )
    assert contents(run(raw_dir, tmp_path)) == contents(whole)
    # Only finished shards are kept: 3, 4 and 3 clips.
    done = 0 if clip < 3 else 3 if clip < 7 else 7
    assert len(calls) == CLIPS - done


def test_a_disk_that_fills_up_loses_nothing(raw_dir, whole, tmp_path, capsys):
    words = ["ntu60", "--raw", str(raw_dir), "--out", str(tmp_path), "--short_side"]
    words += ["16", "--shards", str(SHARDS), "--workers", "1"]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # no file may be larger
    try:
        with pytest.raises(SystemExit, match="2"):
            command.main(words)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "error: Preparing stopped: File too large" in capsys.readouterr().err
    command.main(words)
    assert contents(tmp_path / "ntu60" / "1.0.0") == contents(whole)


@pytest.mark.parametrize(
    ("number", "match"),
    [
        (errno.ENOSPC, r"No space left on device \(.*\)\. Make room there and run the"),
        (errno.EDQUOT, r"quota exceeded .* Make room there, within your quota and run"),
        (errno.EROFS, "Read-only file system .* See that it can be written to and run"),
        (errno.EACCES, "Permission denied .* See that you may read and write there"),
        (errno.EIO, "Input/output error .* Mend that and run the same command again"),
    ],
)
def test_what_the_disk_says_ends_with_one_paragraph(
    raw_dir, tmp_path, monkeypatch, capsys, number, match
):
    def failing(path, *_):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(plan.os, "open", failing)
    with pytest.raises(SystemExit, match="2"):
        command.main(["ntu60", "--raw", str(raw_dir), "--out", str(tmp_path)])
    text = capsys.readouterr().err
    assert text.startswith("error: ") and text.count("\n") == 1
    assert re.search(match, text)
    assert str(tmp_path / "ntu60") in text and "nothing is lost" in text


def test_nothing_usable_is_an_error(tmp_path):
    (name,) = raw.ntu_tree(tmp_path / "raw", 1)
    (tmp_path / "raw" / "nturgb+d_ir" / f"{name}_ir.avi").write_bytes(b"x")
    with pytest.raises(RawDataError, match="Not one clip can be used"):
        run(tmp_path / "raw", tmp_path / "out", max_failed=1.0)
