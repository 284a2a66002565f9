"""Ops on one clip, eagerly, with results one can work out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from input_pipeline import ops, sampling
from input_pipeline.streams import STREAMS
from tests.input_pipeline import tiny

SEED = tf.constant([3, 5], tf.int64)


def place(short: float, y: float, x: float) -> ops.Place:
    return ops.Place(*(tf.constant(v, tf.float32) for v in (short, y, x)))


def part(height: int, width: int, where: ops.Place, size: tuple[int, int]) -> list[int]:
    window = ops.window(tf.constant(height), tf.constant(width), where, size)
    return window.numpy().tolist()


def test_window_is_what_the_crop_shows_of_the_stored_frame():
    # Short side 256 as stored: the crop's own pixels, in the middle.
    assert part(256, 456, place(256, 0.5, 0.5), (224, 224)) == [16, 116, 224, 224]
    # Short side 128 enlarged to 256: half as many pixels, at the bottom left.
    assert part(228, 128, place(256, 1, 0), (224, 224)) == [116, 0, 112, 112]
    # Streams of other sizes: the same proportions.
    assert part(100, 200, place(50, 0, 1), (20, 30)) == [0, 140, 40, 60]
    assert part(200, 400, place(50, 0, 1), (20, 30)) == [0, 280, 80, 120]


def test_decoding_a_window_is_cutting_it_out():
    image = np.random.default_rng(0).integers(0, 256, (23, 37, 3), np.uint8)
    image = np.array(tf.image.resize(image // 4 + 96, (46, 74)), np.uint8)
    whole = tf.io.decode_jpeg(tiny.jpeg(image), dct_method="INTEGER_ACCURATE").numpy()
    frames = ops.decode(
        tf.constant([tiny.jpeg(image)] * 2),
        tf.constant([8, 16, 11, 13]),
        (11, 13),
        STREAMS["rgb"],
    )
    assert frames.dtype == tf.uint8
    assert np.array_equal(frames.numpy(), [whole[8:19, 16:29]] * 2)


def test_infrared_stays_one_channel():
    jpegs = tf.constant([tiny.jpeg(np.full((16, 16, 1), 77, np.uint8))] * 3)
    frames = ops.decode(jpegs, tf.constant([0, 0, 16, 16]), (5, 7), STREAMS["ir"])
    assert frames.shape == (3, 5, 7, 1)
    assert (frames.numpy() == 77).all()


def test_resize_keeps_enlarges_and_shrinks():
    column = np.arange(0, 80, 10, dtype=np.uint8)[None, :, None, None]
    ramp = np.tile(column, (1, 1, 8, 1))
    assert np.array_equal(ops.resize(tf.constant(ramp), (8, 8)), ramp)
    # Twice as many pixels: quarter steps between the old ones, the ends repeated.
    larger = ops.resize(tf.constant(ramp), (16, 8)).numpy()[0, :, 0, 0]
    assert larger.tolist()[:6] == [0, 2, 8, 12, 18, 22]
    # Stripes of single pixels average to grey; without antialiasing they would alias.
    stripes = np.tile(np.array([0, 200], np.uint8), 12)[None, :, None, None]
    stripes = np.tile(stripes, (1, 1, 24, 1))
    smaller = ops.resize(tf.constant(stripes), (6, 6)).numpy()
    assert np.abs(smaller.astype(int) - 100).max() <= 12


def test_flip_mirrors_columns_only():
    frames = np.arange(2 * 3 * 5 * 1, dtype=np.uint8).reshape(2, 3, 5, 1)
    mirrored = ops.flip(tf.constant(frames), tf.constant(True))
    assert np.array_equal(mirrored, frames[:, :, ::-1])
    assert np.array_equal(ops.flip(tf.constant(frames), tf.constant(False)), frames)


def test_quarter_turns_are_as_many_as_are_drawn():
    frames = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3, 1)
    for quarters in range(4):
        turned = ops.turn(tf.constant(frames), tf.constant(quarters))
        np.testing.assert_array_equal(turned, np.rot90(frames, quarters, (1, 2)))
    seeds = [tf.constant([0, i], tf.int64) for i in range(100)]
    drawn = [int(ops.random_quarters(seed)) for seed in seeds]
    assert {*drawn} == {0, 1, 2, 3}
    assert min(drawn.count(i) for i in range(4)) > 10


def moved(boxes: list, visible: list, window: list[int], flipped: bool) -> tuple:
    new, seen = ops.crop_boxes(
        tf.constant(boxes, tf.float32),
        tf.constant(visible),
        (tf.constant(100), tf.constant(200)),
        tf.constant(window),
        tf.constant(flipped),
    )
    return new.numpy(), seen.numpy().tolist()


def test_boxes_go_along_with_crop_and_flip():
    # Rows 20 to 60, columns 40 to 120 of the 100 x 200 frame; the window is rows 10 to
    # 90 and columns 20 to 180: 80 x 160.
    boxes = [[0.2, 0.2, 0.6, 0.6]]
    window = [10, 20, 80, 160]
    new, seen = moved(boxes, [True], window, False)
    assert seen == [True]
    np.testing.assert_allclose(new, [[0.125, 0.125, 0.625, 0.625]], atol=1e-6)
    new, _ = moved(boxes, [True], window, True)
    np.testing.assert_allclose(new, [[0.125, 0.375, 0.625, 0.875]], atol=1e-6)


def test_boxes_are_clipped_and_vanish_outside_the_window():
    boxes = [[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.4, 0.4], [0.5, 0.5, 1.0, 1.0]]
    new, seen = moved(boxes, [True, True, False], [40, 80, 40, 80], False)
    assert seen == [True, False, False]
    np.testing.assert_allclose(new[0], [0, 0, 0.25, 0.25], atol=1e-6)
    assert not new[1:].any()


def test_draws_depend_on_every_part_of_the_seed():
    def draw(seed: int, epoch: int, example: int, op: str, stream: str) -> float:
        key = ops.example_seed(seed, tf.constant(epoch), tf.constant(example))
        drawn = ops.random_place(ops.op_seed(key, op, stream), 20, 30)
        return float(drawn.x)

    base = draw(0, 0, 0, "crop", "")
    assert base == draw(0, 0, 0, "crop", "")
    others = [
        draw(1, 0, 0, "crop", ""),
        draw(0, 1, 0, "crop", ""),
        draw(0, 0, 1, "crop", ""),
        draw(0, 0, 0, "flip", ""),
        draw(0, 0, 0, "crop", "ir"),
    ]
    assert len({base, *others}) == 6


def test_draws_never_change():
    # Frozen: a resumed run must go on with the draws it began with.
    ticks = ops.random_ticks(SEED, 3).numpy() - sampling.TICKS * np.arange(3)
    drawn = ops.random_place(SEED, 260, 320)
    assert ticks.tolist() == [549307, 407132, 489342]
    assert [float(v) for v in drawn] == pytest.approx(
        [273, 0.221803, 0.655219], abs=1e-6
    )


def test_draws_cover_their_ranges():
    seeds = [ops.op_seed(SEED, "x", str(i)) for i in range(200)]
    places = [ops.random_place(seed, 4, 6) for seed in seeds]
    assert {float(p.short) for p in places} == {4.0, 5.0, 6.0}
    assert 0.4 < np.mean([float(p.y) for p in places]) < 0.6
    assert 0 <= min(float(p.x) for p in places) < 0.1
    assert 0.9 < max(float(p.x) for p in places) < 1
    flips = [bool(ops.random_flip(seed, 0.25)) for seed in seeds]
    assert 30 < sum(flips) < 70
    assert not any(bool(ops.random_flip(seed, 0.0)) for seed in seeds)
    assert all(bool(ops.random_flip(seed, 1.0)) for seed in seeds)
