"""From events to a manifest: what is kept, what is left out, what is refused."""

import csv

import pytest

from input_pipeline.builders.clips import Clips
from input_pipeline.conversions.__main__ import main
from input_pipeline.conversions.annotations import (
    AnnotationError,
    Annotations,
    Event,
    gaps,
    overlaps,
    read_recordings,
    read_xml,
    write,
)
from input_pipeline.encode import EncodeOptions
from input_pipeline.recordings import Clock, Part

EVENTS = [
    Event("a.mp4", 1, 3, "walk", "anna"),
    Event("a.mp4", 2.5, 4, "wave", "anna"),
    Event("a.mp4", 6, 8.25, "sit", "anna"),
    Event("a.mp4", 7, 8, "sit", "anna"),  # overlaps its own label: no doubt
    Event("b.mp4", 0, 2.5, "walk", "ben"),
]


def rows(path):
    with path.open() as file:
        return list(csv.reader(file))


def test_events_that_overlap_another_label():
    assert overlaps(EVENTS) == {0, 1}
    others = [Event("a", 0, 1, "x"), Event("a", 1, 2, "y"), Event("b", 0, 2, "y")]
    assert overlaps(others) == set()


def test_spans_without_a_label():
    annotations = Annotations(EVENTS, lengths={"a.mp4": 10})
    assert gaps(annotations) == [
        Event("a.mp4", 0, 1, ""),
        Event("a.mp4", 4, 6, ""),
        Event("a.mp4", 8.25, 10, ""),
    ]


def test_a_manifest_and_what_is_not_in_it(tmp_path):
    cells = {name: {"rgb": name} for name in ("a.mp4", "b.mp4")}
    annotations = Annotations(
        EVENTS, left_out=[(Event("b.mp4", 9, 9, "x"), "no length")]
    )
    said = write(annotations, cells, tmp_path / "m.csv")
    assert rows(tmp_path / "m.csv") == [
        ["rgb", "person", "recording", "start", "end", "label"],
        ["a.mp4", "anna", "a.mp4", "6", "8.25", "sit"],
        ["a.mp4", "anna", "a.mp4", "7", "8", "sit"],
        ["b.mp4", "ben", "b.mp4", "0", "2.5", "walk"],
    ]
    assert rows(tmp_path / "m.left_out.csv")[1:] == [
        ["b.mp4", "9", "9", "x", "no length"],
        ["a.mp4", "1", "3", "walk", "overlaps another label"],
        ["a.mp4", "2.5", "4", "wave", "overlaps another label"],
        ["a.mp4", "0", "1", "", "no label"],
        ["a.mp4", "4", "6", "", "no label"],
    ]
    assert said[0].startswith("3 parts of 2 recordings, 2 labels (sit, walk) in ")
    assert "1 (no length), 2 (overlaps another label); without a label: 2" in said[1]
    write(annotations, cells, tmp_path / "all.csv", keep_overlaps=True)
    assert len(rows(tmp_path / "all.csv")) == 6


def test_a_table_of_events_and_one_of_recordings_make_a_manifest(tmp_path, capsys):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "recordings.csv").write_text(
        "recording,rgb,ir,ir_offset,day\none,c/1.mp4,t/1.mkv,2.7,monday\n"
    )
    (tmp_path / "events.csv").write_text(
        "recording,label,start,end,person\n"
        "one,walk,0:00:10,0:01:02.5,anna\none,sit,70,80.25,anna\n"
    )
    table = str(tmp_path / "raw" / "recordings.csv")
    out = tmp_path / "set.csv"
    events = str(tmp_path / "events.csv")
    main(["events", events, "--recordings", table, "--out", str(out)])
    assert "2 parts of 1 recordings, 2 labels (sit, walk)" in capsys.readouterr().out
    streams = EncodeOptions(streams=("rgb", "ir"))
    builder = Clips(raw=out, options=streams, data_dir=tmp_path)
    assert builder.classes == ["sit", "walk"]
    first, second = builder.clips()
    assert first.name == "raw/c/1@10-62.5" and second.name == "raw/c/1@70-80.25"
    assert first.part == Part(10, 62.5, {"ir": Clock(2.7)})
    assert first.paths["ir"] == tmp_path / "raw/t/1.mkv"
    assert first.groups == {"person": "anna", "recording": "one", "day": "monday"}


