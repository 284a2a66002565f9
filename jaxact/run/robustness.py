"""What a model of several streams does when one of them fails."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from jaxact import metrics, out
from jaxact.batch import STREAMS
from jaxact.devices.distributed import say
from jaxact.errors import UserError
from jaxact.run import failures
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

    Args:
      opened: see `session.open_evaluation`.
      variables: of the model, on its devices.
      names: see `cases`.
      frames, clips: see `failures.fail`.

    Returns:
      For each case stream, failure, strength, `figures` and the mean of what the model
      says of itself (`jaxact.out.OF_ITSELF`), if it does; where a model cannot do
      without the stream, ``refused`` and why in place of these; and where it can be
      seen, ``example``, a failing video ``[t h w c]``.

    Raises:
      UserError: a share is not above 0 and at most 1; see `cases`.
    """
    for key, share in (("--frames", frames), ("--clips", clips)):
        if not 0 < share <= 1:
            raise UserError(f"Got {key} {share:g}; expected more than 0, at most 1.")
    rows = []
    for case in cases(opened.network.inputs, names):
        row = dataclasses.asdict(case)
        batches = _failing(opened, case, frames, clips)
        try:
            first = next(batches)
            result = opened.evaluate_split(variables, itertools.chain([first], batches))
        except (UserError, ValueError) as error:
            if case.failure != "missing":
                raise
            rows.append(row | {"refused": " ".join(str(error).split())})
            continue
        row |= _example(opened, case, first, clips)
        row |= {k: result.metrics[k] for k in out.OF_ITSELF if k in result.metrics}
        rows.append(row | figures(result.scores, result.labels))
        say(f"{case}: top-1 {rows[-1]['top1']:.1%}")
    return rows


def _example(
    opened: Opened, case: Case, batch: dict[str, Any], clips: float
) -> dict[str, Any]:
    """Returns a clip to which it happened, if a picture shows it."""
    shape = opened.network.inputs[case.stream].shape if case.stream else ()
    chosen = np.flatnonzero(failures.concerned(batch, clips))
    seen = case.stream and STREAMS[case.stream].kind == "video"
    if not seen or not chosen.size or case.failure == "missing":
        return {}
    clip = batch[case.stream][chosen[0]]
    return {"example": clip if clip.ndim == len(shape) else clip[0]}


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
