"""The compiled steps: one trace, any number of devices, any accumulation."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact import config, losses
from jaxact.run import optim, steps
from jaxact.run.network import make_network
from jaxact.run.program import make_state
from jaxact.state import RNG_STREAMS, rngs_at
from tests import tiny

BATCH = 8


@functools.cache
def program(devices, accumulate, total, rate, terms, **model):
    """Compiles once what several tests run: (abstract, state, train, eval)."""
    mesh, config_ = tiny.mesh_of(devices), tiny.TinyConfig(**model)
    constant = config.ScheduleConfig(kind="constant")
    schedule = optim.make_schedule(constant, rate, 2.0, total)
    tx = optim.make_optimizer(config.OptimConfig(), schedule)
    network = make_network(config_, mesh)
    train = steps.make_train_step(
        network.module,
        terms or config_.losses(),
        tx,
        schedule,
        mesh=mesh,
        seed=0,
        total_steps=total,
        accumulate=accumulate,
    )
    abstract, create = make_state(network, tx, seed=0)
    return abstract, create(), train, network.eval_step


class Setup:
    """State and steps of a tiny model on so many devices."""

    def __init__(self, devices=1, accumulate=1, total=6, rate=0.1, terms=None, **model):
        self.mesh = tiny.mesh_of(devices)
        self.model = tiny.TinyConfig(**model)
        self.abstract, state, self.train, self.eval = program(
            devices, accumulate, total, rate, terms, **model
        )
        self.state = jax.tree.map(jnp.copy, state)  # the step takes its state away

    def run(self, count, start=0, **batch):
        history = []
        for number in range(start, start + count):
            device_batch = self.put(tiny.batch(number, BATCH, **batch))
            with jax.transfer_guard("disallow"):
                self.state, metrics = self.train(self.state, device_batch)
            history.append(jax.device_get(metrics))
        return history

    def put(self, batch):
        return tiny.put(batch, self.mesh)


def assert_close(left, right, atol=2e-6):
    chex.assert_trees_all_close(left, right, atol=atol, rtol=1e-7)


def test_the_state_is_as_announced_and_holds_four_things():
    setup = Setup(devices=4, norm=True)
    described = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding),
        setup.state,
    )
    assert described == setup.abstract
    names = set(setup.state.__dataclass_fields__)
    assert names == {"step", "params", "batch_stats", "opt_state"}


def test_one_trace_for_many_steps():
    setup = Setup(devices=4)
    setup.run(5)
    assert setup.train.jitted._cache_size() == 1
    assert int(setup.state.step) == 5


def test_training_lowers_the_loss():
    history = Setup(rate=0.1).run(100)
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert history[-1]["correct"] >= 7


def test_metrics_are_sums_over_real_examples():
    setup = Setup()
    batch = tiny.batch(0, BATCH, masked=3)
    variables = {"params": setup.state.params}
    out = setup.model.build().apply(variables, batch, train=False)
    values = np.asarray(losses.CrossEntropy()(out, batch))[:5]
    right = (np.asarray(out["logits"]).argmax(axis=-1) == batch["label"])[:5]
    (metrics,) = setup.run(1, masked=3)
    np.testing.assert_allclose(metrics["loss"], values.sum(), rtol=1e-5)
    np.testing.assert_allclose(metrics["loss/cross_entropy"], values.sum(), rtol=1e-5)
    assert metrics["count"] == 5 and metrics["correct"] == right.sum()
    np.testing.assert_allclose(metrics["lr"], 0.1)


def test_padding_moves_nothing():
    """A batch padded with nonsense trains exactly as its real examples alone."""
    padded, alone = Setup(), Setup()
    batch = tiny.batch(0, BATCH, masked=3)
    padded.state, _ = padded.train(padded.state, padded.put(batch))
    real = {name: value[:5] for name, value in batch.items()}
    alone.state, _ = alone.train(alone.state, alone.put(real))
    assert_close(padded.state.params, alone.state.params)


def test_weights_of_losses_are_applied_and_terms_reported_apart():
    twice = (
        losses.CrossEntropy(weight=0.5),
        losses.ScoreFunction(name="smooth", weight=2.0, log_probability="progress"),
    )
    (metrics,) = Setup(terms=twice).run(1)
    expected = 0.5 * metrics["loss/cross_entropy"] + 2 * metrics["loss/smooth"]
    np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-6)
    assert metrics["loss/cross_entropy"] != metrics["loss/smooth"]


@pytest.mark.parametrize("norm", [False, True])
def test_four_devices_equal_one(norm):
    one, four = Setup(devices=1, norm=norm), Setup(devices=4, norm=norm)
    assert_close(one.state, four.state, atol=0)
    left, right = one.run(4), four.run(4)
    assert_close(one.state.params, four.state.params)
    assert_close(one.state.batch_stats, four.state.batch_stats)
    np.testing.assert_allclose(
        [m["loss"] for m in left], [m["loss"] for m in right], rtol=1e-5
    )


@pytest.mark.parametrize(("devices", "accumulate"), [(1, 4), (1, 8), (4, 2)])
def test_micro_batches_equal_one_large_batch(devices, accumulate):
    whole = Setup(devices=devices)
    parts = Setup(devices=devices, accumulate=accumulate)
    # The micro-batches hold different numbers of real examples.
    left, right = whole.run(3, masked=3), parts.run(3, masked=3)
    assert_close(whole.state.params, parts.state.params)
    for a, b in zip(left, right, strict=True):
        assert_close(a, b, atol=1e-5)


def test_accumulation_carries_batch_statistics_through_every_part():
    parts = Setup(accumulate=2, norm=True)
    before = jax.device_get(parts.state.batch_stats)
    parts.run(1)
    after = jax.device_get(parts.state.batch_stats)
    # Two updates with momentum 0.99 leave 0.99^2 of the initial variance 1.
    floor = 0.99**2 * before["norm"]["var"]
    assert (after["norm"]["var"] > floor).all()
    assert (after["norm"]["var"] < 0.99 + 0.01).all()


def test_dropout_differs_from_step_to_step_and_repeats_from_the_seed():
    keys = [rngs_at(jax.random.key(0), step)["dropout"] for step in (0, 1, 0)]
    first, second, again = (jax.random.key_data(key) for key in keys)
    assert (first != second).any() and (first == again).all()
    streams = rngs_at(jax.random.key(0), 0)
    data = [tuple(np.asarray(jax.random.key_data(k))) for k in streams.values()]
    assert len(set(data)) == len(RNG_STREAMS)
    left, right = Setup(dropout=0.5), Setup(dropout=0.5)
    left.run(2), right.run(2)
    assert_close(left.state, right.state, atol=0)


def test_the_model_is_told_how_far_training_is():
    class Progress:
        name, weight = "progress", 0.0

        def __call__(self, out, batch):
            return out["progress"]

    history = Setup(terms=(losses.CrossEntropy(), Progress()), total=4).run(3)
    got = [m["loss/progress"] / m["count"] for m in history]
    np.testing.assert_allclose(got, [0, 0.25, 0.5], atol=1e-6)


def test_a_loss_that_is_not_finite_is_flagged_and_changes_nothing():
    class Log:
        name, weight = "log", 1.0

        def __call__(self, out, batch):
            return jnp.log(batch["id"].astype(jnp.float32))  # id 0: -inf

    setup = Setup(terms=(losses.CrossEntropy(), Log()))
    before = jax.device_get(setup.state)
    (metrics,) = setup.run(1)
    assert not metrics["finite"]
    assert_close(jax.device_get(setup.state), before, atol=0)
    (metrics,) = setup.run(1, start=1)
    assert metrics["finite"] and int(setup.state.step) == 1


def test_eval_averages_the_scores_of_views():
    setup = Setup(devices=4)
    single = [setup.put(tiny.batch(number, BATCH)) for number in (0, 1)]
    scores = [
        np.asarray(setup.eval(setup.state.variables, b)["scores"]) for b in single
    ]
    both = tiny.batch(0, BATCH)
    both["rgb"] = np.stack([tiny.batch(n, BATCH)["rgb"] for n in (0, 1)], axis=1)
    got = setup.eval(setup.state.variables, setup.put(both))
    np.testing.assert_allclose(got["scores"], np.mean(scores, axis=0), atol=1e-6)
    np.testing.assert_allclose(np.sum(got["scores"], axis=-1), 1.0, rtol=1e-6)
    assert got["keep"].shape == (BATCH, tiny.FRAMES, 4)
    np.testing.assert_array_equal(got["id"], np.arange(BATCH))


def test_ids_beyond_32_bits_are_refused():
    batch = tiny.batch(0, BATCH) | {"id": np.full(BATCH, 2**40)}
    with pytest.raises(ValueError, match="'id' has values that do not fit"):
        Setup().put(batch)
