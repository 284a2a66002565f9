"""Networks that stop at their stages, and MMTM's and DSFM's units between them."""

import chex
import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.backbones.protocol import Walk
from jaxact.config import ConfigError
from jaxact.layers.fusions.table import FUSIONS
from tests.models.test_dual_stream import (
    NETS,
    UNREAD,
    batch_of,
    filled,
    one_step,
    run,
    shapes_of,
    small,
)


@pytest.mark.parametrize(
    ("fusion", "layout"),
    [
        ("mmtm", "passes"),
        ("dsfm", "unshared"),
        pytest.param("mmtm", "unshared", marks=pytest.mark.long),
        pytest.param("dsfm", "passes", marks=pytest.mark.long),
    ],
)
def test_units_between_networks_that_are_open_change_nothing(fusion, layout):
    """An open gate is 1; with the balance at 1 split attention multiplies by 1."""
    config, plain = small(fusion=fusion, layout=layout), small(layout=layout)
    plain.fusion = "average"
    variables, batch = filled(plain), batch_of(plain)
    params = flax.core.unfreeze(variables["params"])
    shapes = shapes_of(config)[0]
    start = jax.jit(config.build().init)(jax.random.key(0), batch)
    params["fusion"] = start["params"]["fusion"]
    stats = variables["batch_stats"] | {
        key: value for key, value in start["batch_stats"].items() if key == "fusion"
    }
    both = {"params": params, "batch_stats": stats}
    chex.assert_trees_all_equal_shapes(both, dict(shapes))
    expected = run(plain, variables, batch)["logits"]
    if fusion == "dsfm":
        assert np.abs(run(config, both, batch)["logits"] - expected).max() > 1e-3
        config.fusion.balance = 1.0
    np.testing.assert_allclose(run(config, both, batch)["logits"], expected, atol=1e-5)


@pytest.mark.parametrize("fusion", ["mmtm", "dsfm"])
def test_units_between_networks_know_which_streams_are_missing(fusion):
    config = small(fusion=fusion)
    config.fusion.stages = (2,)
    variables, batch = filled(config), batch_of(config)
    present = np.array([[True, True], [True, False], [True, False]])
    other = batch | {"ir": batch["ir"][::-1].copy()}
    other["ir"][0] = batch["ir"][0]
    every = run(config, variables, batch)
    one = run(config, variables, batch | {"present": present})
    again = run(config, variables, other | {"present": present})
    np.testing.assert_array_equal(one["logits"], again["logits"])
    np.testing.assert_allclose(one["logits"][0], every["logits"][0], atol=1e-5)
    # Its own scores; beside a silent stream they are not those beside the other.
    np.testing.assert_array_equal(one["logits"][1:], one["rgb_logits"][1:])
    assert np.abs(one["rgb_logits"][1:] - every["rgb_logits"][1:]).max() > 1e-3
    # What is silent is 0 where the streams meet, as a stage of zeros is.
    assert np.abs(run(config, variables, other)["logits"] - every["logits"]).max() > 0


@pytest.mark.parametrize(
    ("net", "fusion"),
    [
        pytest.param(
            net,
            fusion,
            marks=() if (net, fusion) == ("tsm", "dsfm") else pytest.mark.long,
        )
        for net in NETS
        for fusion in ("mmtm", "dsfm")
    ],
)
def test_a_step_with_units_between_networks_reaches_every_parameter(net, fusion):
    config = small(net, fusion=fusion, layout="unshared")
    config.fusion.stages = (2, 1) if net != "i3d" else (4, 2)
    if fusion == "dsfm":
        config.fusion.block = 8
    before, after, loss = one_step(config, gain=1.0)  # with more, gates saturate
    assert np.isfinite(loss) and any("fusion/unit_2" in name for name in before)
    for name, value in after.items():
        if UNREAD.search(name):
            continue
        assert np.any(value != before[name]) or value.size < 13, name


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(streams=("rgb",)), "of two streams or more"),
        (dict(layout="time"), "each with a pass of its own"),
        (dict(stages=(1, 3)), "networks of 2 stages; expected one or more different"),
        (dict(stages=()), "expected one or more different numbers"),
        (dict(stages=(1, 1)), "expected one or more different numbers"),
    ],
)
def test_units_stand_between_stages_that_there_are(fields, message):
    stages = {"stages": fields.pop("stages", (1, 2))}
    config = small(**fields, fusion=FUSIONS["mmtm"](**stages))
    with pytest.raises(ConfigError, match=message):
        config.build()


@pytest.mark.parametrize("net", NETS)
def test_every_net_stops_at_every_stage(net):
    network = NETS[net].build(jnp.float32)

    def ends(network):
        walk = Walk(network, [jnp.zeros((1, 5, 24, 24, 3))] * 2, train=False)
        shapes = [walk.to(k).shape for k in range(network.stage_count, 0, -1)]
        assert walk.to(1).shape[0] == 2 and isinstance(walk.end(), dict)
        return jnp.array([shape[-1] for shape in shapes])

    widths, _ = jax.eval_shape(
        lambda key: network.init_with_output(key, method=ends), jax.random.key(0)
    )
    assert widths.shape == (network.stage_count,)
