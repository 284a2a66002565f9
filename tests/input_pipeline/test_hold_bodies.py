"""Crops that hold the clip's bodies: their window by hand, and what a model sees."""

import json

import numpy as np
import pytest
import tensorflow as tf

from input_pipeline import ops, own_clip, records
from input_pipeline.config import DataConfigError
from input_pipeline.pipeline import eval_batches, train_batches
from tests.input_pipeline import tiny
from tests.input_pipeline.kinds import test_video
from tests.input_pipeline.test_ops import place
from tests.input_pipeline.test_pipeline import spec, take

INF = float("inf")
VIDEOS = {"rgb": spec(3, 40, 40, 3), "ir": spec(3, 40, 40, 1)}
BODIES = {"skeleton": spec(1, 4, tiny.JOINTS, 3, dtype=np.float32)}


def part(hold, x=0.5):
    """Of a frame of 100 x 200, in which the crop would be 40 x 40."""
    sides = tf.constant(100), tf.constant(200)
    where = place(50, 0.5, x)
    hold = None if hold is None else tf.constant(hold, tf.float32)
    return ops.window(*sides, where, (20, 20), hold).numpy().tolist()


def test_a_crop_grows_and_moves_until_it_holds_the_box():
    assert part(None) == [30, 80, 40, 40]
    assert part([INF, INF, -INF, -INF]) == [30, 80, 40, 40]  # nobody is there
    assert part([50, 100, 52, 102]) == [31, 81, 40, 40]  # any of 12..50, 62..100
    # Grown to 60 x 60: one row holds it, and columns 0 to 30 do.
    assert part([10, 30, 70, 50]) == [10, 15, 60, 60]
    assert part([10, 30, 70, 50], x=0.0) == [10, 0, 60, 60]
    assert part([10, 30, 70, 50], x=1.0) == [10, 30, 60, 60]
    # Wider than the frame is high: all of its rows, squeezed; a border that lies
    # outside is no part of the frame.
    assert part([5, 20, 95, 170]) == [0, 20, 100, 150]
    assert part([-8, -20, 60, 60]) == [0, 0, 80, 80]


def test_the_box_of_two_bodies_by_hand():
    points = np.zeros((2, 3, 2, 3), np.float32)  # m t v: at depth 0 nobody is
    points[0, 0] = [[-0.5, 0.5, 2], [0.0, 0.0, 2]]
    points[1, 2] = [[0.25, -0.5, 1], [9, 0, 1]]  # the last one is far outside
    lens = tf.constant(test_video.WIDE, tf.float32)  # x/z of -1..1, top down
    frame = tf.constant(100), tf.constant(200)
    found = ops.body_box(tf.constant(points), lens, frame, 0.0)
    # Rows .5 - .5 y / z: .375, .5, .75, .5; columns .5 + .5 x / z: .375, .5, .625, 1.
    np.testing.assert_allclose(found, [37.5, 75, 75, 200], atol=1e-4)
    wider = ops.body_box(tf.constant(points), lens, frame, 0.1)
    np.testing.assert_allclose(wider, [25, 62.5, 87.5, 212.5], atol=1e-4)
    nobody = ops.body_box(tf.zeros((1, 3, 2, 3)), lens, frame, 0.1)
    assert nobody.numpy().tolist() == [INF, INF, -INF, -INF]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Eight clips with a body in the left half, whose box is the truth, and one with
    none; the test split is the last four."""
    path = tmp_path_factory.mktemp("data")
    joints = np.zeros((1, 11, tiny.JOINTS, 3), np.float32)
    joints[..., :2] = [[-0.6, 0], [-0.9, 0.5], [-0.3, 0.5], [-0.9, -0.5], [-0.3, -0.5]]
    joints[..., 2] = 1
    # Rows .25 to .75, columns .05 to .35 of both images.
    clips = []
    for i in range(9):
        videos = {"rgb": test_video.staged(160, 9)}
        videos["ir"] = test_video.infrared(test_video.staged(100, 5))
        for each in videos.values():
            box = np.array([0.25, 0.05, 0.75, 0.35], np.float32)
            each.actor_box = np.tile(box, (len(each.frames), 1))
        points = joints if i < 8 else joints[:0]
        body = records.Skeleton(points, np.ones(points.shape[:3], bool))
        streams = {**videos, "skeleton": body}
        clips.append(records.Record(f"s{i}", 0, streams=streams))
    tiny.write(path, clips, 5, truth=True)
    (file,) = path.glob("*/*/dataset.json")
    facts = json.loads(file.read_text())
    wide = [list(map(float, row)) for row in test_video.WIDE]
    lenses = {"-1": {"rgb": wide, "ir": wide}}
    layout = {"layout": "five", "mirror": [0, 2, 1, 4, 3], "bones": []}
    about = {"joints": tiny.JOINTS, "lenses": lenses, **layout}
    facts["streams"]["skeleton"] = about
    file.write_text(json.dumps(facts))
    return path


def config(root, **changes):
    changes = {"flip": 0.0, "allow_missing": True} | changes
    return test_video.staged_config(root, **changes)


def whole(batch):
    """By clip, whether all of the truth's box is seen: 0.3 wide, half as high."""
    boxes = batch["actor_box"]
    sides = boxes[..., 2:] - boxes[..., :2]
    # In the rgb frame 64 x 48 pixels, in the infrared one 40 x 30.
    return np.isclose(sides[..., 0] / sides[..., 1], 4 / 3, rtol=0.06).all(axis=1)


