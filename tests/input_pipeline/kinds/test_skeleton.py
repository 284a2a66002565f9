"""Skeletons in batches: the videos' moment, mirrored with them, the same every time."""

import json

import numpy as np
import pytest

from input_pipeline import records
from input_pipeline.config import DataConfigError
from input_pipeline.pipeline import dataset_facts, eval_batches, train_batches
from tests.input_pipeline import tiny
from tests.input_pipeline.test_pipeline import same, spec, take

FRAMES = 240
BODY = spec(2, 8, tiny.JOINTS, 3, dtype=np.float32)
SKELETON = {"skeleton": BODY}
BOTH = {"rgb": spec(8, 16, 18, 3), "skeleton": BODY}
# Of a lens in the middle of the image, focal length 1 and 1.5 of its sides.
LENS = [[1.0, 0.0, 0.5, 0.0], [0.0, -1.5, 0.5, 0.0]]


def clip(i: int) -> records.Record:
    """240 frames as bright as the time; z grows with it, the left hand is at x = -1."""
    time = (np.arange(FRAMES) + 0.5) / FRAMES
    frames = [tiny.jpeg(np.full((20, 26, 3), round(240 * at), np.uint8)) for at in time]
    points = np.zeros((1, FRAMES, tiny.JOINTS, 3), np.float32)
    points[..., 2] = 1 + time[:, None]
    points[..., 1:, 0] = [-1, 1, -0.5, 0.5]
    points[..., 3:, 1] = -1
    return records.Record(
        name=f"clip{i}",
        label=i % 3,
        streams={
            "rgb": records.Video(frames, 20, 26),
            "skeleton": records.Skeleton(points, np.ones(points.shape[:3], bool)),
        },
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    folder = tiny.write(path, [clip(i) for i in range(6)], 2)
    info = json.loads((folder / "dataset.json").read_text())
    info["streams"]["skeleton"]["lenses"] = {"-1": {"rgb": LENS}}  # no camera's name
    (folder / "dataset.json").write_text(json.dumps(info))
    return path


def config(root, **changes):
    return tiny.config(root, **({"resize_min": 20, "resize_max": 20} | changes))


def moments(batch: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Times of the frames of video and skeleton [b t], as fractions of the clip."""
    video = batch["rgb"].mean(axis=(2, 3, 4)) / 240
    return video, batch["skeleton"][:, 0, :, 0, 2] - 1


def test_training_shows_the_same_random_part_of_both_streams(root):
    batches = take(train_batches(config(root), BOTH, 4, seed=0), 8)
    pairs = [moments(batch) for batch in batches]
    video, body = (np.concatenate(part) for part in zip(*pairs, strict=True))
    steps = np.diff(body, axis=1)
    np.testing.assert_allclose(steps, steps[:, :1].repeat(7, 1), atol=1e-5)
    lengths = steps[:, 0] * 8
    assert 0.5 <= lengths.min() < 0.6 and 0.9 < lengths.max() <= 1
    starts = body[:, 0] - steps[:, 0] / 2
    assert starts.min() < 0.1 and starts.max() > 0.25
    # The video draws one moment in each of the same eight segments.
    assert (np.abs(video - body) <= lengths[:, None] / 16 + 0.01).all()


def test_streams_that_share_no_time_are_cut_apart(root):
    apart = config(root, shared_time=False)
    batches = take(train_batches(apart, BOTH, 4, seed=0), 4)
    video, body = moments(batches[0])
    # The video is of the whole clip, one frame in each eighth of it.
    assert (np.floor(video * 8 - 1e-3).clip(0) == np.arange(8)).mean() > 0.9
    assert np.abs(video - body).max() > 0.1


def test_evaluation_shows_the_centre(root):
    batch = next(eval_batches(config(root), BOTH, "test", 2))
    video, body = moments(batch)
    want = 0.05 + 0.9 * (np.arange(8) + 0.5) / 8
    np.testing.assert_allclose(body, [want] * 2, atol=1e-5)
    np.testing.assert_allclose(video, [want] * 2, atol=0.01)
    whole = config(root, test_skeleton_crop=1.0)
    _, body = moments(next(eval_batches(whole, BOTH, "test", 2)))
    np.testing.assert_allclose(body[0], (np.arange(8) + 0.5) / 8, atol=1e-5)


def test_models_without_skeletons_see_the_whole_clip(root):
    inputs = {"rgb": BOTH["rgb"]}
    batch = next(eval_batches(config(root), inputs, "test", 1))
    video = batch["rgb"].mean(axis=(2, 3, 4))[0] / 240
    np.testing.assert_allclose(video, (np.arange(8) + 0.5) / 8, atol=0.01)


def test_views_are_moments_inside_the_segments(root):
    two = config(root, eval_views_time=2, eval_views_space=3)
    batch = next(eval_batches(two, BOTH, "test", 1))
    assert batch["skeleton"].shape == (1, 6, 2, 8, tiny.JOINTS, 3)
    body = batch["skeleton"][0, :, 0, :, 0, 2] - 1
    video = batch["rgb"][0].mean(axis=(2, 3, 4)) / 240
    np.testing.assert_allclose(video, body, atol=0.01)
    assert (body[:3] == body[0]).all() and (body[3:] == body[3]).all()
    np.testing.assert_allclose(body[3] - body[0], 0.9 / 16, atol=1e-5)


def test_flip_swaps_the_sides_of_a_body(root):
    # This body is symmetric: mirrored, and its sides swapped, it is itself again.
    plain, flipped = (
        next(train_batches(config(root, flip=flip), SKELETON, 4, seed=0))
        for flip in (0.0, 1.0)
    )
    assert (plain["skeleton"][:, 0, :, 1, 0] == -1).all()
    np.testing.assert_array_equal(plain["skeleton"], flipped["skeleton"])


def test_turned_bodies_keep_their_shape(root):
    plain, turned = (
        next(train_batches(config(root, flip=0.0, skeleton_turn=turn), SKELETON, 4, 0))
        for turn in (0.0, 40.0)
    )
    for one, other in zip(plain["skeleton"], turned["skeleton"], strict=True):
        np.testing.assert_array_equal(one[..., 1], other[..., 1])
        lengths = [np.linalg.norm(x, axis=-1) for x in (one, other)]
        np.testing.assert_allclose(*lengths, rtol=1e-5)
        angle = np.arctan2(other[0, 0, 0, 0], other[0, 0, 0, 2])
        assert 0 < abs(angle) <= np.deg2rad(40)
    evaluated = [
        next(eval_batches(config(root, skeleton_turn=turn), SKELETON, "test", 2))
        for turn in (0.0, 40.0)
    ]
    assert same(*evaluated)


def test_flip_is_the_videos_flip(tmp_path):
    """A body that leans to the left, in a frame that is bright on the left."""
    frame = np.zeros((20, 26, 3), np.uint8)
    frame[:, :13] = 240
    points = np.ones((1, 9, tiny.JOINTS, 3), np.float32)
    points[..., 0] = [-5, -4, -3, -2, -1]
    clips = [
        records.Record(
            f"clip{i}",
            0,
            streams={
                "rgb": records.Video([tiny.jpeg(frame)] * 9, 20, 26),
                "skeleton": records.Skeleton(points, np.ones(points.shape[:3], bool)),
            },
        )
        for i in range(8)
    ]
    tiny.write(tmp_path, clips, 1)
    inputs = {"rgb": spec(3, 18, 20, 3), "skeleton": BODY}
    batches = take(train_batches(config(tmp_path, resize_max=22), inputs, 7, seed=0), 4)
    flips = set()
    for batch in batches:
        for video, body in zip(batch["rgb"], batch["skeleton"], strict=True):
            flipped = video[:, :, -4:].mean() > video[:, :, :4].mean()
            flips.add(bool(flipped))
            want = [5, 3, 4, 1, 2] if flipped else [-5, -4, -3, -2, -1]
            assert body[0, 0, :, 0].tolist() == want
            assert (body[0, ..., 1:] == 1).all()
    assert flips == {True, False}


def test_batches_are_functions_of_their_number(root):
    iterated = take(train_batches(config(root), BOTH, 3, seed=5), 6)
    resumed = take(train_batches(config(root), BOTH, 3, seed=5, start_step=3), 3)
    for pair in zip(iterated[3:], resumed, strict=True):
        assert same(*pair)
    alone = take(train_batches(config(root), SKELETON, 3, seed=5), 2)
    for one, other in zip(iterated, alone, strict=False):
        # The part of the clip does not depend on which other streams are read.
        np.testing.assert_array_equal(one["skeleton"], other["skeleton"])


def test_joints_are_where_the_frames_show_them(root):
    batch = next(eval_batches(config(root), BOTH, "test", 2))
    seen = batch["joints_seen"]
    assert seen.shape == (2, 8, 2, tiny.JOINTS, 2)
    # The crop is rows 2 to 18 and columns 4 to 22 of 20 x 26 pixels.
    _, body = moments(batch)
    depth = 1 + body[0]
    np.testing.assert_allclose(
        seen[0, :, 0, 3, 0], (26 * (0.5 - 0.5 / depth) - 4) / 18, atol=5e-3
    )
    np.testing.assert_allclose(
        seen[0, :, 0, 3, 1], (20 * (0.5 + 1.5 / depth) - 2) / 16, atol=5e-3
    )
    assert np.isnan(seen[:, :, 1]).all()
    assert "joints_seen" not in next(train_batches(config(root), BOTH, 2, seed=0))
    assert "joints_seen" not in next(eval_batches(config(root), SKELETON, "test", 2))


def test_facts_name_the_bones(root):
    assert dataset_facts(config(root)).bones == ((0, 1), (0, 2), (0, 3), (0, 4))


def test_unknown_layouts_cannot_be_flipped(tmp_path):
    folder = tiny.write(tmp_path, [clip(i) for i in range(4)], 1)
    info = json.loads((folder / "dataset.json").read_text())
    info["streams"]["skeleton"] = {"joints": tiny.JOINTS, "layout": ""}
    (folder / "dataset.json").write_text(json.dumps(info))
    with pytest.raises(DataConfigError, match="which of the 5 joints .* --layout"):
        train_batches(config(tmp_path), SKELETON, 2, seed=0)
    assert next(train_batches(config(tmp_path, flip=0.0), SKELETON, 2, seed=0))
    assert next(eval_batches(config(tmp_path), SKELETON, "test", 1))


@pytest.mark.parametrize(
    "changes",
    [
        {"skeleton_crop_min": 0.0},
        {"skeleton_crop_min": 1.1},
        {"test_skeleton_crop": 0},
        {"skeleton_turn": -1.0},
    ],
)
def test_values_that_cannot_be_are_refused(root, changes):
    with pytest.raises(DataConfigError, match=f"{next(iter(changes))}.* must be "):
        train_batches(config(root, **changes), SKELETON, 2, seed=0)
