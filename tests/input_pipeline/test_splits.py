"""A validation split where the protocol has none: by subject, and always the same."""

import dataclasses
import json

import numpy as np
import pytest

from input_pipeline import dataset, index, splits
from input_pipeline.config import DataConfigError
from input_pipeline.dataset import DatasetError, PreparedDataset
from input_pipeline.pipeline import dataset_facts, eval_batches, train_batches
from tests.input_pipeline import tiny
from tests.input_pipeline.test_pipeline import INPUTS

# Clips 0 to 19 are to train on, four of each of five subjects; 20 to 25 to test on.
SUBJECTS = [3, 7, 11, 12, 20]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    clips = [
        dataclasses.replace(tiny.clip(i), subject=SUBJECTS[i % 5]) for i in range(26)
    ]
    tiny.write(path, clips, 6)
    return path


def parts(root, **changes):
    data = tiny.config(root, **changes)
    opened = PreparedDataset.open(root, "tiny")
    return {name: splits.rows(opened, data, name).tolist() for name in index.SPLITS}


def test_named_subjects_are_held_out_and_test_stays(root):
    found = parts(root, val_subjects=(7, 20))
    assert found["val"] == [1, 4, 6, 9, 11, 14, 16, 19]
    assert found["train"] == [0, 2, 3, 5, 7, 8, 10, 12, 13, 15, 17, 18]
    assert found["test"] == [20, 21, 22, 23, 24, 25]


@pytest.mark.parametrize(
    ("share", "subjects"), [(0.2, 1), (0.4, 2), (0.01, 1), (0.99, 4)]
)
def test_a_share_holds_out_whole_subjects_always_the_same(root, share, subjects):
    found = parts(root, val_share=share)
    assert sorted(found["train"] + found["val"]) == list(range(20))
    assert len(found["val"]) == 4 * subjects
    held = {SUBJECTS[i % 5] for i in found["val"]}
    assert len(held) == subjects
    # The order of the subjects' SHA-256, which `sha256sum` gives too.
    assert held == set(ORDER[:subjects])
    assert parts(root, val_share=share) == found


ORDER = [3, 11, 12, 7, 20]


def test_batches_and_facts_know_the_split(root):
    data = tiny.config(root, val_share=0.4)
    counts = {"train": 12, "val": 8, "test": 6}
    assert dataset_facts(data).num_clips == counts
    ids = [b["id"] for b in eval_batches(data, INPUTS, "val", 4)]
    held = parts(root, val_share=0.4)["val"]
    assert np.concatenate(ids).tolist() == held
    batches = train_batches(data, INPUTS, 4, seed=0)
    epoch = np.concatenate([next(batches)["id"] for _ in range(3)])
    assert sorted(epoch.tolist()) == parts(root, val_share=0.4)["train"]
    some = dataclasses.replace(data, limit=5)
    assert dataset_facts(some).num_clips == dict.fromkeys(counts, 5)
    with pytest.raises(DatasetError, match="in split 'val'"):
        eval_batches(tiny.config(root), INPUTS, "val", 4)


def test_a_protocol_s_own_validation_clips_stand(root, tmp_path):
    clips = [dataclasses.replace(tiny.clip(i), subject=1 + i % 3) for i in range(12)]
    folder = tiny.write(tmp_path, clips, 4)
    columns = dict(np.load(folder / dataset.INDEX_FILE))
    columns["split_half"][:2] = index.SPLITS.index("val")
    np.savez(folder / dataset.INDEX_FILE, **columns)
    info = json.loads((folder / dataset.INFO_FILE).read_text())
    info["protocols"]["half"] = {"train": 6, "val": 2, "test": 4}
    (folder / dataset.INFO_FILE).write_text(json.dumps(info))
    found = parts(tmp_path, val_share=0.5)
    assert found["val"] == [0, 1] and found["train"] == [2, 3, 4, 5, 6, 7]


def test_clips_are_held_out_where_no_subject_is_known(tmp_path):
    tiny.write(tmp_path, [tiny.clip(i) for i in range(26)], 6)
    found = parts(tmp_path, val_share=0.25)
    assert len(found["val"]) == 5 and len(found["train"]) == 15
    assert parts(tmp_path, val_share=0.25) == found


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"val_share": 0.2, "val_subjects": (3,)}, "set one of them"),
        ({"val_share": 1.0}, "data.val_share is 1.0"),
        ({"val_share": -0.1}, "data.val_share is -0.1"),
        ({"val_subjects": (3, 4)}, r"\(3, 4\), .* \[3, 7, 11, 12, 20\]"),
        ({"val_subjects": (3, 7, 11, 12, 20)}, "name some of these and not all"),
    ],
)
def test_impossible_splits_are_refused_at_once(root, changes, match):
    with pytest.raises(DataConfigError, match=match):
        dataset_facts(tiny.config(root, **changes))
