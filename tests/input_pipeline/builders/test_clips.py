"""Manifests by hand: clips, labels, splits and the lines that are wrong."""

import pytest

from input_pipeline.builders.base import RawDataError
from input_pipeline.builders.clips import manifest_streams
from tests.input_pipeline.builders.test_base import manifest, read


def test_manifest_with_absent_modalities_and_class_names(tmp_path):
    path = manifest(
        tmp_path,
        "rgb,ir,label,split,subject\n"
        "v/a.mp4,t/a.mp4,wave,train,3\n"
        "v/b.mp4,,sit,Test,\n"
        "\n"
        ",t/c.mp4,wave,val,7\n",
    )
    builder = read(path, name="mine")
    assert manifest_streams(path) == ("rgb", "ir")
    assert builder.name == "mine" and builder.classes == ["sit", "wave"]
    clips = {clip.name: clip for clip in builder.clips()}
    assert list(clips) == ["t/c", "v/a", "v/b"]
    assert clips["v/a"].paths == {
        "rgb": tmp_path / "v/a.mp4",
        "ir": tmp_path / "t/a.mp4",
    }
    assert clips["v/b"].paths.keys() == {"rgb"} and clips["v/b"].subject == -1
    assert clips["t/c"].splits == {"manifest": "val"} and clips["t/c"].subject == 7
    assert [clip.label for clip in builder.clips()] == [1, 1, 0]


def test_integer_labels_count_from_zero(tmp_path):
    path = manifest(tmp_path, "rgb,label,split\na.mp4,2,train\nb.mp4,0,test\n")
    builder = read(path, ("rgb",))
    assert builder.classes == ["0", "1", "2"]
    assert [clip.label for clip in builder.clips()] == [2, 0]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (
            "rgb,label,splitt\na,1,train\n",
            "line 1: .*Missing: nothing. Unknown: splitt",
        ),
        ("label,split\n1,train\n", "Missing: one of rgb, ir, depth, skeleton"),
        ("rgb,rgb,label,split\na,a,1,train\n", "each at most once"),
        ("rgb,label,split\n", "no line for a clip"),
        ("", "columns are none"),
        ("rgb,ir,label,split\na,b,1,train\nc,d,1\n", "line 3: 3 cells.*4 columns"),
        ("rgb,ir,label,split\n,,1,train\n", "line 2: all of rgb, ir are empty"),
        ("rgb,ir,label,split\na,b,1,dev\n", "line 2: the split is 'dev'"),
        ("rgb,ir,label,split\na,b,,train\n", "line 2: the label is empty"),
        (
            "rgb,ir,label,split\na,b,0,train\nc,d,wave,test\n",
            "line 3: the label 'wave'.*line 2 has '0'",
        ),
        (
            "rgb,ir,label,split\na.avi,b,0,train\na.mp4,d,0,test\n",
            "line 3: the clip 'a' stands in line 2",
        ),
        (
            "rgb,ir,label,split,subject\na,b,0,train,Ann\n",
            "line 2: the subject is 'Ann'",
        ),
        ("rgb,ir,label,split\n../a,b,0,train\n", "line 2: '../a' leads out"),
        ("rgb,ir,label,split\n/etc/passwd,b,0,train\n", "'/etc/passwd' leads out"),
        ("rgb,label,split\na,0,train\n", "no column ir, but --streams"),
    ],
)
def test_manifest_errors_name_the_line(tmp_path, text, match):
    with pytest.raises(RawDataError, match=match):
        read(manifest(tmp_path, text))


def test_links_may_not_lead_out_either(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.avi").touch()
    (inside / "a.avi").symlink_to(tmp_path / "secret.avi")
    path = manifest(inside, "rgb,label,split\na.avi,0,train\n")
    with pytest.raises(RawDataError, match="leads out"):
        read(path, ("rgb",))
    (clip,) = read(path, ("rgb",), allow_outside=True).clips()
    assert clip.name == "a"


def test_missing_manifest_and_wrong_name(tmp_path):
    with pytest.raises(RawDataError, match=r"no\.csv does not exist.*rgb, ir"):
        read(tmp_path / "no.csv")
    path = manifest(tmp_path, "rgb,label,split\na.avi,0,train\n")
    with pytest.raises(RawDataError, match="lower-case"):
        read(path, ("rgb",), name="My-Set")
