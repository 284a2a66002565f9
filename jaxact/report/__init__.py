"""The report of an evaluation: a page for people and two files for programs."""

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxact.report import html, numbers, output

__all__ = ["write_report"]


def write_report(folder: str | os.PathLike, evaluation: Mapping[str, Any]) -> Path:
    """Writes ``report.html``, ``report.json`` and ``predictions.npz`` into a folder.

    The page needs no network and no other file. ``predictions.npz`` holds, readable
    with ``allow_pickle=False``: ``ids`` int64 [N] (row numbers of the prepared data
    set's index), ``names`` str [N], ``labels`` int32 [N], ``scores`` float32 [N y]
    (softmax, mean of the views) and ``classes`` str [y]; of a staged set
    ``difficulty`` int32 [N] and ``difficulty_names``; and as single strings
    ``experiment``, ``dataset``, ``protocol`` and ``split``. The predictions of two
    models are joined by ``ids`` where ``dataset`` agrees.

    Nothing is written before everything is made, and files replace their predecessors
    whole: if anything fails, the former report stays as it was.

    Args:
      folder: made if it is missing.
      evaluation: experiment, classes [y], ids [N], names [N], labels [N] and scores
        [N y]; and, each of them optional: checkpoint, chosen (how), dataset,
        protocol, split, views, loss, branches (name -> scores [N y] of a part of the
        model), difficulty [N] (bit mask), difficulty_names, selection (shares and,
        under ``*_chance``, those of a random choice), frames (see
        `jaxact.frame_choice`), examples, bones (pairs of
        joints), history, config. An example holds name, label, scores [y], streams
        (name -> uint8 [t h w 1 or 3],
        or under "skeleton" [m t v 3]) and, optional, frame_marks, frame_scores,
        actor_visible [s*t], keep [s*t n], actor_box [s*t 4], joints_seen
        [s*t m v 2], activation [s*t h w] and assignments [s*t h w k].

    Returns:
      The path of ``report.html``.

    Raises:
      ValueError: a needed entry is missing, or two do not fit together.
      UserError: the folder cannot be written to, or its disk is full.
    """
    summary = numbers.plain(numbers.summarise(evaluation))
    folder = Path(folder)
    files = {
        "predictions.npz": _predictions(evaluation),
        "report.json": json.dumps(summary, indent=1, allow_nan=False).encode(),
        "report.html": html.render(summary, evaluation).encode(),
    }
    with output.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder, files)
    return folder / "report.html"


def _predictions(evaluation: Mapping[str, Any]) -> bytes:
    arrays: dict[str, Any] = {
        "ids": np.asarray(evaluation["ids"], np.int64),
        "names": np.asarray([str(name) for name in evaluation["names"]]),
        "labels": np.asarray(evaluation["labels"], np.int32),
        "scores": np.asarray(evaluation["scores"], np.float32),
        "classes": np.asarray([str(name) for name in evaluation["classes"]]),
    }
    for name, scores in (evaluation.get("branches") or {}).items():
        arrays[f"scores_{name}"] = np.asarray(scores, np.float32)
    if evaluation.get("difficulty") is not None:
        arrays["difficulty"] = np.asarray(evaluation["difficulty"], np.int32)
        arrays["difficulty_names"] = np.asarray(evaluation["difficulty_names"], np.str_)
    for key in ("experiment", "dataset", "protocol", "split"):
        arrays[key] = np.asarray(str(evaluation.get(key) or ""))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _replace(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes all files beside their names, then renames them; tidies up on failure."""
    waiting = {name: folder / f".{name}.{os.getpid()}.tmp" for name in files}
    try:
        for name, content in files.items():
            output.write(waiting[name], content)
        for name, path in waiting.items():
            os.replace(path, folder / name)
    finally:
        for path in waiting.values():
            path.unlink(missing_ok=True)
