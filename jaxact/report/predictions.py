"""Averaging the scores of models that saw the same clips, and how good that is.

The models may be of any family and read any streams: what is joined are the
``predictions.npz`` of their reports. Late fusion of TSM-NetVLAD's colours and RGB
differences (section 2.2) is one use of it.
"""

import dataclasses
import io
import pathlib
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxact import metrics
from jaxact.errors import UserError
from jaxact.report.evaluation import Evaluation

FILE = "predictions.npz"
PER_CLIP = ("ids", "names", "labels", "scores")
# What must agree for the clips to be the same clips.
SAME = ("dataset", "protocol", "split")
# What is read may unfold to so many bytes, and so many more a byte of the file.
MOST, MOST_A_BYTE = 2**26, 100


@dataclasses.dataclass(frozen=True)
class Predictions:
    """The predictions of one model for N clips.

    Attributes:
      path: of the file, for people.
      ids: int [N], names: str [N], labels: int [N], scores: float [N y], and classes:
        str [y], as `packed` describes them.
      facts: experiment, dataset, protocol and split.
    """

    path: str
    ids: np.ndarray
    names: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    facts: dict[str, str]


def packed(evaluation: Evaluation) -> bytes:
    """Returns the file ``predictions.npz``, readable with ``allow_pickle=False``.

    It holds ``ids`` int64 [N] (row numbers of the prepared data set's index), ``names``
    str [N], ``labels`` int32 [N], ``scores`` float32 [N y] (softmax, mean of the views)
    and ``classes`` str [y]; ``scores_NAME`` float32 [N y] of each branch; of a staged
    set ``difficulty`` int32 [N] and ``difficulty_names``; and as single strings
    ``experiment``, ``dataset``, ``protocol`` and ``split``. The predictions of two
    models are joined by ``ids`` where ``dataset`` agrees.
    """
    arrays: dict[str, Any] = {
        "ids": np.asarray(evaluation.ids, np.int64),
        "names": np.asarray([str(name) for name in evaluation.names]),
        "labels": np.asarray(evaluation.labels, np.int32),
        "scores": np.asarray(evaluation.scores, np.float32),
        "classes": np.asarray([str(name) for name in evaluation.classes]),
    }
    for name, scores in evaluation.branches.items():
        arrays[f"scores_{name}"] = np.asarray(scores, np.float32)
    if evaluation.difficulty is not None:
        arrays["difficulty"] = np.asarray(evaluation.difficulty, np.int32)
        arrays["difficulty_names"] = np.asarray(evaluation.difficulty_names, np.str_)
    for key in ("experiment", *SAME):
        arrays[key] = np.asarray(str(getattr(evaluation, key) or ""))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def read(path: str | pathlib.Path) -> Predictions:
    """Reads predictions from a file, the folder of a report, or that of a run.

    Raises:
      UserError: there are none, or the file holds something else.
    """
    given = pathlib.Path(path)
    places = [given, given / FILE, given / "report" / FILE]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise UserError(
            f"No predictions at {path}. Give a {FILE}, or the folder of a report or of "
            "a run; evaluate.py makes them: python evaluate.py --config CONFIG "
            f"--workdir {path} --checkpoint best."
        )
    try:
        with found.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            table = _unpacked(file, MOST + MOST_A_BYTE * found.stat().st_size)
        ids, names, labels, scores = (table[key] for key in PER_CLIP)
        classes = table["classes"]
        facts = {key: str(table[key]) for key in ("experiment", *SAME)}
        if not (ids.ndim == names.ndim == labels.ndim == classes.ndim == 1):
            raise ValueError("ids, names, labels and classes are not lists")
        whole = ids.dtype.kind in "iu" and labels.dtype.kind in "iu"
        if scores.dtype.kind not in "fiu" or not whole:
            raise ValueError(
                f"scores are {scores.dtype}, ids {ids.dtype}, labels {labels.dtype}"
            )
    except Exception as error:  # damaged archives make numpy raise almost anything
        raise UserError(
            f"{found} holds no predictions ({error}). Make them again with evaluate.py."
        ) from None
    fits = scores.shape == (len(ids), len(classes))
    if not (fits and len(ids) == len(names) == len(labels) == len(np.unique(ids))):
        raise UserError(
            f"{found} does not fit together: {len(ids)} ids ({len(np.unique(ids))} "
            f"different), {len(names)} names, {len(labels)} labels, scores "
            f"{scores.shape} of {len(classes)} classes. Make it again with evaluate.py."
        )
    if not np.isfinite(scores).all():
        rows = np.flatnonzero(~np.isfinite(scores).all(axis=1))
        raise UserError(
            f"{found} holds scores that are not finite, of {len(rows)} of {len(ids)} "
            f"clips ({_some(names[rows])}): the model has diverged, or the file is "
            "damaged. Evaluate another checkpoint."
        )
    if not len(labels) or labels.min() < 0 or labels.max() >= len(classes):
        raise UserError(
            f"{found} holds {len(labels)} labels; at least one is expected, and each "
            f"in 0..{len(classes) - 1}. Make it again with evaluate.py."
        )
    return Predictions(str(found), ids, names, labels, scores, classes, facts)


