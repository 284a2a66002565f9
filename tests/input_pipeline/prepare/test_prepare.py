"""Preparing: whole or not at all, the same bytes every time, failures listed."""

import csv
import errno
import fcntl
import io
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from input_pipeline import records
from input_pipeline.builders.base import RawDataError
from input_pipeline.builders.ntu import Ntu60
from input_pipeline.dataset import DatasetError, PreparedDataset
from input_pipeline.encode import EncodeOptions
from input_pipeline.formats.video import VideoOptions
from input_pipeline.prepare import __main__ as command
from input_pipeline.prepare import finish, plan, shards
from input_pipeline.prepare.__main__ import prepare
from input_pipeline.prepare.plan import PrepareError
from tests.input_pipeline import raw

CLIPS, SHARDS = 10, 3


@pytest.fixture(scope="module")
def raw_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    raw.ntu_tree(folder, CLIPS)
    return folder


@pytest.fixture(scope="module")
def whole(raw_dir, tmp_path_factory) -> Path:
    """The data set of an uninterrupted run."""
    return run(raw_dir, tmp_path_factory.mktemp("whole"))


def run(raw_dir: Path, out: Path, **options) -> Path:
    video = VideoOptions(short_side=16)
    builder = Ntu60(raw=raw_dir, options=EncodeOptions(video=video), data_dir=out)
    return prepare(builder, out, **({"shards": SHARDS, "workers": 1} | options))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_what_lies_in_a_finished_folder(whole):
    assert sorted(contents(whole)) == [
        "dataset.json",
        "dataset_info.json",
        "failed.csv",
        "features.json",
        "index.npz",
        "noted.csv",
        *(f"ntu60-clips.tfrecord-0000{i}-of-00003" for i in range(SHARDS)),
    ]
    # Visible and infrared video of six clips differ by more than a tenth in length.
    assert (whole / "noted.csv").read_text().count("of different durations") == 6
    data = PreparedDataset.open(whole.parent.parent, "ntu60")
    assert len(data) == CLIPS
    assert data.streams["ir"]["short_side"] == 16
    assert (whole / "failed.csv").read_text() == "name,path,stream,reason\n"


def test_records_hold_the_resized_frames(whole):
    paths = sorted(str(path) for path in whole.glob("*.tfrecord-*"))
    for serialized in tf.data.TFRecordDataset(paths):
        record = records.decode(serialized.numpy())
        assert (record.streams["rgb"].height, record.streams["rgb"].width) == (16, 21)
        assert (record.streams["ir"].height, record.streams["ir"].width) == (16, 24)
        assert len(record.streams["ir"].frames) == 8 and len(
            record.streams["rgb"].frames
        ) in (8, 9, 10)
        assert record.streams["skeleton"].points.shape == (1, 12, 25, 3)


def test_tfds_reads_the_same_examples(whole):
    builder = tfds.builder_from_directory(str(whole))
    assert builder.info.splits["clips"].num_examples == CLIPS
    paths = sorted(str(path) for path in whole.glob("*.tfrecord-*"))
    stored = [
        records.decode(serialized.numpy())
        for serialized in tf.data.TFRecordDataset(paths)
    ]
    config = tfds.ReadConfig(interleave_cycle_length=1)
    examples = list(builder.as_dataset(split="clips", read_config=config))
    assert len(examples) == CLIPS
    for example, record in zip(examples, stored, strict=True):
        assert example["name"].numpy().decode() == record.name
        assert example["label"].numpy() == record.label
        assert example["ir"]["frames"].shape == (8, 16, 24, 1)
        image = np.asarray(Image.open(io.BytesIO(record.streams["rgb"].frames[3])))
        difference = example["rgb"]["frames"][3].numpy().astype(int) - image
        assert np.abs(difference).mean() < 2  # two decoders of JPEG
        points = example["skeleton"]["points"].numpy().reshape(1, 12, 25, 3)
        np.testing.assert_array_equal(points, record.streams["skeleton"].points)
        assert example["rgb"]["actor_box"].shape == (0,)


