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
    # The 7 infrared frames show the same moments: 3 / 13, 5 / 13, ... of the clip.
    assert frames_of(one["ir"][0]).tolist() == [1, 2, 3, 4]
    alone = next(
        eval_batches(tiny.config(root, window=8), {"ir": INPUTS["ir"]}, "test", 1)
    )
    # They are fewer than the window, so that it is the whole clip.
    assert frames_of(alone["ir"][0]).tolist() == [0, 2, 4, 6]
    own = tiny.config(root, window=8, shared_time=False)
    own = next(eval_batches(own, INPUTS, "test", 1))
    assert frames_of(own["ir"][0]).tolist() == [0, 2, 4, 6]
    config = tiny.config(root, window=8, eval_views_time=3)
    three = next(eval_batches(config, INPUTS, "test", 1))
    starts = np.array([0, 2, 5])[:, None]
    assert frames_of(three["rgb"][0]).tolist() == (starts + [1, 3, 5, 7]).tolist()


@pytest.mark.parametrize(
    ("times", "frames"),
    [
        ([], [1, 2]),
        ([0, 25, 50, 75, 100], [1, 2]),
        # From 25 to 75: the moments are 37 and 62.
        ([0, 10, 20, 90, 100], [2, 2]),
        ([0, 30, 35, 40, 100], [2, 3]),
    ],
)
def test_a_window_is_a_part_of_the_time(times, frames):
    """The middle two of four frames, in two segments."""
    ticks, times = sampling.view_ticks(2)[0], tf.constant(times, tf.int64)
    found = sampling.window_indices(ticks, (1, 2, 4), 4, times, 2)
    assert found.numpy().tolist() == frames
    # Of eight frames of the same time it is the middle four.
    nothing = tf.constant([], tf.int64)
    found = sampling.window_indices(ticks, (1, 2, 4), 8, nothing, 2)
    assert found.numpy().tolist() == [3, 5]


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


def test_corner_crops_lie_in_thirteen_places():
    frame = tf.constant(96), tf.constant(200)  # free: 48 and 152, quarters 12 and 38
    seen = set()
    for number in range(150):
        seed = tf.constant([7, number], tf.int64)
        place = ops.random_corner(seed, (0.5,), 1)
        seen.add(tuple(ops.window(*frame, place, (20, 30)).numpy().tolist()))
    corners = {(0, 0), (0, 152), (48, 0), (48, 152), (24, 76)}
    edges = {(24, 0), (24, 152), (48, 76), (0, 76)}
    between = {(12, 38), (12, 114), (36, 38), (36, 114)}
    assert seen == {(*at, 48, 48) for at in corners | edges | between}


@pytest.mark.parametrize(
    ("distort", "pairs"),
    [
        (0, {(96, 96), (72, 72), (48, 48)}),
        (1, {(96, 96), (96, 72), (72, 96), (72, 72), (72, 48), (48, 72), (48, 48)}),
        (2, {(h, w) for h in (96, 72, 48) for w in (96, 72, 48)}),
    ],
)
def test_corner_crops_have_neighbouring_scales(distort, pairs):
    frame = tf.constant(200), tf.constant(96)
    seen = set()
    for number in range(60):
        seed = tf.constant([7, number], tf.int64)
        place = ops.random_corner(seed, (1.0, 0.75, 0.5), distort)
        seen.add(tuple(ops.window(*frame, place, (20, 30)).numpy().tolist()[2:]))
    assert seen == pairs


def test_corner_crops_are_cut_in_training(tmp_path):
    """Frames of noise, so that a window of them tells where it was cut."""
    noise = np.random.default_rng(0).integers(0, 256, (46, 46, 3), np.uint8)
    landscape, portrait = noise[:34], noise[:, :34, :1]
    clips = [tiny.clip(i) for i in range(2)]
    for record in clips:
        rgb, ir = (tiny.jpeg(image) for image in (landscape, portrait))
        record.streams["rgb"].frames = [rgb] * len(record.streams["rgb"].frames)
        record.streams["ir"].frames = [ir] * len(record.streams["ir"].frames)
        record.streams["rgb"].height, record.streams["rgb"].width = 34, 46
        record.streams["ir"].height, record.streams["ir"].width = 46, 34
    tiny.write(tmp_path, clips, 1)
    landscape = tf.io.decode_jpeg(rgb, dct_method="INTEGER_ACCURATE").numpy()
    portrait = tf.io.decode_jpeg(ir, dct_method="INTEGER_ACCURATE").numpy()
    # Half of 34 pixels is the model's size: what is cut is not resized. Of the free 17
    # and 29 pixels the places are rounded quarters.
    short, long = (0, 4, 8, 13, 17), (0, 7, 14, 22, 29)

    def places(image, pixels, ys, xs):
        return {
            (i, j)
            for i, y in enumerate(ys)
            for j, x in enumerate(xs)
            if np.array_equal(pixels, image[y : y + 17, x : x + 17])
        }

    config = tiny.config(tmp_path, crop="corners", crop_scales=(0.5,), flip=0.0)
    inputs = {"rgb": spec(2, 17, 17, 3), "ir": spec(2, 17, 17, 1)}
    batches = train_batches(config, inputs, 1, seed=3)
    seen = set()
    for _ in range(80):
        batch = next(batches)
        np.testing.assert_array_equal(batch["rgb"][0, 0], batch["rgb"][0, 1])
        (place,) = places(landscape, batch["rgb"][0, 0], short, long)
        assert places(portrait, batch["ir"][0, 0], long, short) == {place}
        seen.add(place)
    assert seen == set(ops.CORNERS)


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
        (dict(crop="corner"), "crop is 'corner'; choose one of random, corners"),
        (
            dict(crop="corners", crop_scales=(1.2,)),
            "crop_scales is .*; they must be above 0 and at most 1",
        ),
        (dict(crop_distort=-1), "crop_distort is .*; it must not be negative"),
        (dict(window=-1), "window is .*; it must not be negative"),
    ],
)
def test_values_that_cannot_be_used(root, changes, message):
    with pytest.raises(DataConfigError, match=message):
        eval_batches(tiny.config(root, **changes), INPUTS, "test", 2)


def test_a_window_is_not_for_skeletons(root):
    inputs = INPUTS | {"skeleton": spec(2, 4, tiny.JOINTS, 3, dtype=np.float32)}
    with pytest.raises(DataConfigError, match="Set data.window to 0"):
        eval_batches(tiny.config(root, window=8), inputs, "test", 2)
