"""Label Studio's JSON exports."""

import json

import pytest

from input_pipeline.conversions import label_studio
from input_pipeline.conversions.annotations import AnnotationError, Event


def read(tmp_path, tasks):
    path = tmp_path / "a.json"
    path.write_text(tasks if isinstance(tasks, str) else json.dumps(tasks))
    return label_studio.read(path)


def timeline(label: str, *spans: tuple[int, int]) -> dict:
    ranges = [{"start": start, "end": end} for start, end in spans]
    value = {"ranges": ranges, "timelinelabels": [label]}
    return {"type": "timelinelabels", "from_name": "l", "to_name": "v", "value": value}


def task(*results: dict, **more) -> dict:
    video = "/data/upload/3/0a1b2c3d-kitchen-1.mp4"
    return {
        "id": 7,
        "data": {"video": video},
        "annotations": [{"id": 1, "was_cancelled": False, "result": list(results)}],
        "predictions": [{"result": [timeline("guess", (1, 2))]}],
    } | more


def test_spans_of_the_timeline_count_from_one_with_both_ends(tmp_path):
    found = read(tmp_path, [task(timeline("walk", (1, 10), (31, 31)))])
    name = "kitchen-1.mp4"
    assert found.in_frames
    assert found.events == [Event(name, 0, 10, "walk"), Event(name, 30, 31, "walk")]


def test_seconds_of_audio_and_time_series(tmp_path):
    value = {"start": 1.5, "end": 3.25, "channel": 0, "labels": ["walk"]}
    data = {"video": "/data/local-files/?d=raw/a.mp4"}
    found = read(tmp_path, [task({"type": "labels", "value": value}, data=data)])
    assert not found.in_frames
    assert found.events == [Event("a.mp4", 1.5, 3.25, "walk")]
    small = [{"id": 7, "video": "a.mp4", "label": [value], "annotator": 1}]
    assert read(tmp_path, small).events == found.events


def test_ground_truth_counts_before_other_annotators(tmp_path):
    other = {"result": [timeline("sit", (1, 5))]}
    cancelled = {"result": [timeline("x", (1, 5))], "was_cancelled": True}
    truth = {"result": [timeline("walk", (1, 5))], "ground_truth": True}
    found = read(tmp_path, [task(annotations=[cancelled, other, truth])])
    assert [event.label for event in found.events] == ["walk"]
    assert [(e.label, why) for e, why in found.left_out] == [
        ("sit", "another annotator's")
    ]


@pytest.mark.parametrize(
    ("tasks", "match"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ({"a": 1}, "expected a list of tasks"),
        ([{"id": 3, "data": {"text": "hi"}}], "task 3: its data name no video: text"),
        ([task({"type": "labels"})], "task 7 is not of the form .*KeyError: 'value'"),
        ([task(timeline("walk", (0, 3)))], "begins at frame 0; they count from 1"),
        (
            [
                task(
                    timeline("walk", (1, 3)),
                    {"value": {"start": 1, "end": 2, "labels": ["a"]}},
                )
            ],
            "spans in frames and spans in seconds",
        ),
    ],
)
def test_what_is_not_of_the_form(tmp_path, tasks, match):
    with pytest.raises(AnnotationError, match=match):
        read(tmp_path, tasks)
