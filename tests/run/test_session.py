"""Processes that do not fit together say so before anything is computed."""

import jax
import pytest

from jaxact import config, errors
from jaxact.devices import distributed
from jaxact.run import checks, program
from tests import tiny


def told(monkeypatch, text, identity):
    """The main process has another config text or other data."""
    monkeypatch.setattr(
        distributed, "broadcast_from_main", lambda mine: [text, identity]
    )


def test_processes_with_different_commands_are_refused(monkeypatch):
    experiment = tiny.experiment()
    facts = tiny.TinyData().dataset_facts(experiment.data)
    text, identity = config.config_text(experiment), checks.data_identity(facts)
    told(monkeypatch, text, identity)
    checks.check_same_everywhere(experiment, facts)
    # Folders and caches are each machine's own.
    own = text.replace("data.dir = ", "data.dir = 'elsewhere' or ")
    told(monkeypatch, own.replace("data.workers = ", "data.workers = 1"), identity)
    checks.check_same_everywhere(experiment, facts)

    other = config.config_text(tiny.experiment(**{"optim.lr": 0.75}))
    told(monkeypatch, other, identity | {"digest": "other"})
    with pytest.raises(errors.UserError) as error:
        checks.check_same_everywhere(experiment, facts)
    message = str(error.value)
    assert "optim.lr: was 0.75, now " in message
    assert "digest: was other, now of tiny" in message
    assert "Start the same command with the same data on every machine." in message


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("demo_stafusion", "k1", 3.0),
        ("demo_ccdfarm", "skeleton_frames", 3),
    ],
)
def test_a_value_that_cannot_be_is_no_traceback(name, key, value):
    experiment = config.load_experiment(f"configs/{name}.py")
    setattr(experiment.model, key, value)
    plan = program.make_plan(experiment.train, 20)
    with pytest.raises(config.ConfigError, match=f"cannot be built. .*{value}"):
        program.make_program(experiment, tiny.mesh_of(1), plan)


@pytest.mark.parametrize(
    "environ",
    [
        {"SLURM_NTASKS": "2", "SLURM_PROCID": "0"},
        {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"},
    ],
)
def test_a_cluster_that_jax_does_not_know_is_no_traceback(monkeypatch, environ):
    def unknown(*_):
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", unknown)
    with pytest.raises(errors.UserError, match="should be defined. Set JAX_COORD"):
        distributed.initialize(environ)
