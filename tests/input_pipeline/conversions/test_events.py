"""Tables of events: BORIS, VIA and one's own."""

import pytest

from input_pipeline.conversions import events
from input_pipeline.conversions.annotations import AnnotationError, Event

BORIS = (
    "Observation id,Media file name,Total length,FPS,Subject,Behavior,Behavior type,"
    "Start (s),Stop (s),Duration (s)\n"
    "o1,C:\\raw\\a.mp4,60,25,No focal subject,walk,STATE,1.5,4.25,2.75\n"
    "o1,C:\\raw\\a.mp4,60,25,anna,clap,POINT,5,5,0\n"
)
VIA = (
    "# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,"
    "spatial_coordinates,metadata\n"
    "# Exported using VIA Video Annotator\n"
    '"1_a","[""a.mp4""]",0,"[1.5,4.25]","[]","{""1"":""walk""}"\n'
)


def read(tmp_path, text: str, attribute: str = ""):
    path = tmp_path / "one.csv"
    path.write_text(text)
    return events.read(path, attribute)


def test_a_table_of_ones_own(tmp_path):
    text = "start;duration;Action;subject\n0:01:02,5;3;walk;anna\n70;1,5;sit;\n"
    assert read(tmp_path, text).events == [
        Event("one", 62.5, 65.5, "walk", "anna"),
        Event("one", 70, 71.5, "sit"),
    ]
    text = "file\tlabel\tstart_frame\tend_frame\nraw/a.mp4\twalk\t10\t20\n"
    found = read(tmp_path, text)
    assert found.in_frames and found.events == [Event("a.mp4", 10, 20, "walk")]


def test_events_without_a_length_or_with_less(tmp_path):
    found = read(tmp_path, "label,start,end\nwalk,2,2\nsit,3,2.5\n")
    assert [why for _, why in found.left_out] == ["no length", "ends before it starts"]


def test_boris_aggregated_events(tmp_path):
    found = read(tmp_path, BORIS)
    assert found.events == [Event("a.mp4", 1.5, 4.25, "walk")]
    assert found.left_out == [(Event("a.mp4", 5, 5, "clap", "anna"), "no length")]


def test_via_segments(tmp_path):
    assert read(tmp_path, VIA).events == [Event("a.mp4", 1.5, 4.25, "walk")]
    two = VIA.replace('""walk""}', '""walk"",""2"":""anna""}')
    assert read(tmp_path, two, "2").events[0].label == "anna"
    with pytest.raises(AnnotationError, match="its attributes are 1, 2; name one"):
        read(tmp_path, two)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "has no line of an event"),
        ("label,start,end\n", "has no line of an event"),
        ("label,start\nwalk,1\n", "event 1: the columns are label, start; expected"),
        ("label,start,end\nwalk,1\n", "event 1: 2 cells; the header has 3"),
        ("label,start,end\nwalk,1:30,2\n", "start is '1:30'; expected seconds"),
        ("label,start,end\nwalk,-1,2\n", "start is '-1'"),
        ("label,start,end\nwalk,1,nan\n", "end is 'nan'"),
        ("Time,Behavior,Status\n1,walk,START\n", "export aggregated events"),
        (VIA.replace("[1.5,4.25]", "[1.5]"), "expected a list of files, .start, end"),
        ('label,start,end\n"walk,1,2\n', "is no table"),
        ("recording,label,start,end\n,walk,1,2\n", "the cell of recording is empty"),
    ],
)
def test_what_is_not_of_the_form(tmp_path, text, match):
    with pytest.raises(AnnotationError, match=match):
        read(tmp_path, text)
