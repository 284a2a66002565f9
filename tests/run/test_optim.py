"""Schedules and optimisers against numbers worked out by hand."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxact import config
from jaxact.run import optim


def rates(steps, peak=1.0, steps_per_epoch=10.0, total_steps=100, **fields):
    schedule = config.ScheduleConfig(**fields)
    rate = optim.make_schedule(schedule, peak, steps_per_epoch, total_steps)
    return [float(rate(step)) for step in steps]


def test_step_schedule_decays_at_its_milestones():
    got = rates([0, 29, 30, 59, 60, 99], peak=0.5, milestones=(3.0, 6.0), decay=0.1)
    np.testing.assert_allclose(got, [0.5, 0.5, 0.05, 0.05, 0.005, 0.005], rtol=1e-6)


def test_step_schedule_without_milestones_is_constant():
    assert rates([0, 99], milestones=()) == [1.0, 1.0]


def test_warm_up_rises_linearly_to_the_peak_and_never_is_zero():
    got = rates([0, 1, 2, 3, 4], kind="constant", warmup_epochs=0.4)
    np.testing.assert_allclose(got, [0.25, 0.5, 0.75, 1.0, 1.0])


def test_cosine_falls_from_the_warm_ups_end_to_zero():
    got = rates([19, 20, 60, 100], kind="cosine", warmup_epochs=2.0)
    np.testing.assert_allclose(got, [1.0, 1.0, 0.5, 0.0], atol=1e-6)


def test_exponential_decays_by_its_factor_every_epoch():
    got = rates([0, 10, 20], kind="exponential", decay=0.5)
    np.testing.assert_allclose(got, [1.0, 0.5, 0.25], rtol=1e-6)


def test_wrong_schedules_are_refused():
    with pytest.raises(config.ConfigError, match="is 100 steps, but the training has"):
        rates([0], warmup_epochs=10.0)


def test_linear_scaling_rule():
    scaled = config.OptimConfig(lr=0.005, reference_batch=64)
    assert optim.learning_rate(scaled, 256) == pytest.approx(0.02)
    assert optim.learning_rate(config.OptimConfig(lr=0.005), 256) == 0.005


def updated(fields, params, gradients, rate=0.1):
    tx = optim.make_optimizer(
        config.OptimConfig(**fields), optax.constant_schedule(rate)
    )
    state = tx.init(params)
    for gradient in gradients:
        updates, state = tx.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
    return params


def test_nesterov_momentum_with_weight_decay_by_hand():
    fields = {"momentum": 0.9, "nesterov": True, "weight_decay": 0.5}
    params = {"kernel": jnp.array([2.0])}
    got = updated(fields, params, [{"kernel": jnp.array([3.0])}] * 2)
    # g = 3 + 0.5 * 2 = 4; buffer 4; step 0.1 * (4 + 0.9 * 4) = 0.76 -> 1.24
    # g = 3 + 0.62 = 3.62; buffer 0.9 * 4 + 3.62 = 7.22; step 0.1 * (3.62 + 6.498)
    np.testing.assert_allclose(got["kernel"], [1.24 - 1.0118], rtol=1e-6)


def test_adam_adds_weight_decay_to_the_gradient_and_adamw_does_not():
    params = {"kernel": jnp.array([2.0])}
    zero = [{"kernel": jnp.array([0.0])}]
    adam = updated({"optimizer": "adam", "weight_decay": 0.5}, params, zero)
    adamw = updated({"optimizer": "adamw", "weight_decay": 0.5}, params, zero)
    np.testing.assert_allclose(adam["kernel"], [2 - 0.1], rtol=1e-6)  # sign(g) * lr
    np.testing.assert_allclose(adamw["kernel"], [2 - 0.1 * 0.5 * 2], rtol=1e-6)


def test_clipping_scales_the_whole_gradient_to_the_norm():
    fields = {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0, "clip_norm": 1.0}
    params = {"a": jnp.zeros(1), "b": jnp.zeros(1)}
    gradient = {"a": jnp.array([3.0]), "b": jnp.array([4.0])}
    got = updated(fields, params, [gradient], rate=1.0)
    np.testing.assert_allclose([got["a"][0], got["b"][0]], [-0.6, -0.8], rtol=1e-6)


def test_weight_decay_spares_biases_norms_tokens_and_positions():
    matrix, vector = jnp.ones((2, 3)), jnp.ones(3)
    params = {
        "class_token": jnp.ones((1, 1, 3)),
        "position_embedding": jnp.ones((1, 5, 3)),
        "time": matrix,
        "time_embedding": {"embedding": matrix},
        "block": {
            "norm": {"scale": vector, "bias": vector},
            "query": {"kernel": jnp.ones((3, 2, 3)), "bias": jnp.ones((2, 3))},
        },
        "patch_embedding": {"kernel": matrix, "bias": vector},
        "scorer": {"kernel": jnp.ones((3, 1))},
        "pool": {"centres": matrix, "assignment": matrix},
        "prototypes": matrix,
    }
    assert optim.decay_mask(params) == {
        "class_token": False,
        "position_embedding": False,
        "time": False,
        "time_embedding": {"embedding": False},
        "block": {
            "norm": {"scale": False, "bias": False},
            "query": {"kernel": True, "bias": False},
        },
        "patch_embedding": {"kernel": True, "bias": False},
        "scorer": {"kernel": True},
        "pool": {"centres": False, "assignment": False},
        "prototypes": True,
    }


def test_rates_by_layer_of_every_kind_of_network():
    """Blocks of one stage, and of two with something between them; half a layer."""
    leaf = np.ones(2, np.float32)
    vit = {"patch_embed": {"kernel": leaf}, "position": leaf, "final_norm": leaf}
    vit |= {f"blocks_{i}": {"kernel": leaf} for i in range(11)}
    stages = {"patch_embed": leaf, "merging_1": leaf, "merging_norm_1": leaf}
    stages |= {"stage1_0": leaf, "stage1_1": leaf, "stage2_0": leaf}
    params = {"branches": {"backbone_rgb": vit, "backbone_ir": stages}, "head": leaf}
    scales = optim.layer_scales(params, 0.5)
    got = scales["branches"]["backbone_rgb"]
    assert got["position"] == got["patch_embed"]["kernel"] == 0.5**12
    assert [got[f"blocks_{i}"]["kernel"] for i in (0, 2, 10)] == [0.5**11, 0.5**9, 0.5]
    assert got["final_norm"] == scales["head"] == 1.0
    assert scales["branches"]["backbone_ir"] == {
        "patch_embed": 0.5**4,
        "stage1_0": 0.5**3,
        **dict.fromkeys(("stage1_1", "merging_1", "merging_norm_1"), 0.5**2),
        "stage2_0": 0.5,
    }
    # The rate is scaled, not the gradient, of which Adam would see nothing.
    fields = dict(optimizer="adamw", weight_decay=0.0, layer_decay=0.5)
    tx = optim.make_optimizer(config.OptimConfig(**fields), lambda step: 0.1)
    updates, _ = tx.update(params, tx.init(params), params)
    np.testing.assert_allclose(updates["head"], -0.1, rtol=1e-4)
    moved = updates["branches"]["backbone_ir"]["stage1_0"]
    np.testing.assert_allclose(moved, -0.1 / 8, rtol=1e-4)


def test_networks_without_a_row_of_blocks_have_no_rates_by_layer():
    with pytest.raises(config.ConfigError, match="layer_decay is 1.5; expected above"):
        optim.make_optimizer(config.OptimConfig(layer_decay=1.5), lambda step: 0.1)
    tx = optim.make_optimizer(config.OptimConfig(layer_decay=0.7), lambda step: 0.1)
    for params, name in (
        ({"backbone": {"mixed_3b": np.ones(2)}}, "backbone"),
        ({"head": np.ones(2)}, "the model"),
    ):
        with pytest.raises(config.ConfigError, match=f"is 0.7, but {name} is no row"):
            tx.init(params)
