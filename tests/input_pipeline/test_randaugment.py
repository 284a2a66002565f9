"""RandAugment and erasing: PIL's values, and one draw for all frames and all videos."""

import dataclasses

import jax
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from input_pipeline import randaugment
from input_pipeline.config import DataConfigError
from input_pipeline.pipeline import eval_batches, train_batches
from tests.input_pipeline import tiny

PICTURE = np.random.default_rng(0).integers(30, 200, (19, 23, 3), np.uint8)
SEEDS = [tf.constant([5, i], tf.int64) for i in range(2)]


def changed(name, level):
    x = tf.constant(PICTURE[None], tf.float32)
    y = randaugment.VALUES[name](x, tf.constant(level))
    return np.round(np.clip(y.numpy()[0], 0, 255)).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "level", "pil"),
    [
        ("brightness", 0.5, lambda x: ImageEnhance.Brightness(x).enhance(1.45)),
        ("contrast", -0.5, lambda x: ImageEnhance.Contrast(x).enhance(0.55)),
        ("colour", 1.0, lambda x: ImageEnhance.Color(x).enhance(1.9)),
        ("autocontrast", 0.3, ImageOps.autocontrast),
        ("equalize", 0.3, ImageOps.equalize),
        ("posterize", -0.75, lambda x: ImageOps.posterize(x, 5)),
        ("solarize", 0.5, lambda x: ImageOps.solarize(x, 128)),
        ("identity", 1.0, lambda x: x),
    ],
)
def test_values_are_pil_s(name, level, pil):
    expected = np.asarray(pil(Image.fromarray(PICTURE)))
    difference = np.abs(changed(name, level).astype(int) - expected)
    assert difference.max() <= 2  # PIL cuts fractions off, and rounds its grey


def test_sharpness_is_pil_s_away_from_the_border():
    expected = np.asarray(
        ImageEnhance.Sharpness(Image.fromarray(PICTURE)).enhance(1.45)
    )
    difference = changed("sharpness", 0.5).astype(int) - expected
    assert np.abs(difference[1:-1, 1:-1]).max() <= 1


@pytest.mark.parametrize(
    ("name", "amount", "source"),
    [
        ("translate_x", 0.5, lambda x, y: (x + 0.5 * 0.45 * 20, y)),
        ("translate_y", -1.0, lambda x, y: (x, y - 0.45 * 20)),
        ("shear_x", 1.0, lambda x, y: (x + 0.3 * (y - 9.5), y)),
        ("shear_y", -1.0, lambda x, y: (x, y - 0.3 * (x - 9.5))),
        ("rotate", 1.0, lambda x, y: turned(x, y, np.pi / 6)),
    ],
)
def test_pixels_come_from_where_the_equation_says(name, amount, source):
    """A plane of brightness 4 x + 3 y is a plane again, wherever it is shown."""
    y, x = np.mgrid[:20, :20].astype(np.float32)
    frames = np.round(4 * x + 3 * y)[None, :, :, None].astype(np.uint8)
    moved = randaugment.move(tf.constant(frames), name, amount).numpy()[0, :, :, 0]
    sx, sy = source(x, y)
    inside = (sx >= 0) & (sx <= 19) & (sy >= 0) & (sy <= 19)
    assert inside.sum() > 100
    np.testing.assert_allclose(moved[inside], (4 * sx + 3 * sy)[inside], atol=1.01)
    far = (sx < -1) | (sx > 20) | (sy < -1) | (sy > 20)
    assert (moved[far] == 128).all()


def turned(x, y, angle):
    x, y, a, b = x - 9.5, y - 9.5, np.cos(angle), np.sin(angle)
    return a * x - b * y + 9.5, b * x + a * y + 9.5


def test_distances_are_moved_by_whole_pixels_and_never_changed():
    random = np.random.default_rng(1)
    frames = tf.constant(random.choice([0, 700, 4000, 60000], (2, 9, 11, 1)), tf.uint16)
    for seed in range(12):
        own = tf.constant([seed, 1], tf.int64)
        found = randaugment.augment(frames, own, own, 1.0)
        assert found.dtype == tf.uint16
        assert {*np.unique(found)} <= {0, 700, 4000, 60000}


def test_all_frames_change_alike():
    """Frames that are equal stay equal, by whatever operation."""
    frames = tf.constant(np.repeat(PICTURE[None], 3, 0))
    seen = set()
    for number in range(24):
        seeds = [tf.constant([number, i], tf.int64) for i in range(2)]
        found = randaugment.augment(frames, *seeds, 0.7).numpy()
        assert (found == found[:1]).all()
        seen.add(found[0].tobytes())
    assert len(seen) > 10


