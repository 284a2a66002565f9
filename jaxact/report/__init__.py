"""The report of an evaluation: a page for people and two files for programs."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from jaxact.report import html, numbers, output, predictions
from jaxact.report.evaluation import Evaluation

__all__ = ["Evaluation", "write_report"]


def write_report(folder: str | os.PathLike, evaluation: Evaluation) -> Path:
    """Writes ``report.html``, ``report.json`` and ``predictions.npz`` into a folder.

    The page needs no network and no other file; `jaxact.report.predictions.packed`
    says what ``predictions.npz`` holds.

    Nothing is written before everything is made, and files replace their predecessors
    whole: if anything fails, the former report stays as it was.

    Args:
      folder: made if it is missing.
      evaluation: what is reported.

    Returns:
      The path of ``report.html``.

    Raises:
      UserError: the folder cannot be written to, or its disk is full.
    """
    summary = numbers.plain(numbers.summarise(evaluation))
    folder = Path(folder)
    files = {
        predictions.FILE: predictions.packed(evaluation),
        "report.json": json.dumps(summary, indent=1, allow_nan=False).encode(),
        "report.html": html.render(summary, evaluation).encode(),
    }
    with output.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder, files)
    return folder / "report.html"


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
