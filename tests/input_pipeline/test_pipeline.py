"""Batches of small prepared data sets: order, purity, hosts, views, truth, errors."""

import itertools
import subprocess
import sys
import types

import numpy as np
import pytest

from input_pipeline.config import DataConfigError
from input_pipeline.dataset import DatasetError
from input_pipeline.pipeline import (
    dataset_facts,
    eval_batches,
    train_batches,
)
from tests.input_pipeline import tiny
from tests.input_pipeline.conftest import CLIPS, TEST
from tests.paths import ROOT

TRAIN = CLIPS - TEST


def spec(*shape: int, dtype=np.uint8) -> types.SimpleNamespace:
    return types.SimpleNamespace(shape=shape, dtype=dtype)


INPUTS = {"rgb": spec(4, 16, 18, 3), "ir": spec(4, 16, 18, 1)}
ALL = INPUTS | {"skeleton": spec(2, 4, tiny.JOINTS, 3, dtype=np.float32)}


@pytest.fixture(scope="module")
def with_truth(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    tiny.write(path, [tiny.clip(i, truth=True) for i in range(5)], 3, truth=True)
    return path


# A generator that somebody holds to the end, while a thread of TensorFlow is in Python.
HELD = """
import sys, time
from input_pipeline import pipeline
from tests.input_pipeline import test_pipeline, tiny
pipeline.ExampleReader.check_lengths = lambda *_: time.sleep(0.1)
inputs = test_pipeline.INPUTS
batches = pipeline.train_batches(tiny.config(sys.argv[1]), inputs, 4, seed=0)
next(batches)
sys.exit(143)
"""


def test_a_process_ends_though_batches_are_on_their_way(root):
    """It hung: threads wait for Python as it ends, and it waited for the threads."""
    words = [sys.executable, "-c", HELD, str(root)]
    assert subprocess.run(words, cwd=ROOT, timeout=120, check=False).returncode == 143


def take(batches, count: int) -> list[dict[str, np.ndarray]]:
    return list(itertools.islice(batches, count))


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    assert one.keys() == other.keys()
    return all(np.array_equal(one[key], other[key]) for key in one)


def joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def test_training_batch_has_the_promised_arrays(root):
    batch = next(train_batches(tiny.config(root), ALL, 6, seed=0))
    got = {key: (array.shape, array.dtype.name) for key, array in batch.items()}
    assert got == {
        "rgb": ((6, 4, 16, 18, 3), "uint8"),
        "ir": ((6, 4, 16, 18, 1), "uint8"),
        "skeleton": ((6, 2, 4, tiny.JOINTS, 3), "float32"),
        "label": ((6,), "int32"),
        "mask": ((6,), "bool"),
        "id": ((6,), "int64"),
    }
    assert batch["mask"].all()
    assert batch["label"].tolist() == (batch["id"] % 3).tolist()


def test_streams_hold_the_clip_that_the_id_names(root):
    batch = next(train_batches(tiny.config(root), ALL, 6, seed=0))
    for stream in ("rgb", "ir"):
        values = batch[stream].astype(int).reshape(6, 4, -1)
        assert (np.ptp(values, axis=-1) <= 1).all()  # frames are flat
        frames, clips = np.divmod(np.rint(values.mean(-1)).astype(int), 10)
        assert (clips == batch["id"][:, None] % 10).all()
        assert (np.diff(frames, axis=-1) >= 0).all()
    # Joints carry their frame's number; the second person is padding.
    assert (np.diff(batch["skeleton"][:, 0, :, 0, 2], axis=-1) >= 0).all()
    assert not batch["skeleton"][:, 1].any()


def test_every_epoch_sees_every_clip_once_even_inside_a_batch(root):
    batches = take(train_batches(tiny.config(root), INPUTS, 4, seed=0), 5)
    ids = np.concatenate([batch["id"] for batch in batches])
    first, second = ids[:TRAIN], ids[TRAIN:]
    assert sorted(first) == sorted(second) == list(range(TRAIN))
    assert first.tolist() != second.tolist()


def test_a_batch_depends_on_its_number_alone(root):
    config = tiny.config(root)
    iterated = take(train_batches(config, INPUTS, 4, seed=3), 8)
    for start in (1, 2, 6):  # batch 2 holds the end of the first epoch
        resumed = take(train_batches(config, INPUTS, 4, seed=3, start_step=start), 2)
        for pair in zip(iterated[start : start + 2], resumed, strict=True):
            assert same(*pair)


def test_threads_and_memory_change_nothing(root):
    plain = take(train_batches(tiny.config(root, workers=1), ALL, 5, seed=1), 3)
    other = tiny.config(root, workers=3, prefetch=4, cache_mb=64)
    for pair in zip(plain, take(train_batches(other, ALL, 5, seed=1), 3), strict=True):
        assert same(*pair)


def test_two_hosts_read_the_batches_of_one(root):
    config = tiny.config(root)
    one = take(train_batches(config, INPUTS, 6, seed=0), 3)
    parts = [
        take(train_batches(config, INPUTS, 6, seed=0, host=h, hosts=2), 3)
        for h in range(2)
    ]
    for whole, halves in zip(one, zip(*parts, strict=True), strict=True):
        assert same(whole, joined(list(halves)))


def test_seeds_differ_and_zero_is_one(root):
    config = tiny.config(root)
    zero, again, one = (
        next(train_batches(config, INPUTS, 10, seed=seed)) for seed in (0, 0, 1)
    )
    assert same(zero, again)
    assert zero["id"].tolist() != one["id"].tolist()
    by_id = [batch["rgb"][np.argsort(batch["id"])] for batch in (zero, one)]
    assert not np.array_equal(*by_id)


@pytest.mark.parametrize(
    "split, size, hosts",
    [("test", TEST, 2), ("test", TEST, 3), ("train", TRAIN, 1), ("train", TRAIN, 3)],
)
def test_evaluation_sees_every_clip_once(root, split, size, hosts):
    config = tiny.config(root)
    parts = [
        list(eval_batches(config, INPUTS, split, 6, host=h, hosts=hosts))
        for h in range(hosts)
    ]
    assert {len(batches) for batches in parts} == {2}
    flat = [batch for batches in parts for batch in batches]
    assert {batch["rgb"].shape for batch in flat} == {(6 // hosts, 4, 16, 18, 3)}
    whole = joined(flat)
    seen = whole["id"][whole["mask"]]
    start = 0 if split == "train" else TRAIN
    assert sorted(seen) == list(range(start, start + size))
    padding = ~whole["mask"]
    assert (whole["id"][padding] == -1).all()
    assert not whole["rgb"][padding].any() and not whole["label"][padding].any()
    # Host by host the same rows as on one host.
    one = list(eval_batches(config, INPUTS, split, 6))
    for step in range(2):
        assert same(one[step], joined([batches[step] for batches in parts]))


def test_views_come_after_the_batch_axis(root):
    config = tiny.config(root, eval_views_time=2, eval_views_space=3)
    batch = next(eval_batches(config, ALL, "test", 2))
    assert batch["rgb"].shape == (2, 6, 4, 16, 18, 3)
    assert batch["ir"].shape == (2, 6, 4, 16, 18, 1)
    assert batch["skeleton"].shape == (2, 6, 2, 4, tiny.JOINTS, 3)


def test_truth_is_of_the_sampled_frames(with_truth):
    batch = next(eval_batches(tiny.config(with_truth), INPUTS, "test", 2))
    # Odd frames show the actor; of rgb 1 4 8 11 are read, of ir 0 2 4 6.
    visible = [True, False, False, True] + [False] * 4
    assert batch["actor_visible"].tolist() == [visible] * 2
    assert not batch["actor_box"][:, [1, 2, 4, 5, 6, 7]].any()
    # rgb: 27 x 31 of the 34 x 46 pixels are shown, from row 4 and column 8 on.
    want = [(8.5 - 4) / 27, (23 - 8) / 31, (25.5 - 4) / 27, 1]
    np.testing.assert_allclose(batch["actor_box"][0, 0], want, atol=1e-6)
    train = next(train_batches(tiny.config(with_truth), INPUTS, 2, seed=0))
    assert "actor_box" not in train and "difficulty" not in train


def test_facts(root):
    facts = dataset_facts(tiny.config(root, limit=8))
    assert (facts.name, facts.version, facts.protocol) == ("tiny", "1.0.0", "half")
    assert facts.classes == ("sit", "stand", "wave")
    assert facts.num_clips == {"train": 8, "val": 0, "test": TEST}
    assert facts.names[3] == "clip003"
    assert facts.difficulties == ("dark", "crowded") and not facts.has_truth


def test_limit_takes_the_first_clips(root):
    batches = list(eval_batches(tiny.config(root, limit=3), INPUTS, "test", 4))
    assert [batch["id"].tolist() for batch in batches] == [[10, 11, 12, -1]]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"protocol": "xsub"}, "no protocol 'xsub'. It has: half"),
        ({"name": "nosuch"}, "nosuch"),
        ({"limit": 1}, "has 1 clips, fewer than a batch of 2. Lower the batch size"),
    ],
)
def test_data_that_is_not_there_is_refused_at_once(root, changes, message):
    with pytest.raises(DatasetError, match=message):
        train_batches(tiny.config(root, **changes), INPUTS, 2, seed=0)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"resize_min": 17}, "data.resize_min is 17, but the model's crop .* 16 x 18"),
        ({"test_resize": 8}, "data.test_resize is 8"),
        ({"resize_max": 19}, "resize_min must be positive and at most resize_max"),
        ({"flip": 1.5}, "data.flip is 1.5; it must be a probability"),
        ({"eval_views_space": 0}, "eval_views_space is 0; both must be at least 1"),
        ({"workers": -1}, "data.workers is -1; they must not be negative"),
        ({"prefetch": 0}, "prefetch is 0; it must be at least 1"),
    ],
)
def test_values_that_cannot_be_used_are_refused_at_once(root, changes, message):
    with pytest.raises(DataConfigError, match=message):
        train_batches(tiny.config(root, **changes), INPUTS, 2, seed=0)


def test_hosts_must_divide_the_batch(root):
    with pytest.raises(DataConfigError, match="batch of 5 for host 0 of 2; it must"):
        eval_batches(tiny.config(root), INPUTS, "test", 5, hosts=2)


def test_an_empty_split_is_refused(root):
    with pytest.raises(DatasetError, match="'val' of protocol 'half'"):
        eval_batches(tiny.config(root), INPUTS, "val", 2)
