"""What is written of predictions."""

import csv
import json

import numpy as np
import pytest

from jaxact import errors
from jaxact.report import prediction


def test_the_likeliest_classes():
    scores = np.array([0.2, 0.5, 0.3], np.float32)
    found = prediction.best(scores, "abc", 2)
    assert [name for name, _ in found] == ["b", "c"]
    assert [score for _, score in found] == pytest.approx([0.5, 0.3])


def test_the_picture_does_not_show_what_is_not_there():
    inputs = {name: np.zeros((2, 8, 8, 1)) for name in ("rgb", "ir")}
    clip = {name: np.full((2, 8, 8, 1), 200, np.uint8) for name in inputs}

    def drawn(there):
        present = np.array([True, there])
        return np.asarray(prediction.sheet(clip | {"present": present}, inputs, {}, ""))

    assert (drawn(True) == 200).all(-1).sum() > (drawn(False) == 200).all(-1).sum() > 0


def test_a_table_of_clips(tmp_path, capsys):
    with prediction.Table(tmp_path, ["rgb", "ir"], "run/7") as table:
        table.row({"rgb": "a.avi", "ir": "b.avi"}, [("wave", 0.75), ("sit", 0.2)])
        path = tmp_path / "predictions.csv"
        assert path.read_text().count("\n") == 2  # a line a clip, as it comes
        table.failed({"rgb": "c,d.avi", "ir": "e.avi"}, "rgb file c,d.avi: empty")
    with path.open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["rgb", "ir", "class", "score", "error"],
            ["a.avi", "b.avi", "wave", "0.7500", ""],
            ["c,d.avi", "e.avi", "", "", "rgb file c,d.avi: empty"],
        ]
    facts = json.loads((tmp_path / "predictions.json").read_text())
    assert facts["checkpoint"] == "run/7"
    assert facts["clips"][0]["best"] == [["wave", 0.75], ["sit", 0.2]]
    assert "1 clips predicted, 1 could not be read" in capsys.readouterr().out


def test_a_table_of_nothing_is_an_error(tmp_path):
    with pytest.raises(errors.UserError, match="None of the 1 clips could be read"):
        with prediction.Table(tmp_path, ["rgb"], "run/7") as table:
            table.failed({"rgb": "a.avi"}, "empty")