def _unpacked(file: Any, most: int) -> dict[str, np.ndarray]:
    """Returns the entries that predictions consist of; looks at nothing else.

    Raises:
      KeyError, ValueError: one is missing, or they unfold to more bytes than ``most``.
    """
    keys = (*PER_CLIP, "classes", "experiment", *SAME)
    members = [file.zip.getinfo(f"{key}.npy") for key in keys]
    size = sum(member.file_size for member in members)
    # Python unpacks the other kinds of compression without regard to the size.
    kinds = {member.compress_type for member in members}
    if size > most or not kinds <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise ValueError(
            f"it unfolds to {size} bytes; at most {most} are expected, packed as NumPy "
            "packs"
        )
    return {k: file[m.filename] for k, m in zip(keys, members, strict=True)}


def fuse(parts: Sequence[Predictions], weights: Sequence[float]) -> Evaluation:
    """Averages the scores ``sum_i w_i s_i / sum_i w_i``, clip by clip.

    Clips are joined by id; the order of the first one's is kept.

    Args:
      parts: of two models or more.
      weights: one a model, not negative, not all zero.

    Returns:
      Their evaluation as one model; ``branches`` holds the scores
      ``[N y]`` of each model alone, in the same order, by its experiment's name.

    Raises:
      UserError: the models were not evaluated on the same clips and classes, or a
        weight cannot be used.
    """
    if len(parts) < 2 or len(weights) != len(parts):
        raise UserError(
            f"Got {len(parts)} predictions and {len(weights)} weights; give at least "
            "two predictions, and one weight for each."
        )
    if min(weights) < 0 or not np.isfinite(weights).all() or sum(weights) <= 0:
        raise UserError(
            f"Got the weights {', '.join(f'{w:g}' for w in weights)}; they must not be "
            "negative, and not all of them zero."
        )
    first = parts[0]
    aligned = [first.scores.astype(np.float64)]
    aligned += [aligned_scores(first, other) for other in parts[1:]]
    scores = np.average(aligned, axis=0, weights=weights)
    names = [part.facts["experiment"] for part in parts]
    if len(set(names)) < len(names):  # two runs of one experiment
        names = [f"{name} ({number})" for number, name in enumerate(names, 1)]
    return Evaluation(
        experiment=" + ".join(
            name if weight == 1 else f"{weight:g} x {name}"
            for weight, name in zip(weights, names, strict=True)
        ),
        dataset=first.facts["dataset"],
        protocol=first.facts["protocol"],
        split=first.facts["split"],
        classes=[str(name) for name in first.classes],
        ids=first.ids,
        names=[str(name) for name in first.names],
        labels=first.labels,
        scores=scores.astype(np.float32),
        branches={
            name: each.astype(np.float32)
            for name, each in zip(names, aligned, strict=True)
        },
    )


def aligned_scores(first: Predictions, other: Predictions) -> np.ndarray:
    """Returns the other's scores in the order of the first's clips.

    Raises:
      UserError: they are not of the same clips and classes.
    """
    pair = f"{first.path} and {other.path}"
    for key in SAME:
        if first.facts[key] != other.facts[key]:
            raise UserError(
                f"{pair} are not of the same {key}: {first.facts[key]!r} and "
                f"{other.facts[key]!r}. Evaluate both on the same clips."
            )
    if not np.array_equal(first.classes, other.classes):
        raise UserError(
            f"{pair} are not of the same classes: {_some(first.classes)} and "
            f"{_some(other.classes)}."
        )
    only = [
        np.setdiff1d(one.ids, two.ids, assume_unique=True)
        for one, two in ((first, other), (other, first))
    ]
    if len(only[0]) or len(only[1]):
        raise UserError(
            f"{pair} are not of the same clips: {len(only[0])} ids are only in the "
            f"first ({_some(only[0])}), {len(only[1])} only in the second "
            f"({_some(only[1])}). Evaluate both on the same split of the same data "
            "set, with the same data.limit."
        )
    places = np.argsort(other.ids)[np.searchsorted(np.sort(other.ids), first.ids)]
    for key in ("names", "labels"):
        one, two = getattr(first, key), getattr(other, key)[places]
        differs = np.flatnonzero(one != two)
        if len(differs):
            row = differs[0]
            raise UserError(
                f"{pair} give the same ids to other clips: {len(differs)} {key} "
                f"differ, the first at id {first.ids[row]} ({one[row]} and "
                f"{two[row]}). They come from two preparations of the data set; "
                "evaluate both on one."
            )
    return other.scores[places].astype(np.float64)


def _some(values: np.ndarray) -> str:
    shown = ", ".join(str(value) for value in values[:3])
    return shown + (", ..." if len(values) > 3 else "") if len(values) else "none"


def table(evaluation: Evaluation) -> str:
    """Returns top-1, top-5 and mean class accuracy of each model and of the average."""
    labels = np.asarray(evaluation.labels)
    rows = [*evaluation.branches.items(), ("average", evaluation.scores)]
    width = max(len(name) for name, _ in rows)
    lines = [f"{'':<{width}}  {'top-1':>7}  {'top-5':>7}  {'class mean':>10}"]
    for name, scores in rows:
        values = metrics.classification(scores, labels)
        lines.append(
            f"{name:<{width}}  {values['top1']:>7.2%}  {values['top5']:>7.2%}  "
            f"{values['mean_class_accuracy']:>10.2%}"
        )
    return "\n".join(lines)
