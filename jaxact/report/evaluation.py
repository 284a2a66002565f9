"""What an evaluation hands to its report."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A model's scores of N clips of y classes, and what else its report shows.

    Attributes:
      experiment: name of what was evaluated.
      classes: names by label [y].
      ids: int [N], row numbers of the prepared data set's index.
      names: of the clips [N].
      labels: int [N].
      scores: float [N y], softmax, mean of the views.
      checkpoint: where the weights are.
      chosen: how the checkpoint was chosen.
      dataset, protocol, split: which clips these are.
      views: how many of a clip.
      loss: mean cross-entropy; None: that of the scores.
      branches: scores [N y] of the model's other predictions, by name.
      difficulty: int [N], bit masks; None where the set is not staged.
      difficulty_names: by bit of ``difficulty``.
      folds: int [N], the fold in which a clip was tested; None: there are no folds.
      selection: shares of what was kept and, under ``*_chance``, those of a random
        choice; None without ground truth or selection.
      frames: what `jaxact.frame_choice.describe` says of the kept frames.
      examples: the clips that are shown, a dict each: name, label, scores [y] and
        streams (name -> uint8 [t h w 1 or 3], or under "skeleton" [m t v 3]); and
        optional, under their names in `jaxact.out`: id, difficulty [], frame_marks
        [s*t], frame_scores [s*t], actor_visible [s*t], keep [s*t n], region_scores
        [s*t n], actor_box [s*t 4], joints_seen [s*t m v 2], activation [s*t h w] and
        assignments [s*t h w k]; and ``present`` bool [s], which streams it has.
      bones: pairs of joints.
      values: by stream, which raw values became 0 and 255, as text.
      history: the rows of the run's metrics.
      config: of the experiment, as text.

    Raises:
      ValueError: there are no clips, or two entries do not fit together.
    """

    experiment: str
    classes: Sequence[str]
    ids: np.ndarray
    names: Sequence[str]
    labels: np.ndarray
    scores: np.ndarray
    checkpoint: str | None = None
    chosen: str | None = None
    dataset: str | None = None
    protocol: str | None = None
    split: str | None = None
    views: int = 1
    loss: float | None = None
    branches: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    difficulty: np.ndarray | None = None
    difficulty_names: Sequence[str] = ()
    folds: np.ndarray | None = None
    selection: Mapping[str, float] | None = None
    frames: Mapping[str, Any] | None = None
    examples: Sequence[Mapping[str, Any]] = ()
    bones: Sequence[tuple[int, int]] = ()
    values: Mapping[str, str] = dataclasses.field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()
    config: str = ""

    def __post_init__(self) -> None:
        """Refuses an evaluation of which no report can be made."""
        clips, classes = len(self.labels), len(self.classes)
        if not clips:
            raise ValueError("Got no clips; choose a split that has some.")
        scores = np.shape(self.scores)
        if scores != (clips, classes):
            raise ValueError(
                f"Got scores {scores} for {clips} labels and {classes} classes; they "
                f"must be ({clips}, {classes})."
            )
        for name, branch in self.branches.items():
            if np.shape(branch) != scores:
                raise ValueError(
                    f"Got scores {np.shape(branch)} of the branch {name!r}; expected "
                    f"{scores}, as the model's own."
                )
        for key in ("ids", "names", "difficulty", "folds"):
            values = getattr(self, key)
            if values is not None and len(values) != clips:
                raise ValueError(f"Got {len(values)} {key} for {clips} labels.")
        labels = np.asarray(self.labels)
        if labels.min() < 0 or labels.max() >= classes:
            raise ValueError(
                f"Got labels from {labels.min()} to {labels.max()}; with {classes} "
                f"classes they must be in 0..{classes - 1}."
            )
