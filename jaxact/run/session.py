"""An experiment opened on its data and devices; what is wrong is found here."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
from jax.sharding import Mesh

from jaxact import config as config_lib
from jaxact.devices import distributed
from jaxact.run import checks, evaluation
from jaxact.run.program import Plan, Program, make_plan, make_program
from jaxact.state import State


@dataclasses.dataclass(frozen=True)
class Opened:
    """What the scripts run.

    Attributes:
      experiment: its data have the version that was found: a newer one that is
        prepared meanwhile does not count.
      data: the pipeline, or what stands for it.
      facts: its facts of the data set.
      mesh: the devices.
      plan, program: see `jaxact.run.program`.
    """

    experiment: config_lib.Experiment
    data: Any
    facts: Any
    mesh: Mesh
    plan: Plan
    program: Program

    def train_batches(self, step: int) -> Iterator[Any]:
        """Opens this process's training batches from a step on."""
        train = self.experiment.train
        return self.data.train_batches(
            self.experiment.data,
            self.program.inputs,
            train.batch_size,
            train.seed,
            step,
            **_own(),
        )

    def eval_batches(self) -> Iterator[Any]:
        """Opens this process's batches of the split that is evaluated."""
        spec = self.experiment.eval
        return self.data.eval_batches(
            self.experiment.data,
            self.program.inputs,
            spec.split,
            checks.eval_batch_size(spec.batch_size, self.mesh),
            **_own(),
        )

    def evaluate(
        self, state: State, batches: Iterator[Any], pictures: int = 0
    ) -> evaluation.Result:
        """Evaluates the split; see `evaluation.evaluate`."""
        count = self.facts.num_clips[self.experiment.eval.split]
        program = self.program
        return evaluation.evaluate(
            program.eval_step,
            state,
            batches,
            program.inputs,
            self.mesh,
            count,
            pictures,
        )


def _own() -> dict[str, int]:
    return {"host": jax.process_index(), "hosts": jax.process_count()}


def open_experiment(
    experiment: config_lib.Experiment, data: Any, trains: bool = True
) -> Opened:
    """Opens an experiment; nothing is computed, and nothing compiled.

    Raises:
      UserError: on all processes, if model, data and devices do not fit together.
      Exception: what ``data`` raises.
    """
    mesh = distributed.make_mesh(experiment.train.fsdp)
    with distributed.together():
        facts = data.dataset_facts(experiment.data)
        checks.check(experiment, facts)
        if trains:
            checks.check_batch(experiment.train, mesh)
        plan = make_plan(experiment.train, max(1, facts.num_clips["train"]))
        program = make_program(experiment, mesh, plan)
        one_version = dataclasses.replace(experiment.data, version=facts.version)
        experiment = dataclasses.replace(experiment, data=one_version)
        opened = Opened(experiment, data, facts, mesh, plan, program)
        opened.eval_batches()
    checks.check_same_everywhere(experiment, facts)
    return opened
