"""Windows of a clip, corner crops, and views that come one part after another."""

import types

import numpy as np
import pytest
import tensorflow as tf

from input_pipeline import ops, sampling
from input_pipeline.config import DataConfigError
from input_pipeline.pipeline import eval_batches, train_batches
from tests.input_pipeline import tiny

CLIPS, TEST = 7, 5


def spec(*shape, dtype=np.uint8):
    return types.SimpleNamespace(shape=shape, dtype=dtype)


INPUTS = {"rgb": spec(4, 16, 18, 3), "ir": spec(4, 16, 18, 1)}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    tiny.write(path, [tiny.clip(i) for i in range(CLIPS)], TEST)
    return path


def frames_of(video):
    """The frames' numbers, by their grey value (see `tiny.video`)."""
    return video.reshape(*video.shape[:-3], -1).mean(-1) // 10


def test_a_window_by_hand():
    # 100 frames, a window of 64 in 32 segments: middles are 1, 3, ... of the window.
    ticks = sampling.view_ticks(32)[0]
    index = sampling.frame_indices(ticks, 64, 32)
    assert index.tolist() == list(range(1, 64, 2))
    starts = [sampling.window_start(100, 64, j, 9) for j in range(10)]
    assert starts == [0, 4, 8, 12, 16, 20, 24, 28, 32, 36]
    assert sampling.window_start(100, 64, 1, 2) == 18
    assert sampling.window_start(64, 64, 1, 2) == 0


def test_evaluation_windows_go_from_start_to_end(root):
    one = next(eval_batches(tiny.config(root, window=8), INPUTS, "test", 1))
    assert frames_of(one["rgb"][0]).tolist() == [3, 5, 7, 9]  # 2 + 1 3 5 7, of 13
    # 7 infrared frames are fewer than the window: the whole clip.
    assert frames_of(one["ir"][0]).tolist() == [0, 2, 4, 6]
    config = tiny.config(root, window=8, eval_views_time=3)
    three = next(eval_batches(config, INPUTS, "test", 1))
    starts = np.array([0, 2, 5])[:, None]
    assert frames_of(three["rgb"][0]).tolist() == (starts + [1, 3, 5, 7]).tolist()


def test_training_windows_lie_anywhere(root):
    config = tiny.config(root, window=4, flip=0.0)
    batches = train_batches(config, {"rgb": INPUTS["rgb"]}, 2, seed=3)
    starts = set()
    for _ in range(60):
        for clip in next(batches)["rgb"]:
            frames = frames_of(clip)
            assert np.all(np.diff(frames) == 1)  # 4 of 4 frames, in order
            starts.add(int(frames[0]))
    assert starts == set(range(10))  # of 13 frames


def test_corner_crops_by_hand():
    frame = tf.constant(100), tf.constant(200)
    seen = set()
    for number in range(200):
        seed = tf.constant([7, number], tf.int64)
        place = ops.random_corner(seed, (1.0, 0.5), 20)
        part = ops.window(*frame, place, (20, 20)).numpy().tolist()
        seen.add(tuple(part))
    corners = {(y, x, 50, 50) for y in (0, 50) for x in (0, 150)}
    centre = {(25, 75, 50, 50)}
    whole = {(0, 0, 100, 100), (0, 100, 100, 100), (0, 50, 100, 100)}
    assert seen == corners | centre | whole


def test_corner_crops_are_cut_in_training(root):
    config = tiny.config(root, crop="corners", crop_scales=(1.0, 0.8))
    batch = next(train_batches(config, INPUTS, 2, seed=0))
    assert batch["rgb"].shape == (2, 4, 16, 18, 3)
    assert batch["ir"].shape == (2, 4, 16, 18, 1)


def test_parts_of_the_views_are_all_of_the_views(root):
    views = dict(eval_views_time=2, eval_views_space=3, window=8)
    whole = list(eval_batches(tiny.config(root, **views), INPUTS, "test", 2))
    config = tiny.config(root, **views, eval_views_at_once=2)
    parts = list(eval_batches(config, INPUTS, "test", 2))
    assert len(parts) == 3 * len(whole) == 9
    for number, batch in enumerate(whole):
        three = parts[3 * number : 3 * number + 3]
        for part, at in zip(three, (0, 2, 4), strict=True):
            assert part["view"].tolist() == [at, at]
            np.testing.assert_array_equal(part["id"], batch["id"])
            np.testing.assert_array_equal(part["mask"], batch["mask"])
            assert part["rgb"].shape == (2, 2, 4, 16, 18, 3)
        for stream in INPUTS:
            together = np.concatenate([part[stream] for part in three], axis=1)
            np.testing.assert_array_equal(together, batch[stream])


def test_one_view_at_a_time_keeps_no_axis(root):
    config = tiny.config(root, eval_views_space=3, eval_views_at_once=1)
    batches = list(eval_batches(config, INPUTS, "test", 5))
    assert [batch["view"][0] for batch in batches] == [0, 1, 2]
    assert batches[0]["rgb"].shape == (5, 4, 16, 18, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(eval_views_at_once=2), "must divide the number of views"),
        (dict(crop="corner"), 'crop must be "random" or "corners"'),
        (dict(crop="corners", crop_scales=(1.2,)), "crop_scales above 0, at most 1"),
        (dict(window=-1), "window must not be negative"),
    ],
)
def test_values_that_cannot_be_used(root, changes, message):
    with pytest.raises(DataConfigError, match=message):
        eval_batches(tiny.config(root, **changes), INPUTS, "test", 2)


def test_a_window_is_not_for_skeletons(root):
    inputs = INPUTS | {"skeleton": spec(2, 4, tiny.JOINTS, 3, dtype=np.float32)}
    with pytest.raises(DataConfigError, match="Set data.window to 0"):
        eval_batches(tiny.config(root, window=8), inputs, "test", 2)