def test_a_rectangle_is_erased_in_all_frames_at_the_same_fractions():
    large = tf.zeros([3, 40, 60, 3], tf.uint8)
    small = tf.fill([2, 20, 30, 1], tf.constant(9, tf.uint16))
    for number in range(8):
        seed = tf.constant([number, 0], tf.int64)
        big = randaugment.erase(large, seed, SEEDS[0], 1.0).numpy()
        assert (big == big[:1]).all()
        gone = (big[0] != 0).any(-1)
        less = randaugment.erase(small, seed, SEEDS[1], 1.0).numpy()[0, :, :, 0] == 0
        rows, columns = np.nonzero(less)
        assert less[
            rows.min() : rows.max() + 1, columns.min() : columns.max() + 1
        ].all()
        assert 0.01 <= less.mean() <= 0.36
        where = np.argwhere(gone)
        scale = np.array([40, 60]) / [20, 30]
        np.testing.assert_allclose(
            where.min(0) / scale, [rows.min(), columns.min()], atol=1
        )
        np.testing.assert_allclose(
            where.max(0) / scale, [rows.max(), columns.max()], atol=1
        )
        never = randaugment.erase(large, seed, SEEDS[0], 0.0).numpy()
        assert not never.any()


INPUTS = {
    "rgb": jax.ShapeDtypeStruct((4, 16, 16, 3), np.uint8),
    "ir": jax.ShapeDtypeStruct((3, 16, 16, 1), np.uint8),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    clips = [tiny.clip(i) for i in range(6)]
    for clip in clips:  # one picture, in both streams: a ramp from left to right
        for name, channels in (("rgb", 3), ("ir", 1)):
            ramp = np.linspace(20, 230, 48)[None, :, None].repeat(48, 0)
            picture = tiny.jpeg(ramp.repeat(channels, 2).astype(np.uint8))
            video = clip.streams[name]
            video.frames[:] = [picture for _ in video.frames]
            clip.streams[name] = dataclasses.replace(video, height=48, width=48)
    tiny.write(path, clips, 2)
    return path


def test_videos_of_a_clip_move_alike_and_every_epoch_otherwise(root):
    data = tiny.config(root, erase=1.0, flip=0.0, resize_min=16, resize_max=16)
    data.test_resize = 16
    batches = train_batches(data, INPUTS, 4, seed=3)
    first, second = next(batches), next(batches)
    plain = next(train_batches(dataclasses.replace(data, erase=0.0), INPUTS, 4, seed=3))
    for row in range(4):
        gone = [
            np.abs(first[name][row].astype(int) - plain[name][row]).max(axis=(0, -1))
            > 9
            for name in ("rgb", "ir")
        ]
        assert gone[0].any() and (gone[0] & gone[1]).sum() > 0.8 * gone[1].sum()
    order = [list(b["id"]) for b in (first, second)]
    again = [second["rgb"][order[1].index(i)] for i in order[0]]
    assert not np.array_equal(first["rgb"], again)
    repeated = next(train_batches(data, INPUTS, 4, seed=3))
    np.testing.assert_array_equal(repeated["rgb"], first["rgb"])


def test_rand_augment_is_a_function_of_the_seeds_in_the_pipeline(root):
    data = tiny.config(root, rand_ops=2, rand_magnitude=10.0)
    one = next(train_batches(data, INPUTS, 4, seed=3))
    host = next(train_batches(data, INPUTS, 4, seed=3, host=1, hosts=2))
    plain = next(train_batches(tiny.config(root), INPUTS, 4, seed=3))
    for name in INPUTS:
        np.testing.assert_array_equal(host[name], one[name][2:])
        assert not np.array_equal(one[name], plain[name])


def test_a_view_is_looked_at_mirrored_too(root):
    data = tiny.config(root, eval_flip=True, eval_views_time=2)
    (batch,) = eval_batches(data, INPUTS, "test", 2)
    for name in INPUTS:
        views = batch[name]
        assert views.shape[1] == 4
        np.testing.assert_array_equal(views[:, 2:], views[:, :2, :, :, ::-1])
        assert not np.array_equal(views[:, 2:], views[:, :2])
    parts = eval_batches(
        dataclasses.replace(data, eval_views_at_once=2), INPUTS, "test", 2
    )
    found = np.concatenate([part["rgb"] for part in parts], axis=1)
    np.testing.assert_array_equal(found, batch["rgb"])


def test_joints_are_mirrored_with_the_pictures(root):
    inputs = INPUTS | {
        "skeleton": jax.ShapeDtypeStruct((1, 6, tiny.JOINTS, 3), np.float32)
    }
    (batch,) = eval_batches(tiny.config(root, eval_flip=True), inputs, "test", 2)
    own, mirrored = batch["skeleton"][:, 0], batch["skeleton"][:, 1]
    swapped = own[:, :, :, tiny.LAYOUT["mirror"]] * np.array([-1, 1, 1], np.float32)
    np.testing.assert_allclose(mirrored, swapped)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"rand_ops": -1}, "data.rand_ops is -1"),
        ({"rand_magnitude": 11.0}, "must be from 0 to 10"),
        ({"erase": 1.5}, "data.erase is 1.5"),
        ({"rand_ops": 1, "truth": True}, "the truth does not move with the pixels"),
    ],
)
def test_what_cannot_be_done_is_refused(root, changes, match):
    with pytest.raises(DataConfigError, match=match):
        train_batches(tiny.config(root, **changes), INPUTS, 4, seed=0)
