"""What is written of predictions: a clip's picture, many clips' table."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxact import errors
from jaxact.batch import PRESENT
from jaxact.report import bodies, output, overlays

Best = list[tuple[str, float]]


def best(scores: np.ndarray, classes: Sequence[str], count: int) -> Best:
    """Returns the likeliest classes and their scores."""
    order = np.argsort(-scores, kind="stable")[:count]
    return [(str(classes[i]), float(scores[i])) for i in order]


def sheet(
    clip: Mapping[str, np.ndarray],
    inputs: Mapping[str, Any],
    result: Mapping[str, np.ndarray],
    title: str,
    bones: Sequence[tuple[int, int]] = (),
) -> Any:
    """Returns the picture of the clip's first view; None if nothing of it can be shown.

    Args:
      clip: the model's streams, each with or without views.
      inputs: their shapes without views.
      result: what `jaxact.Predictor` returned.
      title: of the picture.
      bones: of the skeletons, pairs of joints.
    """
    first = {
        name: clip[name] if clip[name].ndim == len(spec.shape) else clip[name][0]
        for name, spec in inputs.items()
    }
    shown = bodies.as_videos(first, bones, over=False)
    videos = {name: s for name, s in shown.items() if overlays.is_video(s)}
    keys = ("frame_marks", "frame_scores", "keep")
    selection = overlays.Selection(*(result.get(key) for key in keys))
    drawn = overlays.spread(videos, selection)
    if not videos:
        return None
    lacked = overlays.absent(inputs, clip.get(PRESENT))
    return overlays.selection_sheet(*drawn, title=title, lacked=lacked)


def write(
    folder: Path, paths: Mapping[str, str], checkpoint: str, found: Best, picture: Any
) -> None:
    """Writes ``prediction.json`` and, if there is a picture, ``prediction.png``."""
    facts = {"files": paths, "checkpoint": checkpoint, "best": found}
    with output.writing(folder):
        (folder / "prediction.json").write_text(json.dumps(facts, indent=1))
        if picture is not None:
            picture.save(folder / "prediction.png")
            print(f"What the model looked at: {folder / 'prediction.png'}")


class Table:
    """``predictions.csv``, a line a clip as it is predicted, and ``predictions.json``.

    A context.

    Args:
      folder: that is there.
      streams: of the clips; a column each.
      checkpoint: that predicts.
    """

    def __init__(self, folder: Path, streams: Sequence[str], checkpoint: str):
        self._folder, self._streams = folder, list(streams)
        self._facts = {"checkpoint": checkpoint}
        self._clips: list[dict[str, Any]] = []
        self._failed = 0

    def __enter__(self) -> "Table":
        with output.writing(self._folder):
            path = self._folder / "predictions.csv"
            self._file = open(path, "w", encoding="utf-8", newline="")
            self._rows = csv.writer(self._file)
            self._rows.writerow([*self._streams, "class", "score", "error"])
        return self

    def row(self, paths: Mapping[str, str], found: Best) -> None:
        """Writes and prints what a clip shows."""
        name, score = found[0]
        self._write(paths, [name, f"{score:.4f}", ""], {"best": found})
        print(f"{score:7.1%}  {name}  {next(iter(paths.values()))}")

    def failed(self, paths: Mapping[str, str], error: str) -> None:
        """Writes and prints why a clip could not be read."""
        self._failed += 1
        self._write(paths, ["", "", error], {"error": error})
        print(f"  failed  {error}")

    def _write(
        self, paths: Mapping[str, str], row: Sequence[str], found: Mapping[str, Any]
    ) -> None:
        with output.writing(self._folder):
            self._rows.writerow([*(paths[s] for s in self._streams), *row])
            self._file.flush()
        self._clips.append({"files": dict(paths), **found})

    def __exit__(self, kind: Any, *_: object) -> None:
        with output.writing(self._folder):
            self._file.close()
            data = json.dumps(self._facts | {"clips": self._clips}, indent=1)
            output.write(self._folder / "predictions.json", data.encode())
        if kind is None and self._failed == len(self._clips):
            raise errors.UserError(
                f"None of the {self._failed} clips could be read; "
                f"{self._folder / 'predictions.csv'} says why."
            )
        print(
            f"{len(self._clips) - self._failed} clips predicted, {self._failed} could "
            f"not be read: {self._folder / 'predictions.csv'}"
        )
