"""Folders of classes: what is passed over is said, and lists say what is missing."""

import csv
import io
import os

import pytest

from input_pipeline.builders.base import RawDataError
from input_pipeline.builders.folders import Folders
from input_pipeline.dataset import PreparedDataset
from input_pipeline.encode import EncodeOptions
from input_pipeline.formats.video import VideoOptions
from input_pipeline.prepare import __main__ as prepare
from tests.input_pipeline import raw

OPTIONS = EncodeOptions(streams=("rgb",), video=VideoOptions(16, 90, 4))


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")


def said(builder) -> str:
    builder.clips()
    return "\n".join(builder.warnings())


def test_files_passed_over_in_folders_are_counted(tmp_path):
    for name in ("a.flv", "b.wmv", "c.ts", "d.3gp", "e.MP4"):
        touch(tmp_path / "train" / "run" / name)
    for number in range(6):
        touch(tmp_path / "train" / "run" / "frames.1" / f"{number}.jpg")
    touch(tmp_path / "val" / "sit" / "z.mp4")
    builder = Folders(raw=tmp_path, options=OPTIONS, data_dir=tmp_path / "out")
    assert [clip.name for clip in builder.clips()] == [
        "test/sit/z",
        *(f"train/run/{name}" for name in ("a", "b", "c", "d", "e", "frames.1")),
    ]
    assert builder.warnings() == []
    for name in ("f.tiff", "g.tiff", "h.xyz", "README", ".hidden.xyz"):
        touch(tmp_path / "train" / "run" / name)
    touch(tmp_path / "extra" / "run" / "a.mp4")
    text = said(builder)
    assert "passed over (2 .tiff, 1 .xyz, 1 no ending); read are .avi, .mp4" in text
    assert "Folders that are no split are passed over: extra." in text
    touch(tmp_path / "train" / "run" / "a.avi")
    text = said(builder)  # .avi stands before .flv
    assert (
        "1 clips are called as another one but for the ending, as train/run/a:" in text
    )
    made = {clip.name: clip.paths["rgb"].name for clip in builder.clips()}
    assert made["train/run/a"] == "a.avi" and made["train/run/a.flv"] == "a.flv"
    (tmp_path / "train" / "run" / "a.avi").unlink()
    touch(tmp_path / "training" / "run" / "a.mp4")
    with pytest.raises(
        RawDataError, match="folders of the split train: train, training"
    ):
        builder.clips()
    with pytest.raises(
        RawDataError, match=r"There is no video .*passed over \(1 .rar\)"
    ):
        touch(tmp_path / "packed" / "train" / "run" / "a.rar")
        Folders(raw=tmp_path / "packed", options=OPTIONS, data_dir=tmp_path).clips()


def test_folders_of_classes(tmp_path):
    for name in ("train/run/a.mp4", "train/sit/b.mp4", "val/sit/c.webm", "val/x.txt"):
        touch(tmp_path / name)
    builder = Folders(
        raw=tmp_path, options=OPTIONS, name="minikinetics", data_dir=tmp_path / "out"
    )
    assert builder.name == "minikinetics" and builder.classes == ["run", "sit"]
    assert {c.name: (c.label, c.splits["folders"]) for c in builder.clips()} == {
        "train/run/a": (0, "train"),
        "train/sit/b": (1, "train"),
        "test/sit/c": (1, "test"),  # there is no test folder: val is the test
    }
    touch(tmp_path / "test" / "run" / "d.mp4")
    splits = {clip.splits["folders"] for clip in builder.clips()}
    assert splits == {"train", "val", "test"}
    touch(tmp_path / "train" / "loose.mp4")
    with pytest.raises(RawDataError, match="lies in no class's folder"):
        builder.clips()
    with pytest.raises(RawDataError, match="has the folders run, sit; expected"):
        Folders(raw=tmp_path / "train", options=OPTIONS, data_dir=tmp_path).clips()


def test_failures_with_odd_names_are_written_down(tmp_path):
    """A folder of classes prepared for real; one file's name is not UTF-8."""
    raw.write_video(tmp_path / "raw" / "train" / "run" / "a.avi", 8)
    raw.write_video(tmp_path / "raw" / "val" / "run" / "b.avi", 8)
    broken = os.fsencode(tmp_path / "raw" / "train" / "run") + b"/caf\xe9.avi"
    with open(broken, "wb") as file:
        file.write(b"no video")
    arguments = ["folders", "--raw", str(tmp_path / "raw"), "--name", "mine"]
    arguments += ["--out", str(tmp_path), "--workers", "1", "--max_failed", "0.5"]
    prepare.main(arguments)
    data = PreparedDataset.open(tmp_path, "mine")
    assert sorted(data.names.tolist()) == ["test/run/b", "train/run/a"]
    (table,) = tmp_path.glob("mine/*/failed.csv")
    rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
    assert len(rows) == 1 and "caf" in rows[0]["path"]