def test_bodies_are_whole_in_every_crop_of_both_videos(root):
    held = config(root, hold_bodies=True, truth=True)
    loose = config(root, truth=True)
    seen = take(train_batches(held, VIDEOS, 4, seed=0), 6)
    assert all(whole(batch).all() for batch in seen)
    tops = np.concatenate([batch["actor_box"][:, 0, 0] for batch in seen])
    assert np.ptp(tops) > 0.1  # they lie here and there
    cut = [whole(batch).mean() for batch in take(train_batches(loose, VIDEOS, 4, 0), 6)]
    assert np.mean(cut) < 0.5  # so that it is no accident
    # The joints of the report lie where the crops are.
    inputs = VIDEOS | BODIES
    batch = next(eval_batches(held, inputs, "test", 4))
    assert whole(batch).all()
    joints = batch["joints_seen"][:, :, 0]
    corners = np.concatenate([joints.min(2), joints.max(2)], -1)[..., [1, 0, 3, 2]]
    np.testing.assert_allclose(corners, batch["actor_box"], atol=0.03)
    assert not whole(next(eval_batches(loose, inputs, "test", 4))).any()


def test_training_batches_say_where_the_joints_are_in_crop_and_mirror(root):
    inputs = VIDEOS | BODIES
    held = config(root, hold_bodies=True, truth=True, joints_seen=True, flip=0.5)
    batches = take(train_batches(held, inputs, 4, seed=0), 6)
    left, right = 1, 2
    flips = set()
    for batch in batches:
        joints = batch["joints_seen"][:, :, 0]
        corners = np.concatenate([joints.min(2), joints.max(2)], -1)[..., [1, 0, 3, 2]]
        np.testing.assert_allclose(corners, batch["actor_box"], atol=0.03)
        # Whose hand is the left one is said alike by both.
        apart = joints[:, :, left, 0] - joints[:, :, right, 0]
        body = (
            batch["skeleton"][:, 0, :, left, 0] - batch["skeleton"][:, 0, :, right, 0]
        )
        assert (np.sign(apart.mean(1)) == np.sign(body.mean(1))).all()
        flips |= set((joints[:, :, 0, 0].mean(1) > 0.5).tolist())
    assert flips == {True, False}


def test_joints_are_seen_by_a_model_of_both_alone(root):
    asked = config(root, joints_seen=True)
    for inputs in (VIDEOS, BODIES):
        with pytest.raises(DataConfigError, match="joints_seen is True.*Set it to"):
            next(train_batches(asked, inputs, 4, seed=0))
    with pytest.raises(DataConfigError, match="joints do not move with the pixels"):
        drawn = config(root, joints_seen=True, rand_ops=1)
        next(train_batches(drawn, VIDEOS | BODIES, 4, seed=0))


def test_a_clip_without_a_skeleton_is_cropped_as_ever(root):
    batches = [
        list(eval_batches(config(root, hold_bodies=held), VIDEOS, "test", 4))[1]
        for held in (True, False)
    ]
    assert batches[0]["mask"].tolist() == [True, False, False, False]
    for name in VIDEOS:
        np.testing.assert_array_equal(*(batch[name][0] for batch in batches))


def test_it_is_refused_where_no_lens_is_known(tmp_path, capsys):
    tiny.write(tmp_path, [tiny.clip(i) for i in range(4)], 2)
    asked = tiny.config(tmp_path, hold_bodies=True)
    with pytest.raises(DataConfigError, match="hold_bodies is True.*--streams"):
        next(eval_batches(asked, {"rgb": spec(3, 16, 16, 3)}, "test", 2))
    own_clip.Facts.of(asked, 3, ["a", "b", "c"])
    assert "centre crops are looked at" in capsys.readouterr().out
