"""Joint layouts: mirrors that undo themselves, bones that join what a body joins."""

import json

import pytest

from input_pipeline import joints
from input_pipeline.formats import ntu


@pytest.mark.parametrize(
    ("name", "count", "bones"),
    [("kinect_v2", 25, 24), ("kinect_v1", 20, 19), ("h36m", 17, 16)],
)
def test_layouts_are_trees_over_all_joints(name, count, bones):
    layout = joints.LAYOUTS[name]
    assert (len(layout.mirror), len(layout.bones)) == (count, bones)
    reached = {0}
    for _ in range(count):
        reached |= {b for bone in layout.bones for b in bone if set(bone) & reached}
    assert reached == set(range(count))
    # Mirrored bones are bones.
    mirrored = {frozenset(layout.mirror[j] for j in bone) for bone in layout.bones}
    assert mirrored == {frozenset(bone) for bone in layout.bones}


def test_left_mirrors_to_right():
    mirror = joints.LAYOUTS["kinect_v2"].mirror
    at = ntu.JOINTS.index
    for part in ("shoulder", "elbow", "hand_tip", "thumb", "knee", "foot"):
        assert mirror[at(f"{part}_left")] == at(f"{part}_right")
        assert mirror[at(f"{part}_right")] == at(f"{part}_left")
    for part in ("spine_base", "head", "spine_shoulder"):
        assert mirror[at(part)] == at(part)
    # Hip centre, spine, shoulder centre, head; then left arm, right arm, legs.
    assert joints.LAYOUTS["kinect_v1"].mirror == (
        *(0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7),
        *(16, 17, 18, 19, 12, 13, 14, 15),
    )
    # The nose, then pairs.
    pairs = (j for i in range(1, 17, 2) for j in (i + 1, i))
    assert joints.LAYOUTS["coco"].mirror == (0, *pairs)
    # Pelvis, right leg, left leg, spine to head, left arm, right arm.
    assert joints.LAYOUTS["h36m"].mirror == (
        *(0, 4, 5, 6, 1, 2, 3),
        *(7, 8, 9, 10, 14, 15, 16, 11, 12, 13),
    )


def test_layouts_are_found_by_count_and_by_what_dataset_json_says():
    assert joints.by_count(20).name == "kinect_v1" and joints.by_count(5) is None
    with pytest.raises(joints.LayoutError, match="17 joints may be coco or h36m: say"):
        joints.by_count(17)
    assert joints.of_stream({"joints": 25}).name == "kinect_v2"  # prepared before
    assert joints.of_stream({"joints": 25, "layout": ""}) is None
    facts = json.loads(json.dumps(joints.LAYOUTS["kinect_v1"].facts()))
    assert joints.of_stream(facts) == joints.LAYOUTS["kinect_v1"]


def test_own_layouts_are_read_from_a_file(tmp_path):
    path = tmp_path / "star.json"
    path.write_text('{"mirror": [0, 2, 1], "bones": [[0, 1], [0, 2]]}')
    found = joints.find(str(path))
    assert found == joints.Layout("star", (0, 2, 1), ((0, 1), (0, 2)))
    assert joints.find("none") is None
    assert joints.find("coco") is joints.LAYOUTS["coco"]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('{"mirror": [1, 2, 0]}', "'a': mirror is .*changes places with"),
        ('{"mirror": [0, 5]}', "mirror is"),
        ('{"mirror": [-1]}', "mirror is"),
        ('{"mirror": [1, 0], "bones": [[0, 2]]}', r"bone \[0, 2\] does not join"),
        ('{"bones": []}', "describes no joint layout .KeyError"),
        ("[", "describes no joint layout"),
        ("[0]", "describes no joint layout"),
    ],
)
def test_layouts_that_are_none_are_refused(tmp_path, text, match):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(joints.LayoutError, match=match):
        joints.find(str(tmp_path / "a.json"))


def test_unknown_layout_lists_the_known_ones():
    with pytest.raises(
        joints.LayoutError, match="kinect_v2, kinect_v1, coco, h36m, none"
    ):
        joints.find("kinect")