def test_same_bytes_with_two_processes(raw_dir, whole, tmp_path):
    again = run(raw_dir, tmp_path, workers=2)
    assert contents(again) == contents(whole)


class Broken(BaseException):
    """Ends the work at a place where nobody catches it, as a kill would."""


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


@pytest.mark.parametrize("step", ["_write_tfds", "_index", "write_text", "sync"])
def test_interrupted_at_the_end_and_run_again(
    raw_dir, whole, tmp_path, monkeypatch, step
):
    def broken(*_):
        raise Broken

    with monkeypatch.context() as patch:
        patch.setattr(finish, step, broken)
        with pytest.raises(Broken):
            run(raw_dir, tmp_path)
    with pytest.raises(DatasetError, match="half prepared"):
        PreparedDataset.open(tmp_path, "ntu60")
    assert contents(run(raw_dir, tmp_path)) == contents(whole)


KILLED = """
import multiprocessing, os, signal, sys
from pathlib import Path
from input_pipeline.prepare import __main__ as prepare
from input_pipeline.prepare import plan

count = 0

def after_clip(self, failure):
    global count
    count += 1
    if count == 3:
        pids = [str(child.pid) for child in multiprocessing.active_children()]
        Path(sys.argv[3]).write_text(" ".join(pids))
        os.kill(os.getpid(), signal.SIGKILL)

plan.FailureLimit.__call__ = after_clip
prepare.main(["ntu60", "--raw", sys.argv[1], "--out", sys.argv[2], "--short_side",
              "16", "--shards", "3", "--workers", "2"])
"""


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"  # ended, but nobody asked yet


def test_killed_in_the_middle_and_run_again(raw_dir, whole, tmp_path):
    pids = tmp_path / "pids"
    arguments = [str(raw_dir), str(tmp_path), str(pids)]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    with pytest.raises(DatasetError, match="half prepared"):
        PreparedDataset.open(tmp_path, "ntu60")
    # The workers end by themselves when the process that started them is gone.
    alive = [int(pid) for pid in pids.read_text().split()]
    assert len(alive) == 2
    deadline = time.monotonic() + 20
    while alive and time.monotonic() < deadline:
        alive = [pid for pid in alive if is_running(pid)]
        time.sleep(0.1)
    assert not alive
    assert contents(run(raw_dir, tmp_path)) == contents(whole)


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


def test_a_disk_that_fills_up_loses_nothing(raw_dir, whole, tmp_path):
    words = ["ntu60", "--raw", str(raw_dir), "--out", str(tmp_path), "--short_side"]
    words += ["16", "--shards", str(SHARDS), "--workers", "1"]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # no file may be larger
    try:
        with pytest.raises(SystemExit, match="error: Preparing stopped: File too la"):
            command.main(words)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
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
    raw_dir, tmp_path, monkeypatch, number, match
):
    def failing(path, *_):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(plan.os, "open", failing)
    with pytest.raises(SystemExit, match=match) as caught:
        command.main(["ntu60", "--raw", str(raw_dir), "--out", str(tmp_path)])
    text = str(caught.value)
    assert text.startswith("error: ") and "\n" not in text
    assert str(tmp_path / "ntu60") in text and "nothing is lost" in text


