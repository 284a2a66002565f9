"""What the devices of a compiled step exchange, and how much."""

import jax
import jax.numpy as jnp
import pytest

from jaxact import load_experiment
from jaxact.ahead_of_time.collectives import collectives
from jaxact.batch import example_batch
from jaxact.run import program
from tests import tiny

SMALL = {"model.depth": 1, "model.width": 16, "model.heads": 2, "model.image_size": 16}


@pytest.mark.parametrize(
    ("config", "changes"),
    [
        ("demo_stafusion", SMALL),
        pytest.param(
            "demo_stafusion",
            SMALL | {"model.share_backbone": False},
            marks=pytest.mark.long,
        ),
        pytest.param("demo_ccdfarm", {}, marks=pytest.mark.long),
        pytest.param("demo_dam", {}, marks=pytest.mark.long),
        pytest.param("demo_tsm_netvlad", {}, marks=pytest.mark.long),
    ],
)
def test_devices_exchange_gradients_and_statistics_alone(config, changes):
    """No rows of a batch: every device keeps its own from the first layer to the last.

    Were they merged with another axis in the wrong order, or scattered into, XLA would
    move whole activations between devices, in each layer.
    """
    experiment = load_experiment(f"configs/{config}.py", dict(changes))
    size = experiment.train.batch_size = 8
    mesh = tiny.mesh_of(4)
    plan = program.make_plan(experiment.train, 20)
    made = program.make_program(experiment, mesh, plan)
    batch = dict(example_batch(experiment, size))
    for key, kind in (("label", jnp.int32), ("id", jnp.int32), ("mask", jnp.bool_)):
        batch[key] = jax.ShapeDtypeStruct((size,), kind)
    step = made.train_step.lower(made.abstract, batch).compile().as_text()
    assert collectives(step).keys() == {"all-reduce"}
    network = made.network
    step = network.eval_step.lower(network.abstract, batch).compile().as_text()
    assert not collectives(step)
