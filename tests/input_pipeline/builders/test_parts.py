"""The columns of a manifest that name parts of recordings."""

import pytest

from input_pipeline.builders.base import RawDataError
from input_pipeline.prepare import doubts
from input_pipeline.prepare.plan import plan, shard_jobs
from input_pipeline.recordings import Clock, Part
from tests.input_pipeline.builders.test_base import manifest, read


def parts(folder, text: str, **options):
    builder = read(manifest(folder, text), **options)
    return {clip.name: clip.part for clip in builder.clips()}


def test_parts_offsets_and_rates(tmp_path):
    found = parts(
        tmp_path,
        "rgb,ir,start,end,ir_offset,ir_rate,label,split\n"
        "a.mp4,b,12.5,0:01:02.5,-2.7,8,run,train\n"
        "a.mp4,b,,8,,,run,train\n"
        "c.mp4,d,,,,,run,train\n",
    )
    assert found == {
        "a@12.5-0:01:02.5": Part(12.5, 62.5, {"ir": Clock(-2.7, 8)}),
        "a@-8": Part(None, 8.0),
        "c": None,
    }


def test_frames_are_of_the_first_stream_in_the_order_of_columns(tmp_path):
    text = "ir,start_frame,end_frame,rgb,label,split\nb.avi,3,9,a.mp4,run,train\n"
    counted = ("ir", tmp_path / "b.avi")
    want = {"a@f3-9": Part(3, 9, {}, counted)}
    assert parts(tmp_path, text) == want
    assert parts(tmp_path, text, streams=("rgb",)) == want


@pytest.mark.parametrize(
    ("columns", "cells", "match"),
    [
        ("start,end", "5,5", "line 2: the part from 5 to 5 .start, end. has no length"),
        ("start,end", "5,4", "must end after it starts"),
        ("start,end", "-1,4", "the start is '-1'; expected seconds from 0"),
        ("start,end", "nan,4", "the start is 'nan'; expected seconds, .*not nan"),
        ("start,end", "1,inf", "the end is 'inf'"),
        ("start,end", '"1,5",4', "expected seconds, as 12.5, with a p"),
        ("start,end", "1:30,2:00", "the start is '1:30'; .* or 0:00:12.5"),
        ("start_frame,end_frame", "1.5,4", "start_frame is '1.5'; expected a frame's"),
        ("start,end_frame", "1,2", "line 1: .* in seconds or in frames"),
        ("rgb_rate,rgb_offset", "0,1", "the rgb_rate is '0'; .* more than 0"),
        ("rgb_rate,rgb_offset", "-8,1", "the rgb_rate is '-8'"),
        ("rgb_rate,rgb_offset", "8,NaN", "the rgb_offset is 'NaN'; expected seconds"),
        ("ir_offset,start", "1,2", "line 1: the column ir_offset .*it has rgb"),
        ("heat_offset,start", "1,2", "line 1: the column heat_offset is of a stream"),
    ],
)
def test_cells_that_are_wrong(tmp_path, columns, cells, match):
    text = f"rgb,label,split,{columns}\na.mp4,run,train,{cells}\n"
    with pytest.raises(RawDataError, match=match):
        parts(tmp_path, text, streams=("rgb",))


def test_the_same_part_twice_needs_names(tmp_path):
    text = "rgb,label,split,start,end\na.mp4,run,train,1,2\na.mp4,sit,train,1,2\n"
    with pytest.raises(RawDataError, match="the clip 'a@1-2' stands in line 2"):
        parts(tmp_path, text, streams=("rgb",))
    text = text.replace("sit,train,1,2", "sit,train,1.0,0:00:02")  # as it is spelt
    with pytest.raises(RawDataError, match="line 3: line 2 is of the same part of the"):
        parts(tmp_path, text, streams=("rgb",))
    named = "rgb,label,split,start,end,name\na.mp4,run,train,1,2,x\n"
    named += "a.mp4,sit,train,1,2.0,y\n"
    assert parts(tmp_path, named, streams=("rgb",)).keys() == {"x", "y"}


def test_overlapping_parts_of_two_splits_or_classes_are_named(tmp_path):
    path = manifest(
        tmp_path,
        "rgb,label,split,start,end\n"
        "a.mp4,run,train,0,10\n"
        "a.mp4,run,test,8,12\n"
        "a.mp4,sit,train,12,20\n"
        "a.mp4,run,train,19,30\n"
        "b.mp4,run,test,0,10\n",
    )
    builder = read(path, ("rgb",))
    assert doubts.of_clips(builder.classes, builder.clips()) == [
        "1 overlapping parts of recordings are in two splits of protocol 'manifest', "
        "so that what is tested was trained on: a@0-10 (train) = a@8-12 (test).",
        "1 overlapping parts of recordings are of two classes: a@12-20 ('sit') = "
        "a@19-30 ('run').",
    ]


def test_another_part_is_another_plan(tmp_path):
    plans = []
    for end in (4, 5):
        text = f"name,rgb,label,split,start,end\nx,a.mp4,run,train,1,{end}\n"
        builder = read(manifest(tmp_path, text), ("rgb",))
        jobs = shard_jobs(builder, builder.clips(), tmp_path)
        plans.append(plan(builder, jobs)["clip list"])
    assert plans[0] != plans[1]
