"""UCF101 from a few tiny files."""

import csv
import io

import pytest

from input_pipeline.builders.base import RawDataError
from input_pipeline.builders.ucf101 import Ucf101
from input_pipeline.dataset import PreparedDataset
from input_pipeline.prepare import __main__ as prepare
from tests.input_pipeline import raw
from tests.input_pipeline.builders.test_folders import touch
from tests.input_pipeline.builders.test_something import OPTIONS


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
    with pytest.raises(SystemExit, match="2"):
        prepare.main(arguments)
    assert "1 of 3 clips cannot be used (1 missing" in capsys.readouterr().err
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
