"""ELAN's files: tiers, time slots, media."""

import pytest

from input_pipeline.conversions import elan
from input_pipeline.conversions.annotations import AnnotationError, Event

TEXT = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" FORMAT="3.0" VERSION="3.0">
<HEADER MEDIA_FILE="" TIME_UNITS="{units}">
<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/set/a.mp4" MIME_TYPE="video/mp4" {origin}/>
<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/set/b.mkv" MIME_TYPE="video/*"/></HEADER>
<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="760"/>
<TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="1800"/><TIME_SLOT TIME_SLOT_ID="ts3"/>
<TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="{last}"/></TIME_ORDER>
<TIER LINGUISTIC_TYPE_REF="t" TIER_ID="action" PARTICIPANT="anna">{action}</TIER>
<TIER LINGUISTIC_TYPE_REF="t" TIER_ID="{other}">{more}</TIER>
</ANNOTATION_DOCUMENT>"""


def alignable(start: str, end: str, value: str) -> str:
    return (
        '<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" '
        f'TIME_SLOT_REF1="{start}" TIME_SLOT_REF2="{end}">'
        f"<ANNOTATION_VALUE>{value}</ANNOTATION_VALUE>"
        "</ALIGNABLE_ANNOTATION></ANNOTATION>"
    )


def read(tmp_path, action: str, tier: str = "", **cells: str):
    given = {"units": "milliseconds", "origin": "", "last": "4000", "other": "words"}
    path = tmp_path / "a.eaf"
    path.write_text(TEXT.format(action=action, **(given | {"more": ""} | cells)))
    return elan.read(path, tier)


def test_annotations_of_the_only_tier(tmp_path):
    action = alignable("ts1", "ts2", "walk") + alignable("ts2", "ts3", "sit")
    action += alignable("ts2", "ts4", "") + alignable("ts4", "ts2", "run")
    found = read(tmp_path, action)
    assert found.events == [Event("a.mp4", 0.76, 1.8, "walk", "anna")]
    whys = [why for _, why in found.left_out]
    assert whys == ["not aligned to a time", "an empty value", "no length"]
    assert not found.in_frames


def test_a_medium_may_begin_before_the_annotations(tmp_path):
    found = read(tmp_path, alignable("ts1", "ts2", "walk"), origin='TIME_ORIGIN="2500"')
    assert found.events[0].start == pytest.approx(3.26)


def test_tiers_of_words_alone(tmp_path):
    (tmp_path / "a.eaf").write_text("<ANNOTATION_DOCUMENT/>")
    with pytest.raises(AnnotationError, match="no tier holds annotations that are al"):
        elan.read(tmp_path / "a.eaf", "")


@pytest.mark.parametrize(
    ("cells", "match"),
    [
        (
            {"more": alignable("ts1", "ts2", "hi")},
            "no tier is named; tiers with times ",
        ),
        ({"tier": "acts"}, "there is no tier 'acts'; tiers with times are action"),
        ({"units": "frames"}, "times are in 'frames'"),
        ({"last": "4.5"}, "a time is '4.5'; expected whole milliseconds"),
    ],
)
def test_what_is_not_of_the_form(tmp_path, cells, match):
    with pytest.raises(AnnotationError, match=match):
        read(tmp_path, alignable("ts1", "ts4", "walk"), **cells)
    with pytest.raises(AnnotationError, match="time slot 'ts9', which is not there"):
        read(tmp_path, alignable("ts1", "ts9", "walk"))
