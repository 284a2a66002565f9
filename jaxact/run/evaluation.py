"""Batches of a split -> scores of every example once -> metrics.

Every number is computed on the host from all examples' scores: it is exact, whatever
the batch size and the number of devices and hosts.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np

from jaxact import metrics, out
from jaxact.batch import PRESENT, STREAMS
from jaxact.devices import distributed
from jaxact.run.network import Network
from jaxact.state import Inputs

# Which of a clip's views are in the batch, where they come one part after another; it
# never goes to the devices.
VIEW = "view"
BRANCH = f"{out.SCORES}/"


@dataclasses.dataclass
class Result:
    """The evaluation of N examples of one split.

    Attributes:
      ids, labels: int [N].
      scores: float32 [N y], softmax, mean of the views.
      branches: the same of the model's other predictions, by name: of one stream alone,
        of a teacher.
      metrics: top1, top5, mean_class_accuracy, loss, top1/NAME of each branch, the
        selection figures, and the means of what a model says of itself, see
        `jaxact.out.OF_ITSELF`.
      of_itself: of what a model says of itself, each clip's, [N].
      present: bool [N s], which of the model's streams each clip has; None: all.
      selection: the selection figures alone; None without ground truth or selection.
      difficulty: int [N] bit masks, or None.
      frame_marks, actor_visible: [N f], see `jaxact.frame_choice`; None as selection.
      examples: what the report shows of a few clips.
      views: how many views a clip has.
    """

    ids: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    branches: dict[str, np.ndarray]
    metrics: dict[str, float]
    of_itself: dict[str, np.ndarray]
    present: np.ndarray | None
    selection: dict[str, float] | None
    difficulty: np.ndarray | None
    frame_marks: np.ndarray | None
    actor_visible: np.ndarray | None
    examples: list[dict[str, Any]]
    views: int


def evaluate_batches(
    network: Network,
    variables: Mapping[str, Any],
    batches: Iterable[Mapping[str, np.ndarray]],
    num_examples: int,
    pictures: int = 0,
    wanted: Callable[[int, int], bool] | None = None,
) -> Result:
    """Evaluates a split.

    Args:
      network: the model.
      variables: of the model, on its devices.
      batches: this process's evaluation batches, padded; see the pipeline.
      num_examples: in the split, to choose pictures from all of it.
      pictures: how many clips to keep with their frames, for the report.
      wanted: says of an id and a label whether it is to be one of them; by default
        they are spread over the split.

    Raises:
      ValueError: an example came twice, or not all came.
    """
    inputs = network.inputs
    unread = {out.JOINTS_SEEN, VIEW} - set(network.reads)
    rows: dict[str, list[np.ndarray]] = {}
    pairs: dict[str, metrics.Pair] = {}
    examples: list[dict[str, Any]] = []
    every = max(1, num_examples // max(pictures, 1) // jax.process_count())
    seen, views, parts = 0, 1, 1
    for batch in batches:
        part = int(batch[VIEW].max()) // _views(batch, inputs) if VIEW in batch else 0
        parts = max(parts, part + 1)
        views = _views(batch, inputs) * parts
        read = {name: v for name, v in batch.items() if name not in unread}
        on_device = distributed.put_batch(read, network.mesh)
        result = dict(network.eval_step(variables, on_device))
        known = (*out.TRUTH, PRESENT)
        result |= {name: on_device[name] for name in known if name in batch}
        local = distributed.to_host(result)
        if part:  # further views of the clips of the batch before
            for name, value in local.items():
                if _of_views(name):
                    rows[name][-1] = rows[name][-1] + value[local["mask"]]
            continue
        if pictures:
            for row in np.flatnonzero(batch["mask"]):
                chosen = seen % every == 0
                if wanted is not None:
                    chosen = wanted(int(batch["id"][row]), int(batch["label"][row]))
                if chosen and len(examples) < pictures:
                    examples.append(_example(batch, local, int(row), inputs))
                seen += 1
        real = {name: value[local["mask"]] for name, value in local.items()}
        if out.KEEP in real and out.ACTOR_BOX in real:
            pairs = metrics.add(pairs, _selection(real, inputs))
        for name in real:
            if name in (*out.OF_EVERY_CLIP, PRESENT) or name.startswith(BRANCH):
                rows.setdefault(name, []).append(real[name])
        done = sum(map(len, rows.get("id", [])))
        if distributed.is_main():
            distributed.counter("evaluating clip", done, num_examples)
    table = {name: np.concatenate(arrays) for name, arrays in rows.items()}
    for name in table:
        if _of_views(name):
            table[name] = table[name] / np.float32(parts)
    _check_ids(table.get("id", np.zeros(0, int)), num_examples)
    selection = metrics.summary(pairs) if pairs else None
    numbers = metrics.classification(table[out.SCORES], table["label"])
    branches = {
        name.removeprefix(BRANCH): scores
        for name, scores in table.items()
        if name.startswith(BRANCH)
    }
    for name, scores in branches.items():
        right = metrics.top_k(scores, table["label"], 1)
        numbers[f"top1/{name}"] = metrics.ratio(right)
    of_itself = {name: table[name] for name in out.OF_ITSELF if name in table}
    numbers |= {name: float(values.mean()) for name, values in of_itself.items()}
    return Result(
        ids=table["id"],
        labels=table["label"],
        scores=table[out.SCORES],
        branches=branches,
        metrics=numbers | (selection or {}),
        of_itself=of_itself,
        present=table.get(PRESENT),
        selection=selection,
        difficulty=table.get(out.DIFFICULTY),
        frame_marks=table.get(out.FRAME_MARKS) if selection else None,
        actor_visible=table.get(out.ACTOR_VISIBLE) if selection else None,
        examples=examples,
        views=views,
    )


def _of_views(name: str) -> bool:
    """Says whether an entry is the mean of a clip's views, not of the first view."""
    return name.startswith(out.SCORES) or name in out.OF_ITSELF


