"""UCF101, HMDB51, Something-Something and folders of classes, from a few tiny files."""

import csv
import io
import json
import os

import av
import numpy as np
import pytest
from PIL import Image

from input_pipeline.builders.base import RawDataError
from input_pipeline.builders.folders import Folders
from input_pipeline.builders.hmdb51 import Hmdb51
from input_pipeline.builders.something import Something
from input_pipeline.builders.ucf101 import Ucf101
from input_pipeline.dataset import PreparedDataset
from input_pipeline.encode import Clip, ClipError, EncodeOptions, encode_clip
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.frames import read_frames
from input_pipeline.formats.video import VideoOptions
from input_pipeline.prepare import __main__ as prepare
from tests.input_pipeline import raw

OPTIONS = EncodeOptions(streams=("rgb",), video=VideoOptions(16, 90, 4))


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")


def write_ucf(folder):
    lists = folder / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    lists.joinpath("classInd.txt").write_text("1 Archery\r\n2 HandstandPushups\r\n")
    names = ["Archery/v_Archery_g01_c01.avi", "Archery/v_Archery_g08_c02.avi"]
    # As in the real set: the folder is written in another way than the files.
    names += ["HandstandPushups/v_HandStandPushups_g01_c01.avi"]
    names += ["HandstandPushups/v_HandStandPushups_g09_c01.avi"]
    for number in (1, 2, 3):
        test = names[number - 1]
        train = [n for n in names[:3] if n != test]
        label = {"A": 1, "H": 2}
        text = "".join(f"{n} {label[n[0]]}\n" for n in train)
        lists.joinpath(f"trainlist0{number}.txt").write_text(text)
        lists.joinpath(f"testlist0{number}.txt").write_text(f"{test}\n")
    for name in names:
        touch(folder / "UCF-101" / name)
    return names


def test_ucf101_names_labels_and_splits(tmp_path):
    write_ucf(tmp_path)
    touch(tmp_path / "UCF-101" / "Archery" / "._v_Archery_g01_c01.avi")
    builder = Ucf101(raw=tmp_path, options=OPTIONS, data_dir=tmp_path / "out")
    assert builder.classes == ["Archery", "HandstandPushups"]
    clips = {clip.name: clip for clip in builder.clips()}
    assert len(clips) == 4
    assert clips["v_Archery_g01_c01"].splits == {
        "split1": "test",
        "split2": "train",
        "split3": "train",
    }
    pushups = clips["v_HandStandPushups_g01_c01"]
    assert pushups.label == 1 and pushups.subject == 1
    assert pushups.splits["split3"] == "test"
    assert clips["v_HandStandPushups_g09_c01"].splits == {}  # in no list


def failures(out, name):
    """Rows of failed.csv, by clip."""
    (table,) = out.glob(f"{name}/*/failed.csv")
    rows = csv.DictReader(io.StringIO(table.read_text(encoding="utf-8")))
    return {row["name"]: row["path"] for row in rows if "missing" in row["reason"]}


def test_ucf101_s_listed_clips_that_are_not_there_are_failures(tmp_path, capsys):
    names = write_ucf(tmp_path)
    for name in (*names[:2], names[3]):
        (tmp_path / "UCF-101" / name).unlink()
        raw.write_video(tmp_path / "UCF-101" / name, 8)
    (tmp_path / "UCF-101" / names[2]).unlink()  # in a list
    (tmp_path / "UCF-101" / names[3]).unlink()  # in none
    arguments = ["ucf101", "--raw", str(tmp_path), "--out", str(tmp_path / "out")]
    arguments += ["--workers", "1", "--short_side", "16"]
    with pytest.raises(SystemExit, match="1 of 3 clips cannot be used .1 missing"):
        prepare.main(arguments)
    prepare.main([*arguments, "--max_failed", "0.4"])
    gone = {"v_HandStandPushups_g01_c01": str(tmp_path / names[2])}
    assert failures(tmp_path / "out", "ucf101") == gone
    data = PreparedDataset.open(tmp_path / "out", "ucf101")
    assert data.protocols["split3"] == {"train": 2, "test": 0, "val": 0}
    assert "Failed: 1." in capsys.readouterr().out
    # Where other clips of the class lie, this one should lie.
    touch(tmp_path / "UCF-101" / names[3])
    builder = Ucf101(raw=tmp_path, options=OPTIONS, data_dir=tmp_path / "o")
    (clip,) = (c for c in builder.clips() if c.name == "v_HandStandPushups_g01_c01")
    assert clip.paths["rgb"] == tmp_path / "UCF-101" / names[2] and clip.label == 1


def test_ucf101_s_lists_that_contradict_each_other(tmp_path):
    write_ucf(tmp_path)
    builder = Ucf101(raw=tmp_path, options=OPTIONS, data_dir=tmp_path / "o")
    path = tmp_path / "ucfTrainTestlist" / "testlist02.txt"
    whole = path.read_text()
    path.write_text(whole + "Archery/v_Archery_g01_c01.avi\n")
    with pytest.raises(
        RawDataError, match="testlist02.txt: v_Archery_g01_c01.avi is in"
    ):
        builder.clips()
    path.write_text(whole + "Diving/v_Diving_g01_c01.avi\n")
    with pytest.raises(RawDataError, match="which is no clip of a class in classInd"):
        builder.clips()