def converted(folder, events, recordings, capsys):
    """Returns the manifest's rows and what was said."""
    (folder / "events.csv").write_text(events)
    (folder / "recordings.csv").write_text(recordings)
    tables = ["--recordings", str(folder / "recordings.csv")]
    out = folder / "set.csv"
    main(["events", str(folder / "events.csv"), *tables, "--out", str(out)])
    return rows(out), capsys.readouterr().out


def test_events_that_name_no_recording_are_of_the_only_one(tmp_path, capsys):
    found, _ = converted(
        tmp_path, "label;start;end\nsit;1,5;2\n", "recording;rgb\none;1.mp4\n", capsys
    )
    assert found == [
        ["recording", "rgb", "start", "end", "label"],
        ["one", "1.mp4", "1.5", "2", "sit"],
    ]
    with pytest.raises(SystemExit):
        two = "recording,rgb\none,1.mp4\ntwo,2.mp4\n"
        converted(tmp_path, "label,start,end\nsit,1,2\n", two, capsys)
    assert "are of the recordings events; the table" in capsys.readouterr().err


def test_an_event_that_stands_there_twice_is_one(tmp_path, capsys):
    lines = "recording,label,start,end\none,sit,1,2\none,sit,1.0,2\none,sit,1,3\n"
    found, said = converted(tmp_path, lines, "recording,rgb\none,1.mp4\n", capsys)
    assert [row[2:4] for row in found[1:]] == [["1", "2"], ["1", "3"]]
    assert "Left out: 1 (stands there twice)" in said


def test_whose_word_counts_on_persons(tmp_path, capsys):
    lines = "recording,label,start,end,person\na,sit,1,2,anna\nb,sit,1,2,anna\n"
    tables = "recording,rgb,person\na,1.mp4,ben\nb,2.mp4,\n"
    found, said = converted(tmp_path, lines, tables, capsys)
    assert [row[2] for row in found] == ["person", "ben", "anna"]
    assert "1 annotations name another person than the table of recordings" in said


def test_what_does_not_fit_together(tmp_path):
    with pytest.raises(AnnotationError, match="of the recordings a.mp4, b.mp4; the t"):
        write(Annotations(EVENTS), {"c.mp4": {}}, tmp_path / "m.csv")
    with pytest.raises(AnnotationError, match=r"No event is left: 2 \(overlaps"):
        write(Annotations(EVENTS[:2]), {"a.mp4": {"rgb": "a"}}, tmp_path / "m.csv")
    for start, end in ((-1, 2), (0, float("inf")), (float("nan"), 1)):
        events = [Event("a.mp4", start, end, "walk")]
        with pytest.raises(AnnotationError, match="'walk' of 'a.mp4' lasts from"):
            write(Annotations(events), {"a.mp4": {"rgb": "a"}}, tmp_path / "m.csv")
    with pytest.raises(AnnotationError, match="Some annotations are in frames"):
        Annotations(EVENTS).add(Annotations(EVENTS, in_frames=True))
    for text, match in (
        ("recording,rgb,label\n", "the columns are recording, rgb, label; expected"),
        ("rgb,ir\n", "expected are recording"),
        ("recording,rgb\na,b,c\n", "line 2: 3 cells; the header has 2"),
        ("recording,rgb\na,b\na,c\n", "'a' stands there twice"),
        (f"recording,rgb\na,{'b' * 2**18}\n", "is no table .field larger than"),
    ):
        (tmp_path / "r.csv").write_text(text)
        with pytest.raises(AnnotationError, match=match):
            read_recordings(tmp_path / "r.csv", tmp_path / "m.csv")


def test_xml_that_is_not_read(tmp_path):
    path = tmp_path / "a.xml"
    bomb = '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>'
    for text, match in (
        (bomb, r"a.xml: it has a document type \(a\), which is not read"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        ("<a>", "is no XML"),
        ('<?xml version="1.0" encoding="utf-9"?><a/>', "is no XML .unknown encoding"),
        ("<b/>", "outermost element is 'b'; expected 'a'"),
    ):
        path.write_text(text)
        with pytest.raises(AnnotationError, match=match):
            read_xml(path, "a")
    path.write_bytes(b"\xff\xfe<\0a\0")
    with pytest.raises(AnnotationError, match="is no text in UTF-8"):
        read_xml(path, "a")


def test_the_command_ends_with_a_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["elan", str(tmp_path / "gone.eaf"), "--out", str(tmp_path / "m.csv")])
    assert ended.value.code == 2 and "gone.eaf is no text" in capsys.readouterr().err