def test_failures_are_listed_and_above_the_limit_they_stop(tmp_path):
    names = raw.ntu_tree(tmp_path / "raw", 6)
    bad = tmp_path / "raw" / "nturgb+d_ir" / f"{names[2]}_ir.avi"
    good = bad.read_bytes()
    bad.write_bytes(b"")
    short = tmp_path / "raw" / "nturgb+d_rgb" / f"{names[4]}_rgb.avi"
    raw.write_video(short, 3)
    with pytest.raises(PrepareError, match=r"of 6 clips .* more than the 1 %"):
        run(tmp_path / "raw", tmp_path / "out")
    folder = tmp_path / "out" / "ntu60" / "1.0.0"
    assert (
        "no bytes" in (folder / "failed.csv").read_text()
        or "3 frames" in (folder / "failed.csv").read_text()
    )
    # Two of six are allowed: they are left out, and listed with the reason.
    run(tmp_path / "raw", tmp_path / "out", max_failed=0.34)
    data = PreparedDataset.open(tmp_path / "out", "ntu60")
    assert sorted(data.names) == sorted(set(names) - {names[2], names[4]})
    assert data.info["failed"] == 2
    with (folder / "failed.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = {row["name"]: (row["stream"], row["path"], row["reason"]) for row in rows}
    assert found == {
        names[2]: ("ir", str(bad), "empty: the file has no bytes"),
        names[4]: ("rgb", str(short), "too short: 3 frames; at least 8 are needed"),
    }
    assert len(good) > 0


def test_mended_files_are_tried_again(tmp_path, whole):
    names = raw.ntu_tree(tmp_path / "raw", CLIPS)
    bad = tmp_path / "raw" / "nturgb+d_ir" / f"{names[2]}_ir.avi"
    good = bad.read_bytes()
    bad.write_bytes(good[: len(good) // 2])
    with pytest.raises(PrepareError, match="1 of 10 clips"):
        run(tmp_path / "raw", tmp_path / "out")
    bad.write_bytes(good)
    assert contents(run(tmp_path / "raw", tmp_path / "out")) == contents(whole)


def test_shards_without_one_good_clip_are_readable(tmp_path):
    names = raw.ntu_tree(tmp_path / "raw", 3)
    (tmp_path / "raw" / "nturgb+d_ir" / f"{names[1]}_ir.avi").write_bytes(b"x")
    folder = run(tmp_path / "raw", tmp_path / "out", max_failed=1.0)
    sizes = [path.stat().st_size for path in folder.glob("*.tfrecord-*")]
    assert len(sizes) == 3 and 0 in sizes
    builder = tfds.builder_from_directory(str(folder))
    assert len(list(builder.as_dataset(split="clips"))) == 2
    assert len(PreparedDataset.open(tmp_path / "out", "ntu60")) == 2


def test_nothing_usable_is_an_error(tmp_path):
    (name,) = raw.ntu_tree(tmp_path / "raw", 1)
    (tmp_path / "raw" / "nturgb+d_ir" / f"{name}_ir.avi").write_bytes(b"x")
    with pytest.raises(RawDataError, match="Not one clip can be used"):
        run(tmp_path / "raw", tmp_path / "out", max_failed=1.0)


def test_size_is_estimated_and_a_full_disk_refused(raw_dir, whole, tmp_path):
    options = EncodeOptions(video=VideoOptions(short_side=16))
    builder = Ntu60(raw=raw_dir, options=options, data_dir=tmp_path)
    estimate = plan.estimate_bytes(builder, builder.clips())
    written = sum(path.stat().st_size for path in whole.glob("*.tfrecord-*"))
    assert 0.8 < estimate / written < 1.25
    plan.check_space(tmp_path, 1.0)
    with pytest.raises(PrepareError, match=r"10000000000\.0 GB more .* --short_side"):
        plan.check_space(tmp_path, 1e19)


def test_shards_are_samples_of_the_whole(raw_dir, tmp_path):
    builder = Ntu60(raw=raw_dir, options=EncodeOptions(), data_dir=tmp_path)
    clips = builder.clips()
    jobs = plan.shard_jobs(builder, clips, tmp_path, SHARDS)
    assert [len(job.clips) for job in jobs] == [3, 4, 3]
    dealt = [clip.name for job in jobs for clip in job.clips]
    assert sorted(dealt) == [clip.name for clip in clips] and dealt != sorted(dealt)
    again = plan.shard_jobs(builder, clips[::-1], tmp_path, SHARDS)
    assert again == jobs
    assert len(plan.shard_jobs(builder, clips, tmp_path)) == 8
    assert len(plan.shard_jobs(builder, clips * 100, tmp_path)) == 16


def test_beam_writes_the_same_bytes(raw_dir, whole, tmp_path):
    pytest.importorskip("apache_beam")
    again = run(raw_dir, tmp_path, beam=["--runner=DirectRunner"])
    assert contents(again) == contents(whole)