def test_ucf101_that_is_not_there(tmp_path):
    def clips(folder):
        builder = Ucf101(raw=folder, options=OPTIONS, data_dir=tmp_path / "out")
        return builder.clips()

    with pytest.raises(RawDataError, match="does not exist. Download UCF101.rar"):
        clips(tmp_path / "nothing")
    with pytest.raises(RawDataError, match=r"There is no classInd.txt .* Download"):
        clips(tmp_path)
    write_ucf(tmp_path / "twice")
    touch(tmp_path / "twice" / "copy" / "v_Archery_g01_c01.avi")
    with pytest.raises(RawDataError, match="v_Archery_g01_c01 is there twice"):
        clips(tmp_path / "twice")


def test_hmdb51_with_names_as_they_are_found(tmp_path):
    """A blank, brackets and a byte that is not UTF-8 in names; prepared for real."""
    lists = tmp_path / "testTrainMulti_7030_splits"
    lists.mkdir()
    names = [b"#1_(Sideways)_wave_u.avi", b"two words_wave_f.avi", b"caf\xe9_wave.avi"]
    for number in (1, 2, 3):
        codes = [b"1", b"2", b"0"][-number:] + [b"1", b"2", b"0"][:-number]
        text = b"".join(
            n + b" " + c + b" \n" for n, c in zip(names, codes, strict=True)
        )
        lists.joinpath(f"wave_test_split{number}.txt").write_bytes(text)
    for index, name in enumerate(names):
        path = tmp_path / "wave" / f"{index}.avi"
        raw.write_video(path, 8)
        os.rename(os.fsencode(path), os.fsencode(path.parent) + b"/" + name)
    arguments = ["hmdb51", "--raw", str(tmp_path), "--out", str(tmp_path / "out")]
    prepare.main([*arguments, "--workers", "1", "--short_side", "16"])
    data = PreparedDataset.open(tmp_path / "out", "hmdb51")
    assert data.classes == ["wave"]
    assert sorted(data.names.tolist()) == [
        "wave/#1_(Sideways)_wave_u",
        "wave/caf\\xe9_wave",
        "wave/two words_wave_f",
    ]
    for protocol in ("split1", "split2", "split3"):
        sizes = {s: len(data.rows(protocol, s)) for s in ("train", "test")}
        assert sizes == {"train": 1, "test": 1}


def write_hmdb(folder):
    """Two classes of three clips: in training, in testing, in neither."""
    for label in ("wave", "sit"):
        for number in (1, 2, 3):
            lines = [f"{label} {i}.avi {i}" for i in (1, 2, 0)]
            (folder / f"{label}_test_split{number}.txt").write_text("\n".join(lines))
        for i in (0, 1, 2):
            touch(folder / "org" / label / f"{label} {i}.avi")


def test_hmdb51_s_listed_clips_that_are_not_there_are_failures(tmp_path):
    write_hmdb(tmp_path)
    builder = Hmdb51(raw=tmp_path, options=OPTIONS, data_dir=tmp_path / "out")
    whole = {clip.name: clip for clip in builder.clips()}
    assert len(whole) == 6
    (tmp_path / "org/wave/wave 0.avi").unlink()  # in no split: nobody misses it
    (tmp_path / "org/wave/wave 2.avi").unlink()
    (tmp_path / "org/sit/sit 1.avi").rename(tmp_path / "org/sit/sit 1.mp4")
    now = {clip.name: clip for clip in builder.clips()}
    assert sorted(now) == [
        "sit/sit 0",
        "sit/sit 1",
        "sit/sit 2",
        "wave/wave 1",
        "wave/wave 2",
    ]
    assert now["wave/wave 2"] == whole["wave/wave 2"]  # whose file is not there
    # Converted to another container it is the same clip.
    assert now["sit/sit 1"].splits == dict.fromkeys(
        ("split1", "split2", "split3"), "train"
    )
    with pytest.raises(ClipError, match="missing: there is no such file"):
        encode_clip(now["wave/wave 2"], builder.options)
    touch(tmp_path / "copy" / "wave" / "wave 1.avi")
    with pytest.raises(RawDataError, match="wave/wave 1 is there twice"):
        builder.clips()
    (tmp_path / "wave_test_split2.txt").unlink()
    with pytest.raises(RawDataError, match="There is no wave_test_split2.txt in"):
        builder.clips()


