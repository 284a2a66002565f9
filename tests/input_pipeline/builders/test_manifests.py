"""Manifests as people's programs write them: read, or refused by name."""

import pytest

from input_pipeline.builders.base import RawDataError
from input_pipeline.builders.clips import Clips, manifest_streams
from input_pipeline.encode import EncodeOptions


def read(folder, text: str | bytes, **options) -> Clips:
    path = folder / "m.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    streams = EncodeOptions(streams=manifest_streams(path))
    return Clips(raw=path, options=streams, data_dir=folder, **options)


PLAIN = "rgb,ir,label,split\nv/a.avi,,walk,train\nv/b.avi,i/b.avi,sit down,test\n"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", " ; "),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", ",\r\n"),  # a separator at the end of each line
        PLAIN.replace("split\n", "split,,\n").replace("train\n", "train,,\n")[:-1]
        + ",,",
        "\ufeff" + PLAIN,
        "\n\n" + PLAIN,
        "sep=;\n" + PLAIN.replace(",", ";"),
        '"' + PLAIN.replace(",", '";"').replace("\n", '"\n"')[:-1],
        "RGB,IR,Label,Split\n" + PLAIN.partition("\n")[2],
    ],
)
def test_every_way_to_write_a_table(tmp_path, text):
    builder = read(tmp_path, text)
    assert builder.classes == ["sit down", "walk"]
    a, b = builder.clips()
    assert a.paths == {"rgb": tmp_path / "v/a.avi"} and a.label == 1
    assert b.paths == {"rgb": tmp_path / "v/b.avi", "ir": tmp_path / "i/b.avi"}
    assert (a.splits, b.splits) == ({"manifest": "train"}, {"manifest": "test"})


def test_separators_may_stand_in_cells(tmp_path):
    (clip,) = read(tmp_path, 'rgb;label;split\na,b.avi;"put; take";train\n').clips()
    assert clip.name == "a,b"
    builder = read(tmp_path, 'rgb,label,split\n"a;b.avi",x;y;z,train\n')
    assert builder.classes == ["x;y;z"]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (
            ",rgb,label,split\n0,a,b,train\n",
            "line 1: column 1 of 4 has no name.*index=F",
        ),
        ("Unnamed: 0;rgb;label;split\n0;a;b;train\n", "line 1: column 1 of 4 has no"),
        ("rgb,,label,split,\na,1,b,train,x\n", r"line 1: columns \[2, 5\] of 5 has no"),
        ("# mine\nrgb,label,split\na,b,train\n", "line 1: '# mine' begins with #"),
        ("#rgb,label,split\na,b,train\n", "line 1: '#rgb' begins with #"),
        (
            "rgb,label,split\n# later\na,b,test\n",
            "line 2: 1 cells.*'# later' is a comm",
        ),
        ("rgb,label,split\n#a.avi,b,test\n", "line 2: '#a.avi' begins with #"),
        ("rgb,label,split\nv\\a.avi,b,test\n", r"line 2: .*backslashes.*'v/a.avi'"),
        ("rgb,label,split\nC:\\v\\a.avi,b,test\n", "backslashes, and there is no such"),
        ("rgb,ir,label,split\na,nan,b,test\n", "line 2: the cell of ir is 'nan', and"),
        ("rgb,ir,label,split\nNone,a,b,test\n", "line 2: the cell of rgb is 'None'"),
        ("rgb,ir,label,split\na,<NA>,b,test\n", "the cell of ir is '<NA>'.*na_rep"),
        ("rgb,ir,label,split\na,N/A,b,test\n", "the cell of ir is 'N/A'"),
        ("rgb,label,split\na,nan,test\n", "line 2: the label is 'nan', as programs"),
        ("rgb,label,split\na,b,nan\n", "line 2: the split is 'nan'"),
        ("rgb,label,split,subject\na,b,test,nan\n", "line 2: the subject is 'nan'"),
        ("rgb,label,split,name\na,b,test,nan\n", "line 2: the name is 'nan'"),
        ("rgb,label,split\na,1.0,test\nb,2.0,train\n", "labels are 1.0.*pandas writes"),
        ("rgb|label|split\na|b|test\n", "separated by commas, semicolons or tabs"),
        ("rgb,RGB,label,split\na,b,c,test\n", r"Unknown: nothing\. Twice: rgb\."),
        ("rgb\u200b,label,split\na,b,test\n", r"Unknown: rgb\\u200b"),
        ('rgb,label,split\n"a,b,test\nc,d",b,test\n', "line 3: .*several lines.*quot"),
        ('rgb,label,split\n"a,b,test\n', "not a CSV file in UTF-8"),
        (PLAIN.encode("utf-16"), "in UTF-16"),
        (
            PLAIN.replace("walk", "g\u00e9nial").encode("latin-1"),
            "not a CSV file in UTF-8",
        ),
    ],
)
def test_what_looks_right_and_is_not_is_named(tmp_path, text, match):
    with pytest.raises(RawDataError, match=match) as caught:
        read(tmp_path, text)
    assert "is no path" not in str(caught.value)  # one sentence, not one in another


def test_odd_names_are_fine_where_there_are_such_files(tmp_path):
    for name in ("#1.avi", "v\\a.avi", "nan"):
        (tmp_path / name).touch()
    builder = read(
        tmp_path,
        "rgb,ir,label,split\n#1.avi,,none,train\nv\\a.avi,,na,train\n,nan,none,test\n",
    )
    assert [clip.name for clip in builder.clips()] == ["#1", "nan", "v\\a"]
    assert builder.classes == ["na", "none"]  # as a gesture may be called
