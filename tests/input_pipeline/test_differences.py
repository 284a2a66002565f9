"""The stream rgb_diff: differences of the very frames that the stream rgb shows."""

import itertools
import types

import numpy as np
import pytest
import tensorflow as tf

from input_pipeline import differences, own_clip, pipeline, records
from input_pipeline.dataset import DatasetError
from tests.input_pipeline import raw, tiny

FRAMES, SHORT, SEGMENTS = 11, 4, 3
SIZE = (16, 18)


def spec(*shape, dtype=np.uint8):
    return types.SimpleNamespace(shape=shape, dtype=dtype)


def rgb(frames):
    return spec(frames, *SIZE, 3)


def rgb_diff(frames):
    return spec(frames, *SIZE, 15, dtype=np.int16)


def clip(number, frames):
    """Frames that differ everywhere, so that no other crop or frame can pass."""
    random = np.random.default_rng(number)
    coarse = random.integers(0, 256, (frames, 5, 7, 3)).astype(np.uint8)
    images = tf.image.resize(coarse, tiny.RGB).numpy().astype(np.uint8)
    video = records.Video([tiny.jpeg(image) for image in images], *tiny.RGB)
    video.actor_visible = np.arange(frames) % 2 == 1
    video.actor_box = np.tile(np.float32([0.25, 0.5, 0.75, 1.0]), (frames, 1))
    return records.Record(
        name=f"clip{number}", label=number % 3, streams={"rgb": video}
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    lengths = (FRAMES, FRAMES, FRAMES, FRAMES, SHORT)
    clips = [clip(number, frames) for number, frames in enumerate(lengths)]
    tiny.write(path, clips, test=2, truth=True)
    return path


def evaluation(root, inputs, **changes):
    config = tiny.config(root, **changes)
    return next(pipeline.eval_batches(config, inputs, "test", 2))


def training(root, inputs, steps=4, **changes):
    config = tiny.config(root, **changes)
    batches = pipeline.train_batches(config, inputs, 3, seed=5)
    parts = list(itertools.islice(batches, steps))
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def of_frames(frames, start):
    """Differences of six uint8 frames [n h w 3], five times three channels."""
    six = frames[start : start + 6].astype(np.int16)
    return np.concatenate([six[k + 1] - six[k] for k in range(5)], axis=-1)


def test_frames_by_hand():
    indices = differences.frame_indices(tf.constant([0, 3, 9], tf.int64), np.int64(10))
    expected = [[0, 1, 2, 3, 4, 5], [3, 4, 5, 6, 7, 8], [4, 5, 6, 7, 8, 9]]
    np.testing.assert_array_equal(np.reshape(indices, (3, 6)), expected)
    indices = differences.frame_indices(tf.constant([0, 2], tf.int64), np.int64(3))
    np.testing.assert_array_equal(np.reshape(indices, (2, 6)), [[0, 1, 2, 2, 2, 2]] * 2)


def test_differences_by_hand():
    """The red of the frames is 0, 255, 5, 5, 6, 0; green and blue are constant."""
    frames = np.zeros((12, 1, 2, 3), np.uint8)
    frames[..., 1:] = (7, 9)
    frames[6:, 0, 1, 0] = (0, 255, 5, 5, 6, 0)
    result = differences.subtract(tf.constant(frames)).numpy()
    assert result.shape == (2, 1, 2, 15) and result.dtype == np.int16
    assert result[1, 0, 1, ::3].tolist() == [255, -250, 0, 1, -6]
    assert not result[0].any() and not result[1, 0, 0].any()
    assert not result[1, 0, 1, 1::3].any() and not result[1, 0, 1, 2::3].any()


@pytest.mark.parametrize("batches", [evaluation, training])
def test_equal_to_the_differences_of_the_same_augmented_frames(root, batches):
    """With as many segments as frames, the stream rgb shows every frame once."""
    both = batches(root, {"rgb": rgb(FRAMES), "rgb_diff": rgb_diff(FRAMES)})
    assert both["rgb_diff"].dtype == np.int16
    rows = np.flatnonzero(both["id"] < 4)  # the short clip repeats frames
    assert len(rows) and np.abs(both["rgb_diff"]).max() > 50
    for row, index in itertools.product(rows, range(FRAMES)):
        expected = of_frames(both["rgb"][row], min(index, FRAMES - 6))
        np.testing.assert_array_equal(both["rgb_diff"][row, index], expected)


@pytest.mark.parametrize("batches", [evaluation, training])
def test_begin_at_the_frame_that_rgb_shows(root, batches):
    every = batches(root, {"rgb": rgb(FRAMES)})["rgb"]
    inputs = {"rgb": rgb(SEGMENTS), "rgb_diff": rgb_diff(SEGMENTS)}
    both = batches(root, inputs)
    rows = np.flatnonzero(both["id"] < 4)
    starts = set()
    for row, segment in itertools.product(rows, range(SEGMENTS)):
        equal = (every[row] == both["rgb"][row, segment]).all(axis=(1, 2, 3))
        (index,) = np.flatnonzero(equal)
        starts.add(min(index, FRAMES - 6))
        expected = of_frames(every[row], min(index, FRAMES - 6))
        np.testing.assert_array_equal(both["rgb_diff"][row, segment], expected)
    assert len(starts) > 1
    alone = batches(root, {"rgb_diff": rgb_diff(SEGMENTS)})
    np.testing.assert_array_equal(alone["rgb_diff"], both["rgb_diff"])


def test_one_sensor_agrees_where_streams_do_not_share(root):
    apart = dict(shared_time=False, shared_crop=False, shared_flip=False)
    inputs = {"rgb": rgb(FRAMES), "rgb_diff": rgb_diff(FRAMES)}
    both = training(root, inputs, steps=1, **apart)
    for row in range(3):
        expected = of_frames(both["rgb"][row], 2)
        np.testing.assert_array_equal(both["rgb_diff"][row, 2], expected)


def test_a_short_clip_stands_still_after_its_end(root):
    both = evaluation(root, {"rgb": rgb(SHORT), "rgb_diff": rgb_diff(2)})
    (row,) = np.flatnonzero(both["id"] == 4)
    frames = both["rgb"][row].astype(np.int16)
    moving = np.concatenate([frames[k + 1] - frames[k] for k in range(3)], axis=-1)
    for segment in both["rgb_diff"][row]:
        np.testing.assert_array_equal(segment[..., :9], moving)
        assert not segment[..., 9:].any()


def test_views_and_truth(root):
    inputs = {"rgb": rgb(SEGMENTS), "rgb_diff": rgb_diff(SEGMENTS)}
    batch = evaluation(root, inputs, eval_views_time=2, eval_views_space=3)
    assert batch["rgb_diff"].shape == (2, 6, SEGMENTS, *SIZE, 15)
    assert batch["actor_box"].shape == (2, 2 * SEGMENTS, 4)
    halves = np.split(batch["actor_visible"], 2, axis=1)
    np.testing.assert_array_equal(*halves)  # both streams show the same moments


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (spec(3, *SIZE, 15), "wants the stream 'rgb_diff' as uint8"),
        (spec(3, *SIZE, 18, dtype=np.int16), r"gives int16 \(frames, height, width"),
    ],
)
def test_another_form_is_refused(root, wanted, message):
    with pytest.raises(DatasetError, match=message):
        evaluation(root, {"rgb_diff": wanted})


def test_a_data_set_without_rgb_is_refused(tmp_path):
    infrared = records.Record(
        name="a", label=0, streams={"ir": tiny.video("ir", tiny.IR, 0)}
    )
    tiny.write(tmp_path, [infrared], test=1, shards=1)
    with pytest.raises(DatasetError, match="'rgb_diff', which is made from 'rgb'"):
        evaluation(tmp_path, {"rgb_diff": rgb_diff(3)})


def test_a_persons_own_clip(root, tmp_path):
    """A grey that rises by 10 a frame."""
    frames = np.repeat(np.arange(9, dtype=np.uint8) * 10, 24 * 32 * 3)
    path = raw.write_video(tmp_path / "clip.avi", frames.reshape(9, 24, 32, 3))
    inputs = {"rgb_diff": rgb_diff(SEGMENTS)}
    clip = own_clip.read_clip({"rgb": path}, tiny.config(root), inputs)
    assert clip["rgb_diff"].shape == (SEGMENTS, *SIZE, 15)
    np.testing.assert_allclose(clip["rgb_diff"], 10, atol=2)