def test_a_video_whose_metadata_is_not_utf8_is_read(tmp_path):
    path = raw.write_video(tmp_path / "a.avi", 8)
    data = path.read_bytes()
    # A title in Latin-1, in a list of its own behind the header's.
    title = b"caf\xe9\x00\x00"
    info = b"INFO" + b"INAM" + len(title).to_bytes(4, "little") + title
    chunk = b"LIST" + len(info).to_bytes(4, "little") + info
    header = int.from_bytes(data[16:20], "little") + 20
    whole = data[:header] + chunk + data[header:]
    size = (len(whole) - 8).to_bytes(4, "little")
    path.write_bytes(whole[:4] + size + whole[8:])
    with pytest.raises(UnicodeDecodeError):
        av.open(str(path)).close()
    clip = Clip("a", 0, {"rgb": path}, {})
    assert len(encode_clip(clip, OPTIONS).streams["rgb"].frames) == 8


def write_frames(folder, count=6, size=(12, 20), quality=95):
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        image = np.full((*size, 3), 10 * number, np.uint8)
        name = folder / f"{number}.jpg"  # 10 stands behind 9, not behind 1
        Image.fromarray(image).save(name, quality=quality)
    return folder


def write_something(folder, kind):
    clips = folder / "20bn-something-something-v1"
    for name in ("7", "12", "300"):
        write_frames(clips / name, 11)
    labels = ["Holding something", "Moving something up"]
    stem = "something-something-v1"
    if kind == "csv":
        folder.joinpath(f"{stem}-labels.csv").write_text("\n".join(labels) + "\n")
        folder.joinpath(f"{stem}-train.csv").write_text(
            "7;Moving something up\n12;Holding something\n"
        )
        folder.joinpath(f"{stem}-validation.csv").write_text("300;Holding something\n")
        folder.joinpath(f"{stem}-test.csv").write_text("400\n")
        return
    table = {label: str(i) for i, label in enumerate(labels)}
    folder.joinpath(f"{stem}-labels.json").write_text(json.dumps(table))
    entry = {"label": "moving a cup up", "template": "Moving [something] up"}
    train = [{"id": "7", **entry}]
    train += [{"id": "12", "label": "x", "template": "Holding [something]"}]
    folder.joinpath(f"{stem}-train.json").write_text(json.dumps(train))
    test = [{"id": "300", "label": "x", "template": "Holding [something]"}]
    folder.joinpath(f"{stem}-validation.json").write_text(json.dumps(test))


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_something_lists_and_frames(tmp_path, kind):
    write_something(tmp_path, kind)
    builder = Something(raw=tmp_path, options=OPTIONS, data_dir=tmp_path / "out")
    assert builder.classes == ["Holding something", "Moving something up"]
    clips = {clip.name: clip for clip in builder.clips()}
    assert {name: (c.label, c.splits["official"]) for name, c in clips.items()} == {
        "7": (1, "train"),
        "12": (0, "train"),
        "300": (0, "test"),
    }
    video = encode_clip(clips["12"], OPTIONS).streams["rgb"]
    assert (video.height, video.width, len(video.frames)) == (12, 20, 11)
    # Small JPEG images are kept byte for byte, in the order of their numbers.
    kept = [clips["12"].paths["rgb"] / f"{i}.jpg" for i in range(1, 12)]
    assert video.frames == [path.read_bytes() for path in kept]


def test_something_that_does_not_fit(tmp_path):
    write_something(tmp_path, "csv")

    def clips():
        builder = Something(raw=tmp_path, options=OPTIONS, data_dir=tmp_path / "out")
        return builder.clips()

    train = tmp_path / "something-something-v1-train.csv"
    train.write_text("7;Flying something\n")
    with pytest.raises(RawDataError, match="the label 'Flying something' of 7 is not"):
        clips()
    train.write_text("7\n")
    with pytest.raises(RawDataError, match="is no list of Something-Something"):
        clips()
    train.write_text("999;Holding something\n")
    missing = {clip.name: clip.paths["rgb"] for clip in clips()}["999"]
    assert missing.name == "999" and not missing.exists()  # goes to failed.csv
    train.write_text("7;Holding something\n300;Holding something\n")
    with pytest.raises(RawDataError, match="the clip 300 is in .*train.csv, too"):
        clips()
    train.unlink()
    with pytest.raises(RawDataError, match=r"There is no list \*train\*"):
        clips()


def test_frames_that_are_large_damaged_or_of_two_sizes(tmp_path):
    options = VideoOptions(16, 90, 4)
    video = read_frames(write_frames(tmp_path / "a", size=(32, 60)), "rgb", options)
    assert (video.height, video.width) == (16, 30)
    infrared = read_frames(tmp_path / "a", "ir", options)
    assert Image.open(io.BytesIO(infrared.frames[0])).mode == "L"
    with pytest.raises(UnusableFile, match="6 images; at least 9"):
        read_frames(tmp_path / "a", "rgb", VideoOptions(16, 90, 9))
    path = tmp_path / "a" / "3.jpg"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnusableFile, match="3.jpg"):
        read_frames(tmp_path / "a", "rgb", options)
    write_frames(tmp_path / "b", size=(12, 20))
    Image.fromarray(np.zeros((12, 22, 3), np.uint8)).save(tmp_path / "b" / "4.jpg")
    with pytest.raises(UnusableFile, match="the image size changes .* at 4.jpg"):
        read_frames(tmp_path / "b", "rgb", options)


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
