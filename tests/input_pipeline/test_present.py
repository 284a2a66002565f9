"""Which streams a clip has: missing ones, and those that training leaves out."""

import types

import numpy as np
import pytest
import tensorflow as tf

from input_pipeline import ops, split_doubts
from input_pipeline.config import DataConfigError
from input_pipeline.dataset import DatasetError, PreparedDataset
from input_pipeline.pipeline import eval_batches, train_batches
from tests.input_pipeline import tiny

CLIPS, TEST = 9, 4
STREAMS = ("rgb", "ir", "skeleton")


def spec(*shape, dtype=np.uint8):
    return types.SimpleNamespace(shape=shape, dtype=dtype)


INPUTS = {
    "rgb": spec(3, 16, 18, 3),
    "ir": spec(3, 16, 18, 1),
    "skeleton": spec(1, 3, tiny.JOINTS, 3, dtype=np.float32),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    tiny.write(root, [tiny.clip(i, truth=True) for i in range(CLIPS)], TEST, truth=True)
    return root


@pytest.fixture(scope="module")
def partial(tmp_path_factory):
    """The same; of the last clips each lacks another stream, as of the first."""
    root = tmp_path_factory.mktemp("partial")
    clips = [tiny.clip(i, truth=True) for i in range(CLIPS)]
    for i, stream in enumerate(STREAMS):
        del clips[i].streams[stream]
        del clips[CLIPS - 1 - i].streams[stream]
    tiny.write(root, clips, TEST, truth=True)
    return root


def test_whole_clips_have_all_streams(whole):
    data = tiny.config(whole, allow_missing=True)
    batch = next(eval_batches(data, INPUTS, "test", 6))
    assert batch["present"].dtype == bool
    assert batch["present"].tolist() == [[True] * 3] * 4 + [[False] * 3] * 2
    one = {"rgb": INPUTS["rgb"]}
    assert "present" not in next(eval_batches(data, one, "test", 2))
    # Nor where no clip can lack any: models then need not ask.
    assert "present" not in next(eval_batches(tiny.config(whole), INPUTS, "test", 2))


def test_missing_streams_are_refused_unless_allowed(partial):
    with pytest.raises(
        DatasetError, match=r"add --config\.data\.allow_missing=True: the"
    ):
        eval_batches(tiny.config(partial), INPUTS, "test", 2)
    data = tiny.config(partial, allow_missing=True)
    with pytest.raises(DatasetError, match=r"1 of 4 clips .* no stream at all of ir"):
        eval_batches(data, {"ir": INPUTS["ir"]}, "test", 2)


def test_what_is_missing_is_told_where_it_is_allowed(whole, partial):
    def said(root, **changes):
        data = tiny.config(root, **changes)
        opened = PreparedDataset.open(root, "tiny")
        return [x for x in split_doubts.of(opened, data) if "have no" in x]

    assert said(partial, allow_missing=True) == [
        "of 5 training clips 1 have no rgb, 1 have no ir, 1 have no skeleton; of 4 "
        "test clips 1 have no rgb, 1 have no ir, 1 have no skeleton: only "
        "data.allow_missing=True reads them."
    ]
    assert not said(partial) and not said(whole, allow_missing=True)


@pytest.mark.parametrize("views", [{}, dict(eval_views_time=2)])
def test_missing_streams_are_zeros_and_the_rest_stays(whole, partial, views):
    data = tiny.config(partial, allow_missing=True, **views)
    got = next(eval_batches(data, INPUTS, "test", 4))
    want = next(eval_batches(tiny.config(whole, **views), INPUTS, "test", 4))
    present = ~np.eye(4, 3, -1, dtype=bool)[:, ::-1]
    np.testing.assert_array_equal(got["present"], present)
    for i, stream in enumerate(STREAMS):
        there = present[:, i]
        assert got[stream].shape == want[stream].shape
        np.testing.assert_array_equal(got[stream][there], want[stream][there])
        assert not got[stream][~there].any()
        assert want[stream][~there].any()
    # Truth of three frames of each of the two videos.
    frames = np.repeat(present[:, :2], 3, axis=1)
    for key in ("actor_visible", "actor_box"):
        np.testing.assert_array_equal(got[key][frames], want[key][frames])
        assert not got[key][~frames].any()


def test_batches_where_nothing_is_missing_do_not_change(whole):
    data = tiny.config(whole, allow_missing=True)
    got = train_batches(data, INPUTS, 3, seed=4)
    want = train_batches(tiny.config(whole), INPUTS, 3, seed=4)
    for _ in range(3):
        a, b = next(got), next(want)
        assert a.pop("present").all() and a.keys() == b.keys()
        for key in a:
            np.testing.assert_array_equal(a[key], b[key], err_msg=key)


def test_dropout_leaves_out_streams_but_never_all(whole):
    data = tiny.config(whole, stream_dropout=0.5)
    batches = train_batches(data, INPUTS, 5, seed=4)
    full = train_batches(tiny.config(whole), INPUTS, 5, seed=4)
    seen, rows = set(), []
    for _ in range(16):
        got, want = next(batches), next(full)
        rows.extend(got["present"].tolist())
        for i, stream in enumerate(STREAMS):
            there = got["present"][:, i]
            np.testing.assert_array_equal(got[stream][there], want[stream][there])
            assert not got[stream][~there].any()
        seen |= set(map(tuple, got["present"].tolist()))
    assert len(seen) == 7  # all but none
    # (1/2 + 1/8 * 1/3): kept by its own draw, or as the last of all.
    assert np.mean(rows) == pytest.approx(0.5 + 1 / 24, abs=0.09)
    again = train_batches(data, INPUTS, 5, seed=4, start_step=15)
    np.testing.assert_array_equal(next(again)["present"], rows[-5:])
    test = next(eval_batches(data, INPUTS, "test", 4))
    assert test["present"].all()


def test_dropout_of_a_clip_that_lacks_streams():
    there = tf.constant([True, False, True])
    kept = [
        ops.random_kept(tf.constant([3, i], tf.int64), there, 0.5).numpy().tolist()
        for i in range(60)
    ]
    assert {tuple(row) for row in kept} == {
        (True, False, False),
        (False, False, True),
        (True, False, True),
    }


def test_values_that_cannot_be_used(whole):
    data = tiny.config(whole, stream_dropout=1.0)
    with pytest.raises(
        DataConfigError, match="stream_dropout is .*; it must be at least 0"
    ):
        train_batches(data, INPUTS, 2, seed=0)
    data = tiny.config(whole, stream_dropout=0.1)
    with pytest.raises(DataConfigError, match="there is no other stream"):
        train_batches(data, {"rgb": INPUTS["rgb"]}, 2, seed=0)
