import json
import os
import subprocess
import sys

import numpy as np
import pytest

from jaxact.errors import UserError
from jaxact.report import Evaluation, predictions, write_report
from tests.paths import ROOT

CLASSES = ("sit", "stand", "wave")
# Clip 11 is right in the first alone, clip 5 in the second alone, clip 7 in both.
IDS, LABELS = (7, 5, 11), (0, 1, 2)
FIRST = [[0.6, 0.3, 0.1], [0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]
SECOND = [[0.5, 0.3, 0.2], [0.1, 0.9, 0.0], [0.5, 0.1, 0.4]]


def evaluation(scores, order=(0, 1, 2), **changes):
    values = {
        "experiment": "colours",
        "dataset": "tiny 1.0.0",
        "protocol": "half",
        "split": "test",
        "classes": CLASSES,
        "ids": np.array(IDS),
        "names": np.array([f"clip {i}" for i in IDS]),
        "labels": np.array(LABELS),
        "scores": np.array(scores),
    } | changes
    for key in ("ids", "names", "labels", "scores"):
        values[key] = np.asarray(values[key])[list(order)]
    return Evaluation(**values)


def write(folder, *arguments, **changes):
    write_report(folder, evaluation(*arguments, **changes))
    return predictions.read(folder)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return write(tmp_path_factory.mktemp("first"), FIRST)


def test_average_by_hand(first, tmp_path):
    other = write(tmp_path, SECOND, order=(2, 0, 1), experiment="differences")
    assert other.ids.tolist() == [11, 7, 5]
    fused = predictions.fuse([first, other], [1, 1])
    expected = [[0.55, 0.3, 0.15], [0.4, 0.55, 0.05], [0.3, 0.1, 0.6]]
    np.testing.assert_allclose(fused.scores, expected, atol=1e-6)
    assert fused.ids.tolist() == list(IDS)
    assert fused.scores.argmax(axis=1).tolist() == list(LABELS)
    np.testing.assert_allclose(fused.branches["differences"], SECOND, atol=1e-6)
    weighted = predictions.fuse([first, other], [3, 1])
    expected = [[0.575, 0.3, 0.125], [0.55, 0.375, 0.075], [0.2, 0.1, 0.7]]
    np.testing.assert_allclose(weighted.scores, expected, atol=1e-6)
    assert weighted.experiment == "3 x colours + differences"


def test_the_order_of_the_files_does_not_matter(first, tmp_path):
    other = write(tmp_path, SECOND, order=(1, 2, 0))
    one = predictions.fuse([first, other], [2, 1])
    two = predictions.fuse([other, first], [1, 2])
    order = [one.ids.tolist().index(i) for i in two.ids]
    np.testing.assert_allclose(one.scores[order], two.scores, atol=1e-6)
    assert list(one.branches) == ["colours (1)", "colours (2)"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ids": np.array([7, 5, 12])}, r"1 ids are only in the first \(11\), 1 only"),
        (
            {"order": (0, 1)},
            r"1 ids are only in the first \(11\), 0 only in the second",
        ),
        (
            {"names": np.array(["clip 7", "other", "clip 11"])},
            "1 names differ, .* id 5",
        ),
        ({"labels": np.array([0, 1, 1])}, "1 labels differ, the first at id 11"),
        ({"dataset": "tiny 2.0.0"}, "not of the same dataset: 'tiny 1.0.0' and"),
        ({"split": "val"}, "not of the same split"),
        ({"classes": ("sit", "wave", "stand")}, "not of the same classes"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_other_clips_are_refused(first, tmp_path, changes, message):
    other = write(tmp_path, SECOND, **changes)
    with pytest.raises(UserError, match=message):
        predictions.fuse([first, other], [1, 1])


def test_scores_that_are_not_finite_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"not finite, of 1 of 3 clips \(clip 5\)"):
        write(tmp_path, [FIRST[0], [np.nan] * 3, FIRST[2]])


def test_weights_that_cannot_be_used(first):
    for weights, message in (
        ([1], "2 predictions and 1 weights"),
        ([1, -1], "must not be negative"),
        ([0, 0], "not all of them zero"),
        ([1, float("nan")], "Got the weights 1, nan"),
    ):
        with pytest.raises(UserError, match=message):
            predictions.fuse([first, first], weights)
    with pytest.raises(UserError, match="at least two predictions"):
        predictions.fuse([first], [1])


def test_files_that_are_no_predictions(first, tmp_path):
    with pytest.raises(UserError, match="evaluate.py makes them"):
        predictions.read(tmp_path)
    (tmp_path / "predictions.npz").write_text("no archive")
    with pytest.raises(UserError, match="holds no predictions"):
        predictions.read(tmp_path)
    np.savez(tmp_path / "predictions.npz", ids=np.arange(3))
    with pytest.raises(UserError, match="holds no predictions .*names"):
        predictions.read(tmp_path)
    with np.load(first.path) as file:
        np.savez(tmp_path / "predictions.npz", **(dict(file) | {"ids": [7, 7, 5]}))
    with pytest.raises(UserError, match=r"3 ids \(2 different\)"):
        predictions.read(tmp_path)
    for labels, message in (
        ([0, 1, 3], r"3 labels; .* each in 0\.\.2"),
        ([0, -1, 2], r"3 labels; .* each in 0\.\.2"),
        (["0", "1", "2"], "holds no predictions .*labels <U1"),
    ):
        with np.load(first.path) as file:
            np.savez(tmp_path / "predictions.npz", **(dict(file) | {"labels": labels}))
        with pytest.raises(UserError, match=message):
            predictions.read(tmp_path)


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "jaxact", "fuse", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )


def test_the_command_reads_runs_and_writes_a_report(tmp_path):
    write(tmp_path / "a" / "report", FIRST)
    write(tmp_path / "b" / "report", SECOND, order=(2, 1, 0), experiment="differences")
    runs = (tmp_path / "a", tmp_path / "b")
    done = command(*runs, "--weights", "1,1", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    shares = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines()[1:]}
    assert shares["colours"] == shares["differences"] == "66.67%"
    assert shares["average"] == "100.00%"
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["experiment"] == "colours + differences" and report["top1"] == 1.0
    # The average is a model like any other: it can be fused again.
    again = predictions.read(tmp_path / "out")
    assert again.facts["dataset"] == "tiny 1.0.0"
    wrong = command(*runs, "--weights", "1;1")
    assert wrong.returncode == 2 and "Error: Got --weights 1;1" in wrong.stderr
