"""An experiment made ready to train: the plan of its steps, state and train step."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from jaxact import config as config_lib
from jaxact.devices import distributed
from jaxact.run import mixing, optim, steps
from jaxact.run.network import Network, make_network
from jaxact.state import AveragedState, State, key_shape


@dataclasses.dataclass(frozen=True)
class Plan:
    """How many steps there are and what happens after which.

    Attributes:
      steps_per_epoch: clips / batch; no whole number, batches run across epochs.
      total_steps: the number of the last step.
      eval_every, checkpoint_every: in steps; 0 is never.
      log_every: steps between progress lines.
      keep: latest checkpoints kept, besides the best one.
      class_weights: of a clip's losses by its label; (): all 1.
    """

    steps_per_epoch: float
    total_steps: int
    eval_every: int
    checkpoint_every: int
    log_every: int = 1
    keep: int = 1
    class_weights: tuple[float, ...] = ()

    def logs(self, step: int) -> bool:
        """Says whether there is a progress line after this many steps."""
        return step % self.log_every == 0 or step == self.total_steps

    def evaluates(self, step: int) -> bool:
        """Says whether there is an evaluation after this many steps."""
        due = self.eval_every and step > 0 and step % self.eval_every == 0
        return bool(due) or step == self.total_steps

    def saves(self, step: int) -> bool:
        """Says whether there is a checkpoint after this many steps."""
        due = self.checkpoint_every and step % self.checkpoint_every == 0
        return bool(due) or self.evaluates(step)


def make_plan(
    train: config_lib.TrainConfig, num_clips: int, class_counts: Sequence[int] = ()
) -> Plan:
    """Turns epochs into steps, and the training clips of each class into weights."""
    steps_per_epoch = num_clips / train.batch_size
    every = train.eval_every * steps_per_epoch
    return Plan(
        steps_per_epoch=steps_per_epoch,
        total_steps=max(1, math.ceil(train.epochs * steps_per_epoch)),
        eval_every=max(1, round(every)) if every > 0 else 0,
        checkpoint_every=train.checkpoint_every,
        log_every=max(1, train.log_every),
        keep=train.keep,
        class_weights=mixing.class_weights(class_counts, train.class_balance),
    )


@dataclasses.dataclass(frozen=True)
class Program:
    """What trains a model; nothing is computed or compiled before it is called.

    Attributes:
      network: the model, and how it is evaluated.
      abstract: shapes, dtypes and shardings of the state.
      create: makes the state from the seed, equal for every number of devices.
      train_step: (state, batch) -> (state, metrics), see `steps.make_train_step`.
    """

    network: Network
    abstract: State
    create: Callable[[], State]
    train_step: steps.TrainStep


def make_program(experiment: config_lib.Experiment, mesh: Mesh, plan: Plan) -> Program:
    """Builds the experiment on these devices.

    Raises:
      ConfigError: a value of the config cannot be used.
    """
    train = experiment.train
    config_lib.check_sizes(experiment.optim, "optim")
    config_lib.check_sizes(experiment.schedule, "schedule")
    network = make_network(experiment.model, mesh)
    schedule = optim.make_schedule(
        experiment.schedule,
        optim.learning_rate(experiment.optim, train.batch_size),
        plan.steps_per_epoch,
        plan.total_steps,
    )
    tx = optim.make_optimizer(experiment.optim, schedule)
    seed = train.seed % 2**32  # every integer is one
    if not 0 <= train.ema_decay < 1:
        raise config_lib.ConfigError(
            f"train.ema_decay is {train.ema_decay:g}; expected 0 (no average) to less "
            "than 1, for example 0.999."
        )
    teaching = mixing.Teaching(
        experiment.mix,
        network.inputs,
        experiment.model.num_classes,
        train.label_smoothing,
        plan.class_weights,
    )
    taught = teaching.mixes or train.label_smoothing or plan.class_weights
    abstract, create = make_state(network, tx, seed, train.ema_decay)
    return Program(
        network=network,
        abstract=abstract,
        create=create,
        train_step=steps.make_train_step(
            network.module,
            experiment.model.losses(),
            tx,
            schedule,
            mesh=mesh,
            seed=seed,
            total_steps=plan.total_steps,
            accumulate=train.accumulate,
            teaching=teaching if taught else None,
            freeze=experiment.optim.freeze,
            shardings=jax.tree.map(lambda x: x.sharding, abstract),
        ),
    )


def make_state(
    network: Network,
    tx: optax.GradientTransformation,
    seed: int,
    ema_decay: float = 0.0,
) -> tuple[State, Callable[[], State]]:
    """Returns shapes, dtypes and shardings of the state, and what makes it."""

    def init(key: jax.Array) -> State:
        variables = network.init(key)
        zero = jnp.zeros((), jnp.int32)
        state = State(zero, **variables, opt_state=tx.init(variables["params"]))
        if not ema_decay:
            return state
        fields = {name: getattr(state, name) for name in State.__dataclass_fields__}
        return AveragedState(
            **fields, ema=jax.tree.map(jnp.copy, variables), decay=ema_decay
        )

    shapes = jax.eval_shape(init, key_shape())
    abstract = distributed.abstract_on(shapes, network.mesh)
    shardings = jax.tree.map(lambda x: x.sharding, abstract)
    jitted = jax.jit(init, out_shardings=shardings)
    return abstract, lambda: jitted(jax.random.key(seed))
