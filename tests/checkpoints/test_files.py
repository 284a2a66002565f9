"""A folder of checkpoints as it lies on the disk; finding one: test_manager.py."""

import json

import pytest

from jaxact.checkpoints import files


def seal(folder, step, meta, metrics=None):
    (folder / str(step) / "meta").mkdir(parents=True)
    text = meta if isinstance(meta, str) else json.dumps(meta)
    (folder / str(step) / "meta" / "metadata").write_text(text)
    if metrics is not None:
        (folder / str(step) / files.METRICS_FILE).write_text(metrics)


def test_metadata_are_read_if_their_digest_is_theirs(tmp_path):
    content = {"meta": {"split": "val", "metrics": {"top1": 0.5}}, "arrays": {"a": 1}}
    digest = files.digest_of(content)
    seal(tmp_path, 1, content | {"digest": digest})
    assert files.read_sealed(tmp_path, 1) == content | {"metrics": {"top1": 0.5}}
    assert files.evaluated_split(tmp_path, 1) == "val"
    seal(tmp_path, 2, content | {"arrays": {"a": 2}, "digest": digest})
    with pytest.raises(ValueError, match="not those that were stored"):
        files.read_sealed(tmp_path, 2)
    assert files.evaluated_split(tmp_path, 2) == ""
    seal(tmp_path, 10, {"step": 10})  # of an earlier version
    assert files.read_sealed(tmp_path, 10) == {
        "meta": {"step": 10},
        "arrays": None,
        "metrics": {},
    }
    assert files.steps_in(tmp_path) == [1, 2, 10]
    assert files.steps_in(tmp_path / "none") == []


def test_a_checkpoint_says_how_raw_values_became_pictures(tmp_path):
    values = {"ir": "fixed:20:40"}
    for step, meta in ((1, {"values": values}), (2, {})):
        content = {"meta": meta, "arrays": None}
        seal(tmp_path, step, content | {"digest": files.digest_of(content)})
    assert files.values_of(tmp_path, 1) == values
    assert files.values_of(tmp_path, 2) == files.values_of(tmp_path, 3) == {}


def test_metrics_that_cannot_be_read_are_none(tmp_path):
    seal(tmp_path, 1, "{", '{"top1": 0.25}')
    seal(tmp_path, 2, "{", "{")
    assert files.read_metrics(tmp_path, 1) == {"top1": 0.25}
    assert files.read_metrics(tmp_path, 2) == {}


def test_the_best_is_the_latest_of_equals(tmp_path):
    known = {1: {"top1": 0.5}, 3: {"top1": 0.5}, 4: {"top1": 0.4}, 5: {"loss": 9.0}}
    assert files.best(known, "top1") == 3
    assert files.best(known, "top5") is None


def test_names_that_are_taken_are_counted_on(tmp_path):
    assert files.free_name(tmp_path / "3.damaged") == tmp_path / "3.damaged"
    (tmp_path / "3.damaged").mkdir()
    (tmp_path / "3.damaged.2").mkdir()
    assert files.free_name(tmp_path / "3.damaged") == tmp_path / "3.damaged.3"
