"""Mixed clips: one partner, one share, one place for all streams; labels to fit."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact import errors
from jaxact.batch import TARGET, WEIGHT
from jaxact.config import ConfigError, MixConfig
from jaxact.layers.fusions.confident import QMF
from jaxact.run import mixing, optim, program, steps
from jaxact.run.mixing import Teaching, class_weights, mixed
from jaxact.state import rngs_at
from tests import tiny

ROWS = 6
# Sizes are such that a fraction of one is a fraction of the other.
INPUTS = {
    "rgb": jax.ShapeDtypeStruct((8, 12, 20, 3), np.uint8),
    "ir": jax.ShapeDtypeStruct((4, 6, 10, 1), np.uint8),
}
BODIES = {"skeleton": jax.ShapeDtypeStruct((2, 16, 5, 3), np.float32)}
KEY = jax.random.key(3)


def flat(inputs, **more):
    """A batch in which every value of row i is 10 i + 10, in every stream."""
    batch = {}
    for name, spec in inputs.items():
        values = 10 * jnp.arange(ROWS).reshape(-1, *[1] * len(spec.shape)) + 10
        shape = (ROWS, *spec.shape)
        batch[name] = jnp.broadcast_to(values, shape).astype(spec.dtype)
    batch |= {"label": jnp.array([0, 1, 2, 2, 1, 0]), "mask": jnp.ones(ROWS, bool)}
    return batch | {"id": jnp.arange(ROWS)} | more


def own(row):
    return 10 * row + 10


def test_mixup_takes_the_same_share_of_the_same_partner_in_every_stream():
    streams, share = mixed(KEY, flat(INPUTS), MixConfig(mixup=0.8), INPUTS)
    assert len({*np.round(np.asarray(share), 4)}) > 3  # each clip its own
    for row in range(ROWS):
        expected = share[row] * own(row) + (1 - share[row]) * own(ROWS - 1 - row)
        for name, x in streams.items():
            assert x.dtype == INPUTS[name].dtype
            np.testing.assert_array_equal(x[row], np.round(expected).astype(np.uint8))


def test_a_box_lies_at_the_same_fractions_of_every_stream():
    mix = MixConfig(cutmix=1.0)
    streams, share = mixed(KEY, flat(INPUTS), mix, INPUTS)
    large, small = np.asarray(streams["rgb"]), np.asarray(streams["ir"])
    seen = 0
    for row in range(ROWS):
        # All frames, all channels; only the clip's own values and its partner's.
        assert {*np.unique(large[row])} <= {own(row), own(ROWS - 1 - row)}
        assert (large[row] == large[row, :1, :, :, :1]).all()
        places = [x[row, 0, :, :, 0] == own(ROWS - 1 - row) for x in (large, small)]
        rows, columns = np.nonzero(places[0])
        # A box: every place between its ends.
        if len(rows):
            box = places[0][
                rows.min() : rows.max() + 1, columns.min() : columns.max() + 1
            ]
            assert box.all()
            seen += 1
        # Of each two by two pixels at least the middle agrees with the small stream.
        shares = [place.mean() for place in places]
        assert abs(shares[0] - shares[1]) < 0.15
        np.testing.assert_allclose(share[row], 1 - np.mean(shares), rtol=1e-5)
    assert seen >= 4


def test_a_stretch_of_time_is_the_partner_s_in_pictures_and_joints():
    inputs = INPUTS | BODIES
    mix = MixConfig(cutmix=1.0, along="time")
    streams, share = mixed(KEY, flat(inputs), mix, inputs)
    frames = {
        "rgb": np.asarray(streams["rgb"])[:, :, 0, 0, 0],
        "ir": np.asarray(streams["ir"])[:, :, 0, 0, 0],
        "skeleton": np.asarray(streams["skeleton"])[:, 0, :, 0, 0],
    }
    for row in range(ROWS):
        taken = {name: x[row] == own(ROWS - 1 - row) for name, x in frames.items()}
        for stretch in taken.values():
            assert (np.abs(np.diff(stretch.astype(int))) == 1).sum() <= 2
        # Where the middle of one of 16 frames is taken, so is the one of 8 around it.
        middles = (np.arange(8) + 0.5) / 8
        fine = {round((i + 0.5) / 16, 4) for i in np.flatnonzero(taken["skeleton"])}
        for i in np.flatnonzero(taken["rgb"]):
            near = (round(middles[i] - 1 / 32, 4), round(middles[i] + 1 / 32, 4))
            assert fine & {*near}
        shares = [x.mean() for x in taken.values()]
        np.testing.assert_allclose(share[row], 1 - np.mean(shares), rtol=1e-5)
    assert (np.asarray(streams["skeleton"]) % 10 == 0).all()  # no joint is made up


def test_depth_is_mixed_as_the_model_sees_it():
    """What was not measured is 8 m away: .5 of it and of 2 m are 5 m."""
    x = jnp.array([0, 4000, 2000, 9000], jnp.uint16).reshape(4, 1, 1, 1, 1)
    partner = jnp.flip(x, 0)
    y = mixing._blended("depth", x, partner, jnp.array([0.5, 0.5, 0.25, 0.0]))
    assert y.ravel().tolist() == [8000, 3000, 2500, 9000]


def test_both_are_drawn_and_some_clips_are_left_alone():
    batch = {k: jnp.concatenate([v] * 50) for k, v in flat(INPUTS).items()}
    mix = MixConfig(mixup=1.0, cutmix=1.0, probability=0.5)
    streams, share = mixed(KEY, batch, mix, INPUTS)
    x, before = np.asarray(streams["rgb"]), np.asarray(batch["rgb"])
    same = (x == before).all(axis=(1, 2, 3, 4))
    even = (x == x[:, :1, :1, :1, :1]).all(axis=(1, 2, 3, 4))
    alone, blended, cut = same.mean(), (even & ~same).mean(), (~even).mean()
    assert 0.45 < alone < 0.6 and 0.18 < blended < 0.3 and 0.18 < cut < 0.3
    np.testing.assert_array_equal(np.asarray(share)[~same] < 1, True)


def test_padding_and_clips_of_other_streams_are_never_mixed():
    mask = jnp.array([True, True, True, True, True, False])
    present = jnp.array([[True, True]] * ROWS).at[1, 0].set(False)
    batch = flat(INPUTS, mask=mask, present=present)
    streams, share = mixed(KEY, batch, MixConfig(mixup=1.0), INPUTS)
    for row in (0, 5, 1, 4):
        assert share[row] == 1.0
        np.testing.assert_array_equal(streams["rgb"][row], batch["rgb"][row])
    assert share[2] < 1 and share[3] < 1


def test_labels_go_with_the_clips():
    teaching = Teaching(MixConfig(mixup=1.0), INPUTS, classes=3, smoothing=0.3)
    taught = teaching(KEY, flat(INPUTS))
    assert "label" not in taught and "id" not in taught
    streams, share = mixed(KEY, flat(INPUTS), MixConfig(mixup=1.0), INPUTS)
    np.testing.assert_array_equal(taught["rgb"], streams["rgb"])
    # Row 1 is of class 1, its partner 4 too; row 2 and 3 of class 2; 0 and 5 of 0.
    np.testing.assert_allclose(taught[TARGET][1], [0.1, 0.8, 0.1], rtol=1e-5)
    batch = flat(INPUTS, label=jnp.array([0, 1, 2, 0, 0, 1]))
    target = teaching(KEY, batch)[TARGET]
    expected = 0.7 * np.array([share[0], 1 - share[0], 0]) + 0.1
    np.testing.assert_allclose(target[0], expected, rtol=1e-5)
    np.testing.assert_allclose(target.sum(axis=1), 1.0, rtol=1e-5)


def test_classes_weigh_as_they_are_rare():
    # Of 8 and 2 clips: 1/8 and 1/2, times 10 over 2 classes.
    assert class_weights((8, 2, 0), 1.0) == pytest.approx((10 / 16, 2.5, 0.0))
    root = class_weights((4, 1), 0.5)
    assert root[1] / root[0] == pytest.approx(2.0)
    assert (4 * root[0] + root[1]) / 5 == pytest.approx(1.0)
    assert class_weights((8, 2), 0.0) == class_weights((), 1.0) == ()
    teaching = Teaching(MixConfig(), INPUTS, classes=3, weights=(1.0, 2.0, 4.0))
    assert teaching(KEY, flat(INPUTS))[WEIGHT].tolist() == [1, 2, 4, 4, 2, 1]


@pytest.mark.parametrize(
    ("mix", "match"),
    [
        ({"mixup": -1.0}, "mix.mixup is -1"),
        ({"probability": 2.0}, "mix.probability is 2; .* at most 1"),
        ({"mixup": 0.8}, "skeleton: joints half way between two people"),
        ({"cutmix": 1.0}, "mix.along to time"),
    ],
)
def test_what_cannot_be_mixed_is_refused(mix, match):
    with pytest.raises(ConfigError, match=match):
        Teaching(MixConfig(**mix), INPUTS | BODIES, classes=3)


def test_truth_of_one_clip_is_no_truth_of_two():
    batch = flat(INPUTS, actor_box=jnp.zeros((ROWS, 12, 4)))
    with pytest.raises(errors.UserError, match="actor_box.*data.truth"):
        Teaching(MixConfig(mixup=1.0), INPUTS, classes=3)(KEY, batch)


# ---- in the train step ----


def setup(devices, accumulate=1, **changes):
    experiment = tiny.experiment(**{"train.accumulate": accumulate, **changes})
    mesh = tiny.mesh_of(devices)
    plan = program.make_plan(experiment.train, 20, (10, 5, 5))
    return program.make_program(experiment, mesh, plan), mesh


MIXED = {"mix.mixup": 0.8, "mix.cutmix": 1.0, "train.label_smoothing": 0.1}


def train(devices, accumulate=1, start=None, first=0, last=4, **changes):
    built, mesh = setup(devices, accumulate, **changes)
    state = built.create() if start is None else start
    history = []
    for number in range(first, last):
        state, metrics = built.train_step(state, tiny.put(tiny.batch(number, 8), mesh))
        history.append(float(metrics["loss"]))
    return state, history


def test_a_batch_is_mixed_alike_on_any_number_of_devices():
    one, losses_of_one = train(1, **MIXED)
    four, losses_of_four = train(4, **MIXED)
    parts, _ = train(1, accumulate=2, **MIXED)
    np.testing.assert_allclose(losses_of_one, losses_of_four, rtol=1e-5)
    for other in (four, parts):
        for a, b in zip(
            jax.tree.leaves(one.params), jax.tree.leaves(other.params), strict=True
        ):
            np.testing.assert_allclose(a, b, atol=1e-5)
    _, plain = train(1)
    assert not np.allclose(losses_of_one, plain, rtol=1e-2)


def test_a_class_s_weight_is_that_of_its_losses():
    _, plain = train(1, last=1)
    built, mesh = setup(1, **{"train.class_balance": 1.0})
    batch = tiny.batch(0, 8)
    state = built.create()
    out = built.network.module.apply({"params": state.params}, batch, train=False)
    log_p = jax.nn.log_softmax(out["logits"])[np.arange(8), batch["label"]]
    weights = np.array([20 / 30, 20 / 15, 20 / 15])[batch["label"]]
    _, metrics = built.train_step(state, tiny.put(batch, mesh))
    np.testing.assert_allclose(metrics["loss"], -(weights * log_p).sum(), rtol=1e-5)
    np.testing.assert_allclose(plain[0], -log_p.sum(), rtol=1e-5)


def test_losses_and_models_that_want_one_label_are_refused_by_name():
    @dataclasses.dataclass(frozen=True)
    class OfLabel:
        name: str = "mine"
        weight: float = 1.0

        def __call__(self, out, batch):
            return batch["label"] * 1.0

    built, mesh = setup(1)
    teaching = Teaching(MixConfig(mixup=1.0), built.network.inputs, tiny.CLASSES)
    schedule = optim.make_schedule(tiny.experiment().schedule, 0.1, 2.0, 4)
    tx = optim.make_optimizer(tiny.experiment().optim, schedule)
    step = steps.make_train_step(
        built.network.module,
        [OfLabel()],
        tx,
        schedule,
        mesh=mesh,
        seed=0,
        total_steps=4,
        teaching=teaching,
    )
    batch = tiny.put(tiny.batch(0, 8), mesh)
    with pytest.raises(ConfigError, match="The loss 'mine' asks for the label"):
        step.trace(built.abstract, batch)
    with pytest.raises(ConfigError, match="asks for the id .* model.fusion.history=0"):
        with steps._of_mixtures({TARGET: 0}, "The model"):
            streams = {"logits": jnp.zeros((2, 2, 3)), "mask": jnp.ones(2, bool)}
            QMF(history=4).init(rngs_at(KEY, 0) | {"params": KEY}, streams, train=True)