def _check_ids(ids: np.ndarray, num_examples: int) -> None:
    distinct = len(np.unique(ids))
    if not len(ids) == distinct == num_examples:
        raise ValueError(
            f"Evaluation saw {len(ids)} examples, {distinct} of them distinct; the "
            f"split has {num_examples}. Each must come exactly once: the batches are "
            "wrong."
        )


def _views(batch: Mapping[str, np.ndarray], inputs: Inputs) -> int:
    for name, spec in inputs.items():
        if batch[name].ndim == len(spec.shape) + 2:
            return batch[name].shape[1]
    return 1


def _selection(real: Mapping[str, Any], inputs: Inputs) -> dict[str, metrics.Pair]:
    patches = real[out.KEEP].shape[-1]
    videos = [inputs[n].shape for n in inputs if STREAMS[n].kind == "video"]
    height, width = videos[0][1:3]
    return metrics.selection_recall(
        real[out.FRAME_MARKS],
        real[out.KEEP],
        real[out.ACTOR_VISIBLE],
        real[out.ACTOR_BOX],
        out.patch_grid(patches, height, width),
    )


def _example(
    batch: Mapping[str, np.ndarray],
    local: Mapping[str, Any],
    row: int,
    inputs: Inputs,
) -> dict[str, Any]:
    """Returns one clip for the report: its streams (first view) and what was chosen."""
    # This process's rows start where its part of the global batch does; only the main
    # process's examples are used, and its part is the first.
    example: dict[str, Any] = {"id": int(batch["id"][row])}
    example["streams"] = {
        name: batch[name][row][0]
        if batch[name].ndim == len(spec.shape) + 2
        else batch[name][row]
        for name, spec in inputs.items()
    }
    example["label"] = int(batch["label"][row])
    for name in (out.SCORES, *out.SELECTION, *out.TRUTH, PRESENT):
        if name in local:
            example[name] = local[name][row]
    if out.JOINTS_SEEN in batch:
        example[out.JOINTS_SEEN] = batch[out.JOINTS_SEEN][row]
    return example
