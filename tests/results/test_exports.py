"""The table of exports: what it says of each line of the data."""

import json

from jaxact import errors
from results import exports


def test_a_line_is_a_cell_and_reasons_are_notes(tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "FILE", tmp_path / "exports.jsonl")
    monkeypatch.setattr(exports, "MODELS", {"A": None, "B": None})
    assert "| A | not tried | not tried | not tried | not tried |" in exports.table()
    lines = [
        {"model": "A", "format": "stablehlo", "batch": None, "difference": 1.6e-7},
        {"model": "A", "format": "tflite", "batch": 1, "difference": 2e-6},
        {"model": "B", "format": "tflite", "reason": "no six axes"},
        {"model": "B", "format": "onnx", "reason": "no sort"},
    ]
    exports.FILE.write_text("".join(json.dumps(line) + "\n" for line in lines))
    text = exports.table()
    assert "| A | 2e-07 | not tried | 2e-06, 1 clip a call | not tried |" in text
    assert "| B | not tried | not tried | no (1) | no (2) |" in text
    assert text.endswith("\n\n1. no six axes\n2. no sort\n")


def test_a_reason_names_no_place_of_this_machine():
    cause = RuntimeError("somewhere/file.py:15:11: error: 'op' is at most 6-D\nmore")
    error = errors.UserError("The format does not hold it")
    error.__cause__ = cause
    assert exports.reason(error) == "'op' is at most 6-D"
    error.__cause__ = ValueError("plain")
    assert exports.reason(error) == "ValueError: plain"
