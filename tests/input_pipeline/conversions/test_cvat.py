"""CVAT's XML 1.1, as its documentation shows it."""

import pytest

from input_pipeline.conversions import cvat
from input_pipeline.conversions.annotations import AnnotationError, Event

HEAD = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><id>5</id><name>kitchen</name>
<size>100</size><start_frame>0</start_frame><stop_frame>99</stop_frame>
<frame_filter>{filter}</frame_filter></task><source>a.mp4</source></meta>
"""
BOX = (
    '<box frame="{}" keyframe="1" outside="{}" occluded="0" xtl="1" ytl="1" xbr="9" '
    'ybr="9">'
)


def box(frame: int, outside: int = 0, **attributes: str) -> str:
    inner = (f'<attribute name="{k}">{v}</attribute>' for k, v in attributes.items())
    return BOX.format(frame, outside) + "".join(inner) + "</box>"


def read(tmp_path, body: str, attribute: str = "", skip: str = ""):
    path = tmp_path / "a.xml"
    path.write_text(HEAD.format(filter=skip) + body + "</annotations>")
    return cvat.read(path, attribute)


def test_tracks_are_events_while_they_are_seen(tmp_path):
    walk = "".join(box(i) for i in range(10, 14)) + box(14, 1) + box(20) + box(23)
    body = f'<track id="0" label="walk" source="manual">{walk}</track>'
    body += f'<track id="1" label="sit">{box(30)}{box(40, 1)}</track>'  # keys alone
    found = read(tmp_path, body)
    assert found.in_frames and found.lengths == {"a.mp4": 100}
    assert found.events == [
        Event("a.mp4", 10, 14, "walk"),
        Event("a.mp4", 20, 24, "walk"),
        Event("a.mp4", 30, 40, "sit"),
    ]


def test_an_attribute_may_be_the_label(tmp_path):
    boxes = box(0, action="walk") + box(1, action="walk") + box(2, action="sit")
    boxes += box(5, action="sit") + box(6, 1, action="sit")
    body = f'<track id="0" label="person">{boxes}</track>'
    found = read(tmp_path, body, "action")
    assert found.events == [Event("a.mp4", 0, 2, "walk"), Event("a.mp4", 2, 6, "sit")]
    with pytest.raises(AnnotationError, match="has no attribute 'acts'; it has action"):
        read(tmp_path, body, "acts")


def test_tags_of_images_that_follow_one_another(tmp_path):
    images = "".join(
        f'<image id="{i}" name="frame_{i:06d}" width="9" height="9">'
        f'<tag label="{label}" source="manual"></tag></image>'
        for i, label in ((4, "walk"), (6, "walk"), (8, "sit"), (12, "walk"))
    )
    assert read(tmp_path, images, skip="step=2").events == [
        Event("a.mp4", 4, 8, "walk"),
        Event("a.mp4", 12, 14, "walk"),
        Event("a.mp4", 8, 10, "sit"),
    ]


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ("", "has no track with a shape, and no tag"),
        (f'<track id="0">{box(1)}</track>', "a track has no label"),
        (
            '<track label="a"><box frame="x"/></track>',
            "frame of a box is 'x'; expected",
        ),
        (f'<track label="a" task_id="7">{box(1)}</track>', "of the task '7', unknown"),
    ],
)
def test_what_is_not_of_the_form(tmp_path, body, match):
    with pytest.raises(AnnotationError, match=match):
        read(tmp_path, body)
