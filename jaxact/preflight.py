"""What is settled before the first training step: checks, the plan, the start."""

import dataclasses
import math
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from flax import traverse_util
from jax.sharding import Mesh

from jaxact import checkpoint, convert, distributed, errors, optim
from jaxact import config as config_lib
from jaxact.program import Plan, Program
from jaxact.steps import State

# Keys that may differ when a run is continued: they do not change what is computed.
FREE_KEYS = (
    "name",
    "train.init_from",
    "train.init_part",
    "train.fsdp",
    "train.log_every",
    "train.eval_every",
    "train.checkpoint_every",
    "train.keep",
    "train.compilation_cache",
    "eval.",
    "data.dir",
    "data.cache_mb",
    "data.workers",
    "data.prefetch",
    "data.test_resize",
    "data.eval_views",
)
METRICS = ("top1", "top5", "mean_class_accuracy")


def check(experiment: config_lib.Experiment, facts: Any) -> None:
    """Compares the experiment with the data set.

    Args:
      experiment: what is to be run.
      facts: the pipeline's facts of the data set.

    Raises:
      UserError: they do not fit together.
    """
    classes = len(facts.classes)
    if experiment.model.num_classes != classes:
        raise errors.UserError(
            f"The model has {experiment.model.num_classes} classes "
            f"(model.num_classes), but the data set {facts.name!r} has {classes}. Add "
            f"--config.model.num_classes={classes}, or name another data set."
        )
    if experiment.train.init_part not in ("all", "backbone"):
        raise errors.UserError(
            f"train.init_part is {experiment.train.init_part!r}; choose all or "
            "backbone."
        )
    if experiment.eval.best_metric not in METRICS:
        raise errors.UserError(
            f"eval.best_metric is {experiment.eval.best_metric!r}; choose one of "
            f"{', '.join(METRICS)}."
        )
    split = experiment.eval.split
    if not facts.num_clips.get(split):
        there = ", ".join(f"{k} ({n})" for k, n in facts.num_clips.items() if n)
        raise errors.UserError(
            f"The data set {facts.name!r} has no clips in the split {split!r} of "
            f"protocol {facts.protocol!r}; it has {there}. Choose with "
            "--config.eval.split."
        )


def check_batch(train: config_lib.TrainConfig, mesh: Mesh) -> None:
    """Checks that the batch can be divided.

    Raises:
      UserError: it cannot, or a number that must be positive is not.
    """
    numbers = (train.batch_size, train.accumulate, train.epochs, train.log_every)
    if min(numbers) <= 0:
        raise errors.UserError(
            "train.batch_size, train.accumulate, train.epochs and train.log_every must "
            f"be positive; got {', '.join(map(str, numbers))}."
        )
    parts = mesh.devices.size * train.accumulate
    if train.batch_size % parts:
        nearest = max(1, round(train.batch_size / parts)) * parts
        raise errors.UserError(
            f"The batch of {train.batch_size} (train.batch_size) cannot be divided by "
            f"{mesh.devices.size} devices x {train.accumulate} micro-batches "
            f"(train.accumulate). Take a multiple of {parts}, for example "
            f"--config.train.batch_size={nearest}."
        )


