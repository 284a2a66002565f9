"""Folds and splits that part nobody, of sets whose numbers one can count by hand."""

import dataclasses

import numpy as np
import pytest

from input_pipeline import folds, splits
from input_pipeline.config import DataConfigError
from input_pipeline.dataset import PreparedDataset
from input_pipeline.pipeline import dataset_facts, eval_batches, train_batches
from tests.input_pipeline import tiny
from tests.input_pipeline.test_pipeline import INPUTS

# Clips 0 to 13, of persons 3, 7, 10 and 12 in turn: four, four, three and three.
PERSONS = (3, 7, 10, 12)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    clips = [
        dataclasses.replace(tiny.clip(i), subject=PERSONS[i % 4]) for i in range(14)
    ]
    tiny.write(path, clips, 6)
    return path


def rows(root, split, **changes):
    data = tiny.config(root, folds="person", **changes)
    return splits.rows(PreparedDataset.open(root, "tiny"), data, split).tolist()


def test_a_fold_is_a_person_and_the_others_are_trained_on(root):
    tested = [rows(root, "test", fold=k) for k in (1, 2, 3, 4)]
    # By number, not by letter: 10 comes after 7.
    assert tested == [[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10], [3, 7, 11]]
    for k in (1, 2, 3, 4):
        rest = sorted({*range(14)} - {*tested[k - 1]})
        assert rows(root, "train", fold=k) == rest


def test_fewer_folds_than_persons_test_every_clip_once(root):
    tested = [rows(root, "test", fold=k, num_folds=2) for k in (1, 2)]
    assert sorted(tested[0] + tested[1]) == [*range(14)]
    persons = [{PERSONS[i % 4] for i in part} for part in tested]
    assert not persons[0] & persons[1]
    assert sorted(map(len, tested)) == [7, 7]


def test_batches_and_facts_are_of_the_fold(root):
    data = tiny.config(root, folds="person", fold=3)
    facts = dataset_facts(data)
    assert facts.protocol == "half, fold 3 of 4 by person" and facts.folds == 4
    assert facts.num_clips == {"train": 11, "test": 3, "val": 0}
    # Labels are i % 3: of 0 to 13 but 2, 6 and 10.
    assert facts.class_counts == (4, 4, 3)
    ids = [b["id"] for b in eval_batches(data, INPUTS, "test", 4)]
    assert np.concatenate(ids).tolist() == [2, 6, 10, -1]
    batch = next(train_batches(data, INPUTS, 11, seed=0))
    assert sorted(batch["id"].tolist()) == rows(root, "train", fold=3)


def test_validation_clips_are_whole_training_groups(root):
    held = rows(root, "val", fold=1, val_share=0.3)
    left = rows(root, "train", fold=1, val_share=0.3)
    assert sorted(held + left) == rows(root, "train", fold=1)
    assert len({PERSONS[i % 4] for i in held}) == 1


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"folds": "day"}, "of 14 of 14 clips of 'tiny' the day is not known"),
        ({"folds": "person", "num_folds": 5}, "there are 4 groups by person"),
        ({"folds": "person", "num_folds": 1}, "expected 2 to 4, or 0"),
        ({"folds": "person", "fold": 5}, "data.fold is 5; expected 1 to 4"),
        ({"folds": "persons"}, "data.folds is 'persons'; choose one of '', person"),
    ],
)
def test_folds_that_cannot_be_made_are_refused(root, changes, match):
    with pytest.raises(DataConfigError, match=match):
        dataset_facts(tiny.config(root, **changes))


def test_one_person_makes_no_folds(tmp_path):
    clips = [dataclasses.replace(tiny.clip(i), subject=3) for i in range(4)]
    tiny.write(tmp_path, clips, 1)
    with pytest.raises(DataConfigError, match="all clips of 'tiny' are of one person"):
        dataset_facts(tiny.config(tmp_path, folds="person"))


def test_clips_are_dealt_by_class():
    # Of 12 and 6 clips in two folds each, as evenly as it goes.
    labels = np.array([0] * 12 + [1] * 6)
    part = folds.deal([str(i) for i in range(18)], labels, [0.5, 0.5])
    assert np.bincount(part[:12]).tolist() == [6, 6]
    assert np.bincount(part[12:]).tolist() == [3, 3]


def test_two_groups_of_a_rare_class_come_to_two_sides():
    # Ann and Bob have all of class 1; Cid and Dan many clips of class 0.
    keys = ["cid"] * 10 + ["dan"] * 10 + ["ann", "bob"]
    labels = np.array([0] * 20 + [1, 1])
    part = folds.deal(keys, labels, [0.5, 0.5])
    assert part[0] != part[10] and part[20] != part[21]


def test_no_part_stays_empty():
    part = folds.deal(
        ["a"] * 97 + ["b", "c", "d"], np.zeros(100, int), [0.9, 0.05, 0.05]
    )
    assert sorted({*part.tolist()}) == [0, 1, 2]
