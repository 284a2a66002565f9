"""Which clip stands where: epochs, classes drawn alike, repetitions, by counting."""

from collections import Counter

import jax
import numpy as np
import pytest

from input_pipeline.config import DataConfigError
from input_pipeline.order import OCCURRENCE, Order, permutation, quotas
from input_pipeline.pipeline import eval_batches, train_batches
from tests.input_pipeline import tiny
from tests.input_pipeline.test_pipeline import INPUTS

# Nine classes: one of 70 clips, eight of two.
LABELS = np.array([0] * 70 + [label for label in range(1, 9) for _ in range(2)])
ROWS = np.arange(86) + 100


def epoch(number, size=86, **options):
    order = Order(ROWS, LABELS, 7, **options)
    return order.at(np.arange(size) + number * size)


def test_permutations_never_change():
    assert permutation(7, 0, 0).tolist() == [0, 2, 1, 5, 4, 3, 6]
    assert permutation(7, 0, 1).tolist() != [0, 2, 1, 5, 4, 3, 6]
    assert permutation(7, -1, 0).tolist() != [0, 2, 1, 5, 4, 3, 6]
    assert permutation(7, 0, 0, (1, 0)).tolist() != [0, 2, 1, 5, 4, 3, 6]


def test_an_epoch_shows_every_clip_once_as_before():
    ids, seeds = epoch(3)
    assert ids.tolist() == ROWS[permutation(86, 7, 3)].tolist()
    assert seeds.tolist() == [3] * 86


def test_balanced_classes_come_equally_often():
    """86 = 9 * 9 + 5: five classes ten times, four nine times; others each epoch."""
    tens = set()
    for number in range(6):
        ids, seeds = epoch(number, balance=1.0)
        of_class = Counter(LABELS[ids - 100].tolist())
        assert sorted(of_class.values()) == [9] * 4 + [10] * 5
        # Of class 0 nine or ten different clips; of the others each four or five times.
        clips = Counter(ids.tolist())
        assert {n for clip, n in clips.items() if clip < 170} == {1}
        assert {n for clip, n in clips.items() if clip >= 170} <= {4, 5, 6}
        # A clip that comes again is augmented otherwise.
        assert len({*zip(ids.tolist(), seeds.tolist(), strict=True)}) == 86
        tens.add(frozenset(c for c, n in of_class.items() if n == 10))
    assert len(tens) > 1


def test_half_balance_is_the_square_root():
    # sqrt(81) : sqrt(9) : sqrt(0) = 9 : 3 : 0 of 120.
    assert quotas(np.array([81, 9, 0]), 120, 0.5, 0, 0).tolist() == [90, 30, 0]
    assert quotas(np.array([81, 9, 30]), 120, 0.0, 0, 0).tolist() == [81, 9, 30]


def test_repeated_clips_stand_together_and_are_augmented_otherwise():
    order = Order(ROWS, LABELS, 7, repeats=2)
    ids, seeds = order.at(np.arange(172))
    assert ids[::2].tolist() == ids[1::2].tolist()
    assert sorted(ids[::2].tolist()) == ROWS.tolist()
    assert seeds.tolist() == [0, OCCURRENCE] * 86
    assert order.at(np.arange(172, 174))[1].tolist() == [1, 1 + OCCURRENCE]


def test_any_part_of_the_positions_is_that_part_of_the_whole():
    """So batches depend neither on the number of hosts nor on where a run stops."""
    for options in ({}, {"balance": 1.0}, {"balance": 0.3, "repeats": 2}):
        whole = Order(ROWS, LABELS, 7, **options).at(np.arange(300))
        other = Order(ROWS, LABELS, 7, **options).at(np.arange(170, 190))
        for all_of_them, some in zip(whole, other, strict=True):
            assert all_of_them[170:190].tolist() == some.tolist()


def test_repeats_show_two_crops_of_a_clip_and_two_hosts_see_the_same(tmp_path):
    tiny.write(tmp_path, [tiny.clip(i) for i in range(9)], 1)
    data = tiny.config(tmp_path, repeats=2, balance=1.0)
    inputs = {"skeleton": jax.ShapeDtypeStruct((1, 6, tiny.JOINTS, 3), np.float32)}
    whole = next(train_batches(data, inputs, 4, seed=1))
    assert whole["id"][0] == whole["id"][1] and whole["id"][2] == whole["id"][3]
    assert not np.array_equal(whole["skeleton"][0], whole["skeleton"][1])
    for host in (0, 1):
        part = next(train_batches(data, inputs, 4, seed=1, host=host, hosts=2))
        for key, value in part.items():
            np.testing.assert_array_equal(value, whole[key][2 * host : 2 * host + 2])


def test_evaluation_repeats_nothing_and_any_batch_will_do(tmp_path):
    tiny.write(tmp_path, [tiny.clip(i) for i in range(5)], 3)
    data = tiny.config(tmp_path, repeats=2)
    inputs = {"skeleton": jax.ShapeDtypeStruct((1, 6, tiny.JOINTS, 3), np.float32)}
    (batch,) = eval_batches(data, inputs, "test", 3)
    assert sorted(batch["id"].tolist()) == [2, 3, 4]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"balance": 1.5}, "data.balance is 1.5; it must be from 0"),
        ({"repeats": 3}, "data.repeats is 3; it must .* divide the batch of 4"),
        ({"repeats": 0}, "data.repeats is 0"),
    ],
)
def test_impossible_orders_are_refused(tmp_path, changes, match):
    with pytest.raises(DataConfigError, match=match):
        train_batches(tiny.config(tmp_path, **changes), INPUTS, 4, seed=0)
