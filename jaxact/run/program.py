"""An experiment made ready to run: the plan of its steps, and the compiled steps."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
from jax.sharding import Mesh

from jaxact import config as config_lib
from jaxact.run import optim, steps
from jaxact.state import Metrics, State


@dataclasses.dataclass(frozen=True)
class Plan:
    """How many steps there are and what happens after which.

    Attributes:
      steps_per_epoch: clips / batch; no whole number, batches run across epochs.
      total_steps: the number of the last step.
      eval_every, checkpoint_every: in steps; 0 is never.
    """

    steps_per_epoch: float
    total_steps: int
    eval_every: int
    checkpoint_every: int

    def evaluates(self, step: int) -> bool:
        """Says whether there is an evaluation after this many steps."""
        due = self.eval_every and step % self.eval_every == 0
        return bool(due) or step == self.total_steps

    def saves(self, step: int) -> bool:
        """Says whether there is a checkpoint after this many steps."""
        due = self.checkpoint_every and step % self.checkpoint_every == 0
        return bool(due) or self.evaluates(step)


def make_plan(train: config_lib.TrainConfig, num_clips: int) -> Plan:
    """Turns epochs into steps."""
    steps_per_epoch = num_clips / train.batch_size
    every = train.eval_every * steps_per_epoch
    return Plan(
        steps_per_epoch=steps_per_epoch,
        total_steps=max(1, math.ceil(train.epochs * steps_per_epoch)),
        eval_every=max(1, round(every)) if every > 0 else 0,
        checkpoint_every=train.checkpoint_every,
    )


@dataclasses.dataclass(frozen=True)
class Program:
    """What the scripts call; nothing is computed or compiled before they do.

    Attributes:
      inputs: the model's streams by name, in their order.
      abstract: shapes, dtypes and shardings of the state.
      create: makes the state from the seed.
      train_step: (state, batch) -> (state, metrics), see `steps.make_train_step`.
      eval_step: (state, batch) -> scores and more, see `steps.make_eval_step`.
    """

    inputs: Mapping[str, Any]
    abstract: State
    create: Callable[[], State]
    train_step: Callable[[State, Any], tuple[State, Metrics]]
    eval_step: Callable[[State, Any], Metrics]


def make_program(experiment: config_lib.Experiment, mesh: Mesh, plan: Plan) -> Program:
    """Builds the experiment on these devices.

    Raises:
      ConfigError: a value of the config cannot be used.
    """
    train = experiment.train
    if train.compilation_cache:
        jax.config.update("jax_compilation_cache_dir", train.compilation_cache)
    inputs = experiment.model.inputs()
    try:
        module = experiment.model.build()
    except ValueError as error:
        raise config_lib.ConfigError(f"The model cannot be built. {error}") from error
    schedule = optim.make_schedule(
        experiment.schedule,
        optim.learning_rate(experiment.optim, train.batch_size),
        plan.steps_per_epoch,
        plan.total_steps,
    )
    tx = optim.make_optimizer(experiment.optim, schedule)
    abstract = steps.abstract_state(module, tx, inputs, mesh)
    seed = train.seed % 2**32  # every integer is one
    return Program(
        inputs=inputs,
        abstract=abstract,
        create=lambda: steps.create_state(module, tx, inputs, mesh, seed),
        train_step=steps.make_train_step(
            module,
            experiment.model.losses(),
            tx,
            schedule,
            mesh=mesh,
            seed=seed,
            total_steps=plan.total_steps,
            accumulate=train.accumulate,
            shardings=jax.tree.map(lambda x: x.sharding, abstract),
        ),
        eval_step=steps.make_eval_step(module, inputs, mesh=mesh),
    )
