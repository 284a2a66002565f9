"""Annotations of other programs: CVAT, Label Studio, ELAN, events, any table."""

import contextlib
from collections.abc import Callable

from input_pipeline.conversions import annotations as converted
from input_pipeline.conversions import cvat, elan, events, label_studio
from input_pipeline.conversions import table as tables
from input_pipeline.conversions.precog import ConversionError
from tests.fuzz.harness import FOLDER, target, written


def _to_manifest(
    read: Callable[..., converted.Annotations], name: str, data: bytes, *more: str
) -> None:
    """Makes a manifest of a file, as the command does; it may be refused."""
    with contextlib.suppress(converted.AnnotationError):
        found = read(written(name, data), *more)
        rows = {event.recording: {"rgb": event.recording} for event in found.events}
        converted.write(found, rows, FOLDER / "annotated" / "manifest.csv")


@target(
    b"<annotations><meta><task><id>5</id><stop_frame>99</stop_frame>"
    b"<frame_filter>step=2</frame_filter></task><source>a.mp4</source></meta>"
    b'<track id="0" label="walk"><box frame="1" outside="0"/><box frame="4" '
    b'outside="1"/></track><image id="4"><tag label="sit"/></image></annotations>',
    b'<annotations><track label="p"><points frame="1"><attribute name="a">x</attribute>'
    b"</points></track></annotations>",
)
def cvat_xml(data: bytes) -> None:
    for attribute in ("", "a"):
        _to_manifest(cvat.read, "a.xml", data, attribute)


@target(
    b'[{"id": 7, "data": {"video": "/0a1b2c3d-a.mp4"}, "annotations": [{"result": '
    b'[{"value": {"ranges": [{"start": 1, "end": 9}], "timelinelabels": ["x"]}}]}]}]',
    b'[{"id": 7, "video": "a.mp4", "label": [{"start": 1.5, "end": 3, "labels": '
    b'["walk"]}]}]',
)
def label_studio_json(data: bytes) -> None:
    _to_manifest(label_studio.read, "a.json", data)


@target(
    b'<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="milliseconds"><MEDIA_DESCRIPTOR '
    b'MEDIA_URL="file:///a.mp4" TIME_ORIGIN="20"/></HEADER><TIME_ORDER><TIME_SLOT '
    b'TIME_SLOT_ID="1" TIME_VALUE="76"/><TIME_SLOT TIME_SLOT_ID="2" TIME_VALUE="180"/>'
    b'</TIME_ORDER><TIER TIER_ID="t"><ANNOTATION><ALIGNABLE_ANNOTATION '
    b'TIME_SLOT_REF1="1" TIME_SLOT_REF2="2"><ANNOTATION_VALUE>walk</ANNOTATION_VALUE>'
    b"</ALIGNABLE_ANNOTATION></ANNOTATION></TIER></ANNOTATION_DOCUMENT>",
)
def elan_eaf(data: bytes) -> None:
    _to_manifest(elan.read, "a.eaf", data)


@target(
    b"recording,label,start,end,person\na,walk,1.5,0:01:02.5,anna\n",
    b"file;Action;start;duration\na.mp4;sit;70;1,5\n",
    b"label\tstart_frame\tend_frame\nwalk\t10\t20\n",
    b"Media file name,Subject,Behavior,Start (s),Stop (s)\nC:\\a.mp4,x,walk,1.5,4\n",
    b"# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,"
    b'spatial_coordinates,metadata\n"1","[""a.mp4""]",0,"[1,4]","[]","{""1"":""x""}"\n',
)
def events_csv(data: bytes) -> None:
    _to_manifest(events.read, "one.csv", data)


@target(
    b"recording,first,stop,label\na,1,9,walk\nb,3,5,sit\n",
    b'recording;first;stop;label\r\n"a;b";1;9;walk\r\n',
)
def segments_csv(data: bytes) -> None:
    columns = {"ir": "{recording}.npy", "label": "{label}", "start_frame": "{first}"}
    table, out = written("segments.csv", data), FOLDER / "annotated" / "table.csv"
    try:
        tables.convert(table, out, columns, {}, {})
    except ConversionError:
        pass


@target(b"recording,rgb,ir,ir_offset,day\na,colour/a.mp4,thermal/a.mkv,2.7,monday\n")
def recordings_csv(data: bytes) -> None:
    try:
        converted.read_recordings(written("recordings.csv", data), FOLDER / "m.csv")
    except converted.AnnotationError:
        pass