def eval_batch_size(wanted: int, mesh: Mesh) -> int:
    """Rounds up to a multiple of the devices; what is too much is masked."""
    devices = mesh.devices.size
    return -(-max(wanted, 1) // devices) * devices


def start_table(
    experiment: config_lib.Experiment, facts: Any, mesh: Mesh, plan: Plan, params: Any
) -> str:
    """Returns what will run, on what and how long, for a person to check."""
    train, device = experiment.train, mesh.devices.flat[0]
    count = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
    peak = optim.learning_rate(experiment.optim, train.batch_size)
    streams = ", ".join(
        f"{name} {'x'.join(map(str, spec.shape))}"
        for name, spec in experiment.model.inputs().items()
    )
    micro = f" in {train.accumulate} parts" if train.accumulate > 1 else ""
    rows = {
        "experiment": experiment.name,
        "devices": f"{mesh.devices.size} x {device.device_kind} "
        f"({jax.process_count()} processes)",
        "parameters": f"{count:,}, computed in {experiment.model.dtype}",
        "data": f"{facts.name} {facts.version}, protocol {facts.protocol}, "
        f"{len(facts.classes)} classes",
        "clips": ", ".join(f"{k} {n:,}" for k, n in facts.num_clips.items() if n),
        "streams": streams,
        "batch": f"{train.batch_size}{micro}",
        "steps": f"{plan.total_steps:,} ({train.epochs:g} epochs of "
        f"{plan.steps_per_epoch:.1f})",
        "optimiser": f"{experiment.optim.optimizer}, peak rate {peak:g}, "
        f"{experiment.schedule.kind}",
    }
    return "\n".join(f"  {name:<11} {text}" for name, text in rows.items())


def data_identity(facts: Any) -> dict[str, Any]:
    """Returns what tells the clips of a run from any others, for JSON."""
    return {
        "name": facts.name,
        "version": facts.version,
        "protocol": facts.protocol,
        "clips": {split: int(n) for split, n in facts.num_clips.items()},
        "digest": facts.digest,
    }


def start_state(
    experiment: config_lib.Experiment,
    facts: Any,
    checkpoints: checkpoint.Checkpoints,
    program: Program,
    mesh: Mesh,
    train_batches: Callable[[int], Iterator[Any]],
) -> tuple[State, checkpoint.Meta]:
    """Returns the state to start from, and says which it is.

    In this order: 1. the newest checkpoint of the run; 2. the weights of
    ``train.init_from``; 3. random weights from the seed. In 2 and 3 the model may then
    set parameters by training clips (`ModelConfig.prepare`), unless the weights are
    those of a whole model.

    Args:
      experiment: what is to be trained.
      facts: the pipeline's facts of the data set.
      checkpoints: of this run.
      program: see `jaxact.program`.
      mesh: the devices.
      train_batches: opens this process's training batches from a step on.

    Raises:
      UserError: the run was begun with another config or other data, or weights do not
        fit.
    """
    train, text = experiment.train, config_lib.config_text(experiment)
    where = str(checkpoints.folder.parent)
    steps = checkpoints.steps()
    if steps:
        try:
            stored = checkpoints.meta(steps[-1])
        except checkpoint.DamagedError:
            stored = None  # restore_latest deals with it
        if stored:
            check_same_config(stored["config"], text, where)
    restored = checkpoints.restore_latest(program.abstract)
    if restored is not None:
        state, meta = restored
        check_same_config(meta["config"], text, where)
        check_same_data(meta.get("data"), data_identity(facts), where)
        say(f"Start: checkpoint of step {meta['step']} in {checkpoints.folder}")
        return state, meta
    state = program.create()
    if train.init_from:
        state = initialize_from(train, state, program.abstract, mesh)
        say(f"Start: weights of {train.init_from}")
    else:
        say(f"Start: random weights, seed {train.seed}")
    whole = pathlib.Path(train.init_from or "-").is_dir() and train.init_part == "all"
    if not whole:
        params = experiment.model.prepare(
            state.params,
            state.batch_stats,
            lambda: (distributed.put_batch(b, mesh) for b in train_batches(0)),
            train.seed % 2**32,
        )
        params = distributed.put_state(params, mesh)
        state = dataclasses.replace(state, params=params)
    return state, {"step": 0}


def initialize_from(
    train: config_lib.TrainConfig, state: State, abstract: State, mesh: Mesh
) -> State:
    """Replaces the weights by those of a checkpoint folder or a file of public weights.

    Raises:
      UserError: there is none, or it is of another model.
    """
    path = train.init_from
    if pathlib.Path(path).is_dir():
        folder, step = checkpoint.find(path)
        source = checkpoint.Checkpoints(folder, read_only=True)
        weights = source.restore_weights(step, abstract, train.init_part)
        source.close()
        params, batch_stats = map(_replaced, (state.params, state.batch_stats), weights)
    else:
        params, batch_stats, report = convert.initialize_from(
            path, state.params, state.batch_stats
        )
        params, batch_stats = distributed.put_state((params, batch_stats), mesh)
        say(str(report))
    return dataclasses.replace(state, params=params, batch_stats=batch_stats)


def _replaced(tree: Any, leaves: Any) -> Any:
    """Returns the nested dict with some of its leaves replaced."""
    flat = traverse_util.flatten_dict(tree) | traverse_util.flatten_dict(leaves)
    return traverse_util.unflatten_dict(flat)


def restore_weights(
    folder: pathlib.Path, step: int, program: Program, mesh: Mesh
) -> State:
    """Returns a state for evaluation: a checkpoint's weights, no optimiser.

    Raises:
      UserError: the checkpoint is damaged or of another model.
    """
    source = checkpoint.Checkpoints(folder, read_only=True)
    params, batch_stats = source.restore_weights(step, program.abstract)
    source.close()
    at = distributed.put_replicated(np.int32(step), mesh)
    return State(at, params, batch_stats, opt_state=())


def check_same_config(stored: str, current: str, where: str) -> None:
    """Compares the config of a run with the one it is to be continued with.

    Raises:
      UserError: a key that changes what is computed differs.
    """
    old, new = _table(stored), _table(current)
    differences = [
        f"  {key}: was {old.get(key, 'absent')}, now {new.get(key, 'absent')}"
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key) and not key.startswith(FREE_KEYS)
    ]
    if differences:
        raise errors.UserError(
            f"The run in {where} was begun with another config:\n"
            + "\n".join(differences)
            + "\nTo continue it, give the same values again. To train with the new "
            "ones, choose another --workdir; with --config.train.init_from="
            f"{where} it starts from these weights."
        )


def check_same_data(
    stored: dict[str, Any] | None, current: dict[str, Any], where: str
) -> None:
    """Compares the clips of a run with those it is to be continued on.

    Raises:
      UserError: they are others.
    """
    if stored is None or stored == current:  # None: of an earlier version
        return
    differences = [
        f"  {key}: was {stored.get(key)}, now {value}"
        for key, value in current.items()
        if stored.get(key) != value
    ]
    raise errors.UserError(
        f"The run in {where} was begun on other data:\n"
        + "\n".join(differences)
        + "\n(The digest is of what the data set was prepared from, and how.) To "
        "continue it, name the data of before with --config.data.dir and "
        "--config.data.version. To train on these, choose another --workdir; with "
        f"--config.train.init_from={where} it starts from these weights."
    )


def _table(text: str) -> dict[str, str]:
    pairs = (line.partition(" = ") for line in text.splitlines())
    return {key: value for key, _, value in pairs if key}


def say(text: str) -> None:
    """Prints on the main process only."""
    if distributed.is_main():
        print(text, flush=True)
