"""Where a training starts: what it says of itself, and its first state."""

import dataclasses
import math

import jax
from jax.sharding import Mesh

from jaxact import config as config_lib
from jaxact.checkpoints import manager
from jaxact.devices import distributed
from jaxact.run import checks, optim, transfer
from jaxact.run.session import OpenedTraining
from jaxact.state import State


def start_table(opened: OpenedTraining) -> str:
    """Returns what will run, on what and how long, for a person to check."""
    experiment, facts, plan = opened.experiment, opened.facts, opened.plan
    train, devices = experiment.train, opened.mesh.devices
    params = jax.tree.leaves(opened.program.abstract.params)
    count = sum(math.prod(leaf.shape) for leaf in params)
    peak = optim.learning_rate(experiment.optim, train.batch_size)
    streams = ", ".join(
        f"{name} {'x'.join(map(str, spec.shape))}"
        for name, spec in experiment.model.inputs().items()
    )
    micro = f" in {train.accumulate} parts" if train.accumulate > 1 else ""
    rows = {
        "experiment": experiment.name,
        "devices": f"{devices.size} x {devices.flat[0].device_kind} "
        f"({jax.process_count()} processes)",
        "parameters": f"{count:,}, computed in {experiment.model.dtype}",
        "data": f"{facts.title}, protocol {facts.protocol}, "
        f"{len(facts.classes)} classes",
        "clips": ", ".join(f"{k} {n:,}" for k, n in facts.num_clips.items() if n),
        "streams": streams,
        "batch": f"{train.batch_size}{micro}",
        "steps": f"{plan.total_steps:,} ({train.epochs:g} epochs of "
        f"{plan.steps_per_epoch:.1f})",
        "optimiser": f"{experiment.optim.optimizer}, peak rate {peak:g}, "
        f"{experiment.schedule.kind}",
        "evaluation": f"{experiment.eval.split}; best by {experiment.eval.best_metric}",
    }
    lines = [f"  {name:<11} {text}" for name, text in rows.items()]
    notes = [*experiment.model.notes(experiment), *facts.doubts]
    return "\n".join([*lines, *(f"Note: {text}" for text in notes)])


def start_state(
    experiment: config_lib.Experiment,
    opened: OpenedTraining,
    checkpoints: manager.Checkpoints,
) -> tuple[State, manager.Meta]:
    """Returns the state to start from, and says which it is.

    In this order: 1. the newest checkpoint of the run; 2. the weights of
    ``train.init_from``; 3. random weights from the seed. In 2 and 3 the model may then
    set parameters by training clips (`ModelConfig.prepare`), unless everything but
    heads was loaded.

    Args:
      experiment: what is to be trained, as the run stores it.
      opened: the same, opened.
      checkpoints: of this run.

    Raises:
      UserError: the run was begun with another config or other data, or weights do not
        fit.
    """
    train = experiment.train
    program, mesh = opened.program, opened.mesh
    where = str(checkpoints.folder.parent)
    steps = checkpoints.steps()
    if steps:
        try:
            stored = checkpoints.meta(steps[-1])
        except manager.DamagedError:
            stored = None  # restore_latest deals with it
        if stored:
            checks.check_same_config(stored["config"], experiment, where)
    restored = checkpoints.restore_latest(program.abstract)
    if restored is not None:
        state, meta = restored
        checks.check_same_config(meta["config"], experiment, where)
        checks.check_same_data(
            meta.get("data"), checks.data_identity(opened.facts), where
        )
        distributed.say(
            f"Start: checkpoint of step {meta['step']} in {checkpoints.folder}"
        )
        return state, meta
    state = program.create()
    whole = False
    if train.init_from:
        state, whole = _given_weights(train, state, mesh)
        distributed.say(f"Start: weights of {train.init_from}")
    else:
        distributed.say(f"Start: random weights, seed {train.seed}")
    if not whole:
        params = experiment.model.prepare(
            state.params,
            state.batch_stats,
            lambda: (distributed.put_batch(b, mesh) for b in opened.train_batches(0)),
            train.seed % 2**32,
        )
        params = distributed.put_state(params, mesh)
        state = dataclasses.replace(state, params=params)
    return state.started(), {"step": 0}


def _given_weights(
    train: config_lib.TrainConfig, state: State, mesh: Mesh
) -> tuple[State, bool]:
    """Replaces weights by those that ``train.init_from`` gives, and says which.

    Returns:
      The state, and whether everything but heads was given.

    Raises:
      UserError: there are none, or they are of another model.
    """
    start = transfer.start_from(
        train.init_from, train.init_part, state.params, state.batch_stats
    )
    for report in start.reports:
        distributed.say(str(report))
    params, batch_stats = distributed.put_state((start.params, start.batch_stats), mesh)
    state = dataclasses.replace(state, params=params, batch_stats=batch_stats)
    return state, start.whole
