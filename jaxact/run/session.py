"""An experiment opened on its data and devices; what is wrong is found here."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
from jax.sharding import Mesh

from jaxact import config as config_lib
from jaxact.batch import Batch, Data, Facts
from jaxact.devices import distributed, platform
from jaxact.run import checks, evaluation
from jaxact.run.network import Network, make_network
from jaxact.run.program import Plan, Program, make_plan, make_program


@dataclasses.dataclass(frozen=True)
class Opened:
    """What evaluation runs.

    Attributes:
      experiment: its data have the version that was found: a newer one that is
        prepared meanwhile does not count.
      data: the pipeline, or what stands for it.
      facts: its facts of the data set.
      network: the model on the devices.
    """

    experiment: config_lib.Experiment
    data: Data
    facts: Facts
    network: Network

    @property
    def mesh(self) -> Mesh:
        """The devices."""
        return self.network.mesh

    def eval_batches(self) -> Iterator[Batch]:
        """Opens this process's batches of the split that is evaluated."""
        spec = self.experiment.eval
        return self.data.eval_batches(
            self.experiment.data,
            self.network.inputs,
            spec.split,
            checks.eval_batch_size(spec.batch_size, self.mesh),
            **_own(),
        )

    def evaluate_split(
        self, variables: Any, batches: Iterator[Batch], pictures: int = 0
    ) -> evaluation.Result:
        """Evaluates the split; see `evaluation.evaluate_batches`."""
        facts, spec = self.facts, self.experiment.eval
        count, wanted = facts.num_clips[spec.split], None
        if spec.show:

            def wanted(row: int, label: int) -> bool:
                return bool(
                    {str(facts.names[row]), facts.classes[label]} & {*spec.show}
                )

        return evaluation.evaluate_batches(
            self.network, variables, batches, count, pictures, wanted
        )


@dataclasses.dataclass(frozen=True)
class OpenedTraining(Opened):
    """What training runs, besides.

    Attributes:
      plan, program: see `jaxact.run.program`.
    """

    plan: Plan
    program: Program

    def train_batches(self, step: int) -> Iterator[Batch]:
        """Opens this process's training batches from a step on."""
        train = self.experiment.train
        return self.data.train_batches(
            self.experiment.data,
            self.network.inputs,
            train.batch_size,
            train.seed,
            step,
            **_own(),
        )


def _own() -> dict[str, int]:
    return {"host": jax.process_index(), "hosts": jax.process_count()}


def open_evaluation(experiment: config_lib.Experiment, data: Data) -> Opened:
    """Opens an experiment for evaluation; nothing is computed, and nothing compiled.

    Raises:
      UserError: on all processes, if model, data and devices do not fit together.
      Exception: what ``data`` raises.
    """
    platform.cache_programs(experiment.train.compilation_cache)
    mesh = distributed.make_mesh(experiment.train.fsdp)
    with distributed.raise_on_all():
        facts = data.dataset_facts(experiment.data)
        checks.check(experiment, facts)
        network = make_network(experiment.model, mesh)
        opened = Opened(_of_version(experiment, facts), data, facts, network)
        opened.eval_batches()
    checks.check_same_everywhere(opened.experiment, facts)
    return opened


def open_training(experiment: config_lib.Experiment, data: Data) -> OpenedTraining:
    """Opens an experiment for training; nothing is computed, and nothing compiled.

    Raises:
      UserError: on all processes, if model, data and devices do not fit together.
      Exception: what ``data`` raises.
    """
    platform.cache_programs(experiment.train.compilation_cache)
    mesh = distributed.make_mesh(experiment.train.fsdp)
    with distributed.raise_on_all():
        facts = data.dataset_facts(experiment.data)
        checks.check(experiment, facts)
        experiment = checks.in_training(experiment, facts)
        checks.check_batch(experiment.train, mesh)
        clips = max(1, facts.num_clips["train"])
        plan = make_plan(experiment.train, clips, facts.class_counts)
        program = make_program(experiment, mesh, plan)
        opened = OpenedTraining(
            _of_version(experiment, facts), data, facts, program.network, plan, program
        )
        opened.eval_batches()
    checks.check_same_everywhere(opened.experiment, facts)
    return opened


def _of_version(
    experiment: config_lib.Experiment, facts: Facts
) -> config_lib.Experiment:
    """Returns the experiment on the one version of its data that was found."""
    data = dataclasses.replace(experiment.data, version=facts.version)
    return dataclasses.replace(experiment, data=data)
