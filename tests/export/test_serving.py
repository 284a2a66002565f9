"""The function that leaves: portable forms say what the usual ones say."""

import jax
import numpy as np
import pytest

import jaxact
from jaxact import errors
from jaxact.export import serving
from jaxact.run.network import make_network
from tests import tiny
from tests.export.test_folder import CONFIG, SMALL


def primitives(jaxpr, found=None):
    """Names of all operations, those inside of calls too."""
    found = set() if found is None else found
    for equation in jaxpr.eqns:
        found.add(equation.primitive.name)
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                primitives(inner, found)
    return found


@pytest.mark.parametrize(
    "config", [CONFIG, pytest.param(f"{CONFIG}:ranked", marks=pytest.mark.long)]
)
def test_portable_stafusion_neither_sorts_nor_asks_for_erf(config):
    experiment = jaxact.load_experiment(config, SMALL | {"model.dtype": "bfloat16"})
    batch = jaxact.example_batch(experiment, 3)
    clips = {name: batch[name] for name in experiment.model.inputs()}
    network = make_network(experiment.model, tiny.mesh_of(1))
    variables = network.init(jax.random.key(0))
    expected = serving.logits_of_jax(experiment, variables, clips)
    operations = {}
    for portable in (False, True):
        served = serving.serve(experiment, variables, portable)
        found = jax.jit(served)(variables, clips)
        np.testing.assert_allclose(found["logits"], expected, atol=1e-5)
        assert found["logits"].dtype == np.float32
        assert {"scores", "keep", "frame_marks"} < found.keys() == served.outputs.keys()
        traced = jax.make_jaxpr(served)(variables, clips)
        operations[portable] = primitives(traced.jaxpr)
    lacking = {"sort", "erf"}
    assert lacking <= operations[False] and not lacking & operations[True]
    assert experiment.model.dtype == "bfloat16"  # as it was


@pytest.mark.long
def test_convolutions_are_sums_of_those_of_two_axes():
    changes = {"model.width": 0.125, "model.conv3d": "native", "model.image_size": 32}
    experiment = jaxact.load_experiment("configs/demo_ccdfarm.py", changes)
    module = experiment.model.build()
    clips = {
        name: jax.ShapeDtypeStruct((1, *x.shape), x.dtype)
        for name, x in experiment.model.inputs().items()
    }
    key = jax.eval_shape(lambda: jax.random.key(0))
    variables = jax.eval_shape(lambda k, c: module.init(k, c, train=False), key, clips)
    served = serving.serve(experiment, variables, True)
    ranks = set()

    def look(jaxpr):
        for equation in jaxpr.eqns:
            if equation.primitive.name == "conv_general_dilated":
                ranks.add(equation.invars[0].aval.ndim)
            for value in equation.params.values():
                inner = getattr(value, "jaxpr", value)
                if hasattr(inner, "eqns"):
                    look(inner)

    look(jax.make_jaxpr(served)(variables, clips).jaxpr)
    assert ranks == {4}


def test_a_model_that_needs_more_than_streams_is_refused(monkeypatch):
    experiment = jaxact.load_experiment(CONFIG, SMALL)

    def needs(self, variables, batch, train):
        return {"logits": batch["history"]}

    monkeypatch.setattr(type(experiment.model.build()), "apply", needs)
    with pytest.raises(errors.UserError, match="'history'.* cannot be exported"):
        serving.serve(experiment, {}, True)
