"""What a model of several streams does when one of them fails."""

import dataclasses
import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from jaxact import metrics
from jaxact.batch import PRESENT, STREAMS
from jaxact.devices.distributed import say
from jaxact.errors import UserError
from jaxact.report import compare
from jaxact.run import evaluation, failures, log
from jaxact.run.session import Opened


@dataclasses.dataclass(frozen=True)
class Case:
    """One failure of one stream; without a stream, none: the model as it is."""

    stream: str = ""
    failure: str = "none"
    strength: float = 0.0

    def __str__(self) -> str:
        if not self.stream:
            return "nothing fails"
        return f"{self.stream} {self.failure} {self.strength:g}"


def cases(inputs: Any, names: Sequence[str] = ()) -> list[Case]:
    """Returns what is tried on a model: nothing first, then each stream's failures.

    Args:
      inputs: the model's streams by name.
      names: of `failures.FAILURES`; (): all.

    Raises:
      UserError: the model has one stream only, or there is no such failure.
    """
    if len(inputs) < 2:
        raise UserError(
            f"The model reads {' and '.join(inputs)} alone; what a failing stream does "
            "is asked of models with more than one."
        )
    unknown = [name for name in names if name not in failures.FAILURES]
    if unknown:
        raise UserError(
            f"There is no failure {', '.join(unknown)}; choose among "
            f"{', '.join(failures.FAILURES)}."
        )
    found = [Case()]
    for stream in inputs:
        for name, failure in failures.FAILURES.items():
            if STREAMS[stream].kind in failure.of and (not names or name in names):
                found += [Case(stream, name, x) for x in failure.strengths]
    return found


def figures(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Returns what is written of a case, of scores ``[N y]`` and labels ``[N]``."""
    return {
        "top1": metrics.ratio(metrics.top_k(scores, labels, 1)),
        "confidence": float(scores.max(axis=1).mean()),
        "calibration_error": metrics.calibration_error(scores, labels),
        "sure_and_wrong": metrics.ratio(metrics.sure_and_wrong(scores, labels)),
    }


def measure(
    opened: Opened,
    variables: Any,
    names: Sequence[str] = (),
    frames: float = 1.0,
    clips: float = 1.0,
) -> list[dict[str, Any]]:
    """Evaluates a model while its streams fail, one at a time.

    A stream fails on the clips that have it; one that is to be missing, on those that
    have another one, too. The others do not count in its rows.

    Args:
      opened: see `session.open_evaluation`.
      variables: of the model, on its devices.
      names: see `cases`.
      frames, clips: see `failures.fail`.

    Returns:
      For each case stream, failure, strength, ``clips``, how many count, `figures`, the
      mean of what the model says of itself (`jaxact.out.OF_ITSELF`), if it does, and,
      but for the first, what Top-1 changes on the same clips by the failure
      (``change``), and the 95 % interval of that (``interval``); where a model cannot
      do without the stream, or no clip counts, ``refused`` and why in place of these;
      and where it can be seen, ``example``, a video ``[t h w c]`` that fails, or of the
      first case ``examples``, each stream's as it is, by name.

    Raises:
      UserError: a share is not above 0 and at most 1; see `cases`.
    """
    for key, share in (("--frames", frames), ("--clips", clips)):
        if not 0 < share <= 1:
            raise UserError(f"Got {key} {share:g}; expected more than 0, at most 1.")
    todo = cases(opened.network.inputs, names)
    rows: list[dict[str, Any]] = []
    whole: evaluation.Result | None = None
    begun = time.perf_counter()
    for index, case in enumerate(todo, 1):
        row = dataclasses.asdict(case)
        counted = _counted(case, tuple(opened.network.inputs), whole)
        if isinstance(counted, str):
            rows.append(row | {"refused": counted})
            continue
        batches = _failing(opened, case, frames, clips)
        try:
            first = next(batches)
            result = opened.evaluate_split(variables, itertools.chain([first], batches))
        except (UserError, ValueError) as error:
            if case.failure != "missing":
                raise
            rows.append(row | {"refused": " ".join(str(error).split())})
            continue
        whole = whole or result
        row |= _examples(opened, case, first, clips)
        row |= _of_clips(result, whole, counted, case)
        rows.append(row)
        left = (time.perf_counter() - begun) / index * (len(todo) - index)
        say(
            f"{case}: top-1 {row['top1']:.1%}  ({index} of {len(todo)}, about "
            f"{log.duration(left)} left)"
        )
    return rows


def _counted(
    case: Case, streams: Sequence[str], whole: evaluation.Result | None
) -> np.ndarray | slice | str:
    """Returns on which clips a case can be seen; or why on none.

    Args:
      whole: where nothing fails; None: this is that case.
    """
    if whole is None or whole.present is None:
        return slice(None)
    there = whole.present[:, streams.index(case.stream)]
    if not there.any():
        return "No clip has this stream."
    if case.failure == "missing":
        there = there & (whole.present.sum(axis=1) > 1)
        if not there.any():
            return "No clip that has this stream has another one."
    return there


def _of_clips(
    result: evaluation.Result,
    whole: evaluation.Result,
    counted: np.ndarray | slice,
    case: Case,
) -> dict[str, Any]:
    """Returns the figures of a case, of the clips that count."""
    if not np.array_equal(result.ids, whole.ids):
        raise ValueError("The clips came in another order: the batches are wrong.")
    scores, labels = result.scores[counted], result.labels[counted]
    found: dict[str, Any] = {"clips": len(labels)}
    found |= {k: float(x[counted].mean()) for k, x in result.of_itself.items()}
    found |= figures(scores, labels)
    if not case.stream:
        return found
    before, after = (
        metrics.in_top_k(x, labels, 1) for x in (whole.scores[counted], scores)
    )
    lost, won = int((before & ~after).sum()), int((after & ~before).sum())
    found["change"] = (won - lost) / len(labels)
    found["interval"] = compare.bootstrap(lost, won, len(labels))
    return found


def _examples(
    opened: Opened, case: Case, batch: dict[str, Any], clips: float
) -> dict[str, Any]:
    """Returns a clip that has the stream and to which it happened, if it is seen."""
    if case.failure == "missing":
        return {}
    chosen = np.flatnonzero(failures.concerned(batch, clips))
    found = {}
    for index, (name, spec) in enumerate(opened.network.inputs.items()):
        having = chosen
        if PRESENT in batch:
            having = chosen[np.asarray(batch[PRESENT])[chosen, index]]
        wanted = STREAMS[name].kind == "video" and case.stream in ("", name)
        if wanted and having.size:
            clip = batch[name][having[0]]
            found[name] = clip if clip.ndim == len(spec.shape) else clip[0]
    if not case.stream:
        return {"examples": found}
    return {"example": found[case.stream]} if found else {}


def _failing(
    opened: Opened, case: Case, frames: float, clips: float
) -> Iterator[dict[str, Any]]:
    inputs = opened.network.inputs
    for batch in opened.eval_batches():
        if not case.stream:
            yield dict(batch)
            continue
        views = batch[case.stream].ndim == len(inputs[case.stream].shape) + 2
        yield failures.fail(
            batch,
            tuple(inputs),
            case.stream,
            case.failure,
            case.strength,
            frames=frames,
            clips=clips,
            views=views,
        )
