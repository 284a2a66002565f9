"""Shards: what they hold, and clips that failed."""

import csv

import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from input_pipeline import records
from input_pipeline.builders.ntu import Ntu60
from input_pipeline.dataset import PreparedDataset
from input_pipeline.encode import EncodeOptions
from input_pipeline.prepare import plan
from input_pipeline.prepare.plan import PrepareError
from tests.input_pipeline import raw
from tests.input_pipeline.prepare.small import CLIPS, SHARDS, contents, run


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
