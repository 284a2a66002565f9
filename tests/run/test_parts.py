"""Parts by name: slower ones, and ones that stand still, statistics and all."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.config import ConfigError, OptimConfig
from jaxact.layers.batch_norm import BatchNorm
from jaxact.run import parts, program
from tests import tiny

PARAMS = {
    "backbone": {"blocks_0": {"kernel": 1.0}, "blocks_1": {"kernel": 2.0}},
    "backbone_ir": {"kernel": 3.0},
    "head": {"kernel": 4.0, "bias": 5.0},
}


def test_the_longest_part_that_is_named_says_the_rate():
    optim = OptimConfig(
        part_lr=(("backbone", 0.1), ("backbone/blocks_1", 0.5), ("head/bias", 2.0)),
        freeze=("backbone_ir",),
    )
    assert parts.rates(PARAMS, optim) == {
        "backbone": {"blocks_0": {"kernel": 0.1}, "blocks_1": {"kernel": 0.5}},
        "backbone_ir": {"kernel": 0.0},
        "head": {"kernel": 1.0, "bias": 2.0},
    }


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        (
            {"freeze": ("bckbone",)},
            "no part .*; it has backbone/blocks_0, backbone/blocks_1, backbone_ir, he",
        ),
        ({"freeze": ("back",)}, "no part of this model"),
        (
            {"part_lr": (("backbone/blocks_9", 0.1),)},
            "optim.part_lr .* it has backbone/blocks_0, backbone/blocks_1,",
        ),
        ({"part_lr": (("head", -1.0),)}, "rate of head by -1; expected 0 or more"),
    ],
)
def test_parts_that_are_none_are_refused_with_those_that_are(changes, match):
    with pytest.raises(ConfigError, match=match):
        parts.rates(PARAMS, OptimConfig(**changes))


def test_a_part_is_found_wherever_it_stands():
    params = {"branches": PARAMS}
    optim = OptimConfig(part_lr=(("blocks_1", 0.5),), freeze=("backbone_ir",))
    rates = parts.rates(params, optim)["branches"]
    assert rates["backbone"] == {
        "blocks_0": {"kernel": 1.0},
        "blocks_1": {"kernel": 0.5},
    }
    assert rates["backbone_ir"] == {"kernel": 0.0} and rates["head"]["bias"] == 1.0


def trained(steps=3, **changes):
    experiment = tiny.experiment(**{"model.norm": True, **changes})
    mesh = tiny.mesh_of(1)
    plan = program.make_plan(experiment.train, 20)
    built = program.make_program(experiment, mesh, plan)
    state = built.create()
    first = jax.device_get(state)
    for number in range(steps):
        state, metrics = built.train_step(state, tiny.put(tiny.batch(number, 8), mesh))
    return first, jax.device_get(state), jax.device_get(metrics)


def same(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_what_is_frozen_moves_by_nothing_and_the_rest_does(optimizer):
    changes = {"optim.optimizer": optimizer, "optim.weight_decay": 0.1}
    first, last, _ = trained(**changes, **{"optim.freeze": ("backbone", "norm")})
    assert same(first.params["backbone"], last.params["backbone"])
    assert same(first.params["norm"], last.params["norm"])
    assert same(first.batch_stats, last.batch_stats)
    assert not same(first.params["head"], last.params["head"])
    first, last, _ = trained(**changes)
    assert not same(first.params["backbone"], last.params["backbone"])
    assert not same(first.batch_stats, last.batch_stats)


def test_a_part_s_rate_is_multiplied():
    changes = {"optim.momentum": 0.0, "optim.weight_decay": 0.0}
    slow = {"optim.part_lr": (("backbone", 0.25),)}
    first, last, norms = trained(1, **changes)
    _, slower, slow_norms = trained(1, **changes, **slow)
    for name, factor in (("backbone", 0.25), ("head", 1.0)):
        step = last.params[name]["kernel"] - first.params[name]["kernel"]
        small = slower.params[name]["kernel"] - first.params[name]["kernel"]
        np.testing.assert_allclose(small, factor * step, rtol=1e-4, atol=1e-7)
    assert norms["grad_norm"] == slow_norms["grad_norm"]


class Block(nn.Module):
    """Both kinds of batch norm, and dropout, in a part of its own."""

    @nn.compact
    def __call__(self, x, *, train):
        x = BatchNorm(name="ours")(x, train=train)
        x = nn.BatchNorm(use_running_average=not train, name="flax")(x)
        return nn.Dropout(0.5, deterministic=not train)(x)


def test_a_frozen_part_computes_as_in_evaluation():
    x = jnp.arange(12.0).reshape(4, 3) ** 2
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    module = Block()
    variables = module.init(keys, x, train=False)
    variables = jax.tree.map(lambda v: v + 0.5, variables)
    expected = module.apply(variables, x, train=False)

    class Whole(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            return Block(name="first")(x, train=train)

    whole = {kind: {"first": tree} for kind, tree in variables.items()}
    rngs = {"dropout": jax.random.key(2)}
    for freeze, equal in ((("first",), True), ((), False)):
        with parts.still(freeze):
            got, updated = Whole().apply(
                whole, x, train=True, rngs=rngs, mutable=["batch_stats"]
            )
        assert np.allclose(got, expected, rtol=1e-6) == equal
        assert same(updated["batch_stats"], whole["batch_stats"]) == equal


def test_no_gradient_reaches_a_frozen_part():
    def loss(params):
        still = parts.without_gradient(params, ("a",))
        return (still["a"]["w"] * still["b"]["w"]).sum()

    grads = jax.grad(loss)({"a": {"w": jnp.array(2.0)}, "b": {"w": jnp.array(3.0)}})
    assert grads["a"]["w"] == 0.0 and grads["b"]["w"] == 2.0
