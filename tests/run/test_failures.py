"""Each failure by hand, on a few pixels; and whom it happens to."""

import numpy as np
import pytest

from jaxact.run.failures import FAILURES, fail, happens_to

STREAMS = ("rgb", "ir")
# Four frames of 4 x 8, whose pixels are 10, 20, 30 and 40 by frame.
FRAMES = np.broadcast_to(
    np.array([10, 20, 30, 40], np.uint8)[:, None, None, None], (4, 4, 8, 1)
)


def batch(clips=3, **streams):
    ir = np.repeat(FRAMES[None], clips, axis=0)
    return {
        "rgb": np.full((clips, 4, 4, 8, 3), 100, np.uint8),
        "ir": ir,
        "id": np.arange(clips),
        "mask": np.ones(clips, bool),
        **streams,
    }


def failed(name, strength, given=None, stream="ir", **shares):
    given = batch() if given is None else given
    before = given[stream].copy()
    after = fail(given, STREAMS, stream, name, strength, **shares)
    np.testing.assert_array_equal(given[stream], before)  # the batch is left as it was
    assert after[stream].dtype == before.dtype and after[stream].shape == before.shape
    others = set(given) - {stream, "present"}
    assert all(after[key] is given[key] for key in others)
    return after


def by_frame(after):
    return after["ir"][0, :, 0, 0, 0].tolist()


def test_in_time():
    assert by_frame(failed("frozen", 1.0)) == [10, 10, 10, 10]
    assert by_frame(failed("frozen", 0.5)) == [10, 10, 30, 40]
    assert by_frame(failed("late", 0.25)) == [10, 10, 20, 30]
    assert by_frame(failed("late", 0.5)) == [10, 10, 10, 20]


def test_in_brightness():
    assert by_frame(failed("black", 1.0)) == [0, 0, 0, 0]
    assert by_frame(failed("black", 0.5)) == [5, 10, 15, 20]
    wide = batch(ir=np.full((3, 4, 40, 40, 1), 128, np.uint8))
    noise = failed("noisy", 0.1, wide)["ir"].astype(float) - 128
    assert abs(noise.std() - 25.5) < 0.5 and abs(noise.mean()) < 0.7
    assert (noise[0] != noise[1]).any()  # of every clip its own


def test_in_space():
    point = np.zeros((3, 4, 21, 21, 1), np.uint8)
    point[:, :, 10, 10] = 255
    spread = failed("blurred", 0.1, batch(ir=point))["ir"][0, 0, ..., 0].astype(float)
    assert spread.argmax() == 10 * 21 + 10 and abs(spread.sum() - 255) < 15
    # 255 / (2 pi 2.1^2) = 9.2 in the middle
    assert abs(spread.max() - 9.2) <= 0.5
    white = batch(ir=np.full((3, 4, 20, 20, 1), 200, np.uint8))
    hidden = failed("covered", 0.25, white)["ir"] == 0
    assert (hidden.sum(axis=(2, 3, 4)) == 100).all()
    assert np.ptp(hidden[0, 0].nonzero()[0]) == np.ptp(hidden[0, 0].nonzero()[1]) == 9
    moved = failed("misaligned", 0.25, batch(ir=point))["ir"][:, 0, ..., 0]
    for one in moved:
        (y,), (x,) = one.nonzero()
        assert abs(np.hypot(y - 10, x - 10) - 0.25 * 21) < 1


def test_a_missing_stream_is_known_to_be():
    after = failed("missing", 1.0)
    assert after["present"].tolist() == [[True, False]] * 3
    given = batch(present=np.array([[False, True], [True, True], [True, True]]))
    after = failed("missing", 1.0, given, stream="rgb")
    assert after["present"].tolist() == [[False, True]] * 3


def test_a_share_of_the_frames_and_of_the_clips():
    rows = batch(200)
    dark = failed("black", 1.0, rows, frames=0.5)["ir"][:, :, 0, 0, 0] == 0
    assert (dark.sum(axis=1) == 2).all()
    starts = dark.argmax(axis=1)
    assert all(dark[i, n] and dark[i, n + 1] for i, n in enumerate(starts))
    assert set(starts) == {0, 1, 2}
    some = failed("black", 1.0, rows, clips=0.3)["ir"].any(axis=(1, 2, 3, 4))
    assert 0.2 < 1 - some.mean() < 0.4
    assert [bool(x) for x in ~some] == [happens_to(i, 0.3) for i in range(200)]


def test_views_joints_and_depth():
    views = batch(ir=np.repeat(batch()["ir"][:, None], 2, axis=1))
    frozen = fail(views, STREAMS, "ir", "frozen", 1.0, views=True)["ir"]
    assert (frozen == 10).all() and frozen.shape == (3, 2, 4, 4, 8, 1)
    depth = {
        "depth": np.full((1, 4, 4, 8, 1), 3000, np.uint16),
        "id": np.arange(1),
        "mask": np.ones(1, bool),
    }
    after = fail(depth, ("rgb", "depth"), "depth", "black", 0.5)["depth"]
    assert after.dtype == np.uint16 and (after == 1500).all()
    body = np.arange(4, dtype=np.float32)[None, None, :, None, None]
    body = {
        "skeleton": np.broadcast_to(body, (1, 2, 4, 3, 3)),
        "id": np.arange(1),
        "mask": np.ones(1, bool),
    }
    late = fail(body, ("rgb", "skeleton"), "skeleton", "late", 0.5)["skeleton"]
    assert late[0, 1, :, 0, 0].tolist() == [0, 0, 0, 1]


def test_nothing_happens_to_padding():
    """Whose id is none, -1."""
    given = batch(id=np.array([0, 1, -1]), mask=np.array([True, True, False]))
    dark = failed("black", 1.0, given)["ir"]
    assert not dark[:2].any() and (dark[2] == given["ir"][2]).all()
    assert failed("missing", 1.0, given)["present"][:, 1].tolist() == [False] * 2 + [
        True
    ]


@pytest.mark.parametrize("name", FAILURES)
def test_the_same_clip_fails_in_the_same_way_in_any_batch(name):
    strength = FAILURES[name].strengths[-1]
    random = np.random.default_rng(3).integers(0, 256, (3, 4, 12, 12, 1), np.uint8)
    whole = failed(name, strength, batch(ir=random))
    alone = failed(name, strength, {k: v[1:2] for k, v in batch(ir=random).items()})
    for key in ("ir", "present"):
        if key in whole:
            np.testing.assert_array_equal(whole[key][1:2], alone[key])
