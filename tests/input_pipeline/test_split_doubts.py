"""A small set of one's own, from its manifest on: warnings, folds, other splits."""

from collections import Counter

import numpy as np
import pytest

from input_pipeline import split_doubts, splits
from input_pipeline.builders.clips import Clips
from input_pipeline.dataset import PreparedDataset
from input_pipeline.encode import EncodeOptions
from input_pipeline.pipeline import dataset_facts
from input_pipeline.prepare.__main__ import main as prepare
from tests.input_pipeline import small_set, tiny
from tests.input_pipeline.prepare.small import contents


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    root = tmp_path_factory.mktemp("small")
    table = small_set.write(root / "raw")
    run(root, table)
    return root


def run(root, table, *more):
    words = ["clips", "--manifest", str(table), "--name", "small", "--workers", "1"]
    prepare([*words, "--out", str(root / "data"), "--min_frames", "3", *more])


def data(root, **changes):
    return tiny.config(root / "data", name="small", **changes)


def doubts(root, **changes):
    opened = PreparedDataset.open(root / "data", "small")
    return split_doubts.of(opened, data(root, **changes))


def test_what_will_not_hold_of_a_manifest_s_splits_is_said(prepared):
    # Even clips train and odd ones test: people 0, 2, ... and people 1, 3, ...
    few, tested, twins = doubts(prepared)
    assert few.startswith(
        "8 of 9 classes have fewer than 10 training clips, 'rare 1' (1), 'rare 2' (1)"
    )
    assert tested.startswith(
        "8 of 9 classes have fewer than 5 test clips, 'rare 1' (1)"
    )
    assert twins.startswith("1 test clips have the very content of a training clip")
    assert "(rgb/085 = rgb/000)" in twins
    facts = dataset_facts(data(prepared))
    assert facts.class_counts == (*(1,) * 8, 35) and facts.doubts == (
        few,
        tested,
        twins,
    )


def test_frames_stored_smaller_than_training_resizes_them_are_said(prepared):
    def said(**changes):
        facts = dataset_facts(data(prepared, **changes))
        return [text for text in facts.doubts if "enlarges" in text]

    (text,) = said(resize_min=260, resize_max=320)
    assert "a short side of 256 pixels" in text and "--short_side 320" in text
    assert said(resize_min=200, resize_max=256) == []
    assert said(resize_min=260, resize_max=320, crop="corners") == []


def test_folds_by_person_and_by_day_need_no_other_preparation(prepared):
    before = contents(prepared / "data")
    opened = PreparedDataset.open(prepared / "data", "small")
    tested = Counter()
    for fold in range(1, 11):
        facts = dataset_facts(data(prepared, folds="person", fold=fold))
        assert facts.folds == 10 and not any("persons" in d for d in facts.doubts)
        rows = splits.rows(opened, data(prepared, folds="person", fold=fold), "test")
        assert len({opened.names[row][-1] for row in rows}) == 1
        tested.update(rows.tolist())
    assert tested == Counter(range(small_set.CLIPS))
    # By day: clips 0, 1, 4, 5, ..., 84, 85, and all others.
    facts = dataset_facts(data(prepared, folds="day"))
    assert facts.num_clips == {"train": 42, "test": 44, "val": 0}
    (people,) = (d for d in facts.doubts if "persons" in d)
    assert people.startswith("10 of the 10 persons that are tested were trained on too")
    assert contents(prepared / "data") == before


def test_other_splits_of_the_same_clips_store_no_clip_again(prepared, capsys):
    before = contents(prepared / "data")
    run_before = dataset_facts(data(prepared))
    by_day = dataset_facts(data(prepared, folds="day"))
    table = small_set.manifest(prepared / "raw" / "other.csv", ["test", "train"])
    with pytest.raises(SystemExit):
        run(prepared, table)
    assert "in other splits or groups. Give --protocol NAME" in capsys.readouterr().err
    run(prepared, table, "--protocol", "other")
    assert "no clip stored again" in capsys.readouterr().out
    opened = PreparedDataset.open(prepared / "data", "small")
    assert opened.protocols["other"] == {"train": 43, "test": 43, "val": 0}
    own = [splits.rows(opened, data(prepared), name) for name in ("train", "test")]
    other = data(prepared, protocol="other")
    swapped = [splits.rows(opened, other, name) for name in ("test", "train")]
    np.testing.assert_array_equal(own, swapped)
    after = contents(prepared / "data")
    changed = {name for name in after if after[name] != before[name]}
    assert {name.rpartition("/")[2] for name in changed} == {
        "dataset.json",
        "index.npz",
    }
    # Runs go on, and know one protocol from the other.
    assert dataset_facts(data(prepared)).digest == run_before.digest
    assert dataset_facts(data(prepared, folds="day")).digest == by_day.digest
    digest = dataset_facts(other).digest
    assert digest != run_before.digest
    # Given again it is replaced, and told from before.
    small_set.manifest(prepared / "raw" / "other.csv", ["test", "val"])
    run(prepared, prepared / "raw" / "other.csv", "--protocol", "other")
    assert dataset_facts(other).digest != digest


def test_a_manifest_without_splits_is_for_folds(tmp_path, capsys):
    table = tmp_path / "raw" / "clips.csv"
    table.parent.mkdir()
    small_set.manifest(table, None)
    for clip in range(small_set.CLIPS):
        for stream in ("rgb", "ir"):
            (tmp_path / "raw" / stream / f"{clip:03d}").mkdir(parents=True)
    options = EncodeOptions(streams=("rgb", "ir"))
    builder = Clips(raw=table, options=options, data_dir=tmp_path, name="small")
    assert {clip.splits["manifest"] for clip in builder.clips()} == {"train"}
    (said,) = builder.warnings()
    assert "no column split" in said and "crossvalidate.py" in said
    assert builder.clips()[12].groups == {"person": "person 2", "day": "monday"}
