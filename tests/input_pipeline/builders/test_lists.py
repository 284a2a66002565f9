"""Lists of a folder of classes say which videos are missing."""

import pytest

from input_pipeline.builders.base import RawDataError
from input_pipeline.builders.folders import Folders
from input_pipeline.encode import ClipError, encode_clip
from tests.input_pipeline.builders.test_folders import OPTIONS, touch

FORMS = {  # Kinetics' table, CLASS/FILE, and ids alone
    "train.csv": "label,youtube_id,time_start,time_end,split\n"
    '"riding a bike",abcdefghi_0,10,20,train\nsitting,abcdefghi_1,0,10,train\n',
    "train_list.txt": "riding_a_bike/abcdefghi_0.mp4 0\nsitting/abcdefghi_1.mp4 1\n",
    "train_ids.txt": "abcdefghi_0\nabcdefghi_1\n",
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("end", [".mp4", "_000010_000020.mp4"])
def test_listed_videos_that_are_not_there_are_failures(tmp_path, form, end):
    touch(tmp_path / "train" / "riding_a_bike" / f"abcdefghi_0{end}")
    touch(tmp_path / "train" / "riding_a_bike" / f"other_video{end}")  # in no list
    touch(tmp_path / "val" / "sitting" / f"abcdefghi_2{end}")
    (tmp_path / form).write_text(FORMS[form])
    builder = Folders(raw=tmp_path, options=OPTIONS, data_dir=tmp_path / "out")
    assert builder.classes == ["riding_a_bike", "sitting"]
    clips = {clip.name: clip for clip in builder.clips()}
    missing = f"train/{'listed' if 'ids' in form else 'sitting'}/abcdefghi_1"
    stem = end.removesuffix(".mp4")
    assert set(clips) == {
        f"train/riding_a_bike/abcdefghi_0{stem}",
        f"test/sitting/abcdefghi_2{stem}",
        missing,
    }
    assert builder.excluded() == {"not in the list of train": 1}
    assert clips[missing].label == (-1 if "ids" in form else 1)
    with pytest.raises(ClipError, match="missing: there is no such file"):
        encode_clip(clips[missing], builder.options)


def test_a_list_of_the_validation_set_and_files_that_are_none(tmp_path):
    touch(tmp_path / "train" / "sitting" / "abcdefghi_0.mp4")
    touch(tmp_path / "val" / "sitting" / "abcdefghi_2.mp4")
    table = "label,youtube_id\nsitting,abcdefghi_2\nnew thing,abcdefghi_3\n"
    (tmp_path / "validate.csv").write_text(table)
    builder = Folders(raw=tmp_path, options=OPTIONS, data_dir=tmp_path / "out")
    assert builder.classes == ["new thing", "sitting"]
    by_split = {clip.name: clip.splits["folders"] for clip in builder.clips()}
    assert by_split == {
        "train/sitting/abcdefghi_0": "train",
        "test/sitting/abcdefghi_2": "test",
        "test/new thing/abcdefghi_3": "test",
    }
    (tmp_path / "train notes.txt").write_text("these are my videos\n")
    with pytest.raises(RawDataError, match="'these are my videos' is no id of a video"):
        builder.clips()
