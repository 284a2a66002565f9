import functools

import chex
import flax
import jax
import numpy as np
import pytest

from jaxact.batch import example_batch
from jaxact.config import ConfigError, Experiment
from jaxact.errors import UserError
from jaxact.models.ccdfarm import CCDFARMConfig

MMTM = dict(transfer="mmtm", tiam=False, mffm=False)
SMALL = dict(
    num_classes=5,
    frames=9,
    image_size=32,
    width=1 / 29,
    skeleton_frames=16,
    joints=7,
    fc7=11,
    blocks=(13, 17),
    dtype="float32",
    conv3d="native",  # compiles sooner
)


def small(**fields):
    return CCDFARMConfig(**(SMALL | fields))


def batch_of(config, size=2):
    return example_batch(Experiment("test", config, None), size)


def variable_shapes(config):
    module, batch = config.build(), batch_of(config, 1)
    return jax.eval_shape(lambda b: module.init(jax.random.key(0), b), batch)


def shapes_of(config, size=1):
    module, batch = config.build(), batch_of(config, size)
    variables = variable_shapes(config)
    return variables, jax.eval_shape(lambda v, b: module.apply(v, b), variables, batch)


def number(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


@functools.cache
def variables_of(names=()):
    """Variables of the small model without a zero among them."""
    random = np.random.default_rng(7)

    def fill(path, x):
        fan_in = max(np.prod(x.shape[:-1]), 4)
        values = random.normal(size=x.shape) / np.sqrt(fan_in)
        ones = str(path[-1].key) in ("scale", "var")
        return np.asarray(np.abs(values + ones) if ones else values, x.dtype)

    return jax.tree_util.tree_map_with_path(fill, variable_shapes(small(**dict(names))))


def test_out_names_and_shapes_at_the_published_size():
    variables, out = shapes_of(CCDFARMConfig(), size=2)
    shapes = {name: (value.shape, value.dtype.name) for name, value in out.items()}
    assert shapes == {
        "logits": ((2, 60), "float32"),
        "rgb_logits": ((2, 60), "float32"),
        "skeleton_logits": ((2, 60), "float32"),
        "mixed_5b": ((2, 4, 7, 7, 832), "bfloat16"),
        "mixed_5c": ((2, 4, 7, 7, 1024), "bfloat16"),
        "fused": ((2, 4, 7, 7, 1024), "bfloat16"),
        "positions": ((2, 2, 32, 25, 3), "float32"),
        "motion": ((2, 2, 32, 25, 3), "float32"),
        "conv5": ((2, 2, 4, 4, 128), "bfloat16"),
        "fc7": ((2, 512), "bfloat16"),
    }
    params = variables["params"]
    assert number(params["dsfm_1"]) == 19_568
    assert number(params["dsfm_2"]) == 116_416


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        (dict(streams=("skeleton",), skeleton_frames=64, fc7=256), 1_047_036),
        (dict(streams=("skeleton",)), 1_062_652),
        (dict(streams=("rgb",), num_classes=400, frames=16), 12_689_984),
    ],
    ids=["official_hcn", "hcn", "i3d"],
)
def test_parameters_of_single_streams(fields, count):
    variables, out = shapes_of(CCDFARMConfig(tiam=False, **fields))
    assert number(variables["params"]) == count
    assert "logits" in out and "rgb_logits" not in out
    assert set(variables["params"]) == {f"backbone_{fields['streams'][0]}", "head"}


@pytest.mark.parametrize(
    ("fields", "modules"),
    [
        (MMTM, "mmtm_1 mmtm_2"),
        (dict(tiam=False, mffm=False), "dsfm_1 dsfm_2"),
        (dict(tiam=False), "dsfm_1 dsfm_2 mffm head"),
        (dict(mffm=False), "tiam dsfm_1 dsfm_2"),
        (dict(), "tiam dsfm_1 dsfm_2 mffm head"),
        (dict(places=(1,)), "tiam dsfm_1 mffm head"),
        (dict(places=(2,)), "tiam dsfm_2 mffm head"),
        (dict(transfer="none", tiam=False, mffm=False), ""),
    ],
    ids=str,
)
def test_the_rows_of_tables_4_to_6_have_their_modules(fields, modules):
    both = {"backbone_rgb", "backbone_skeleton", "rgb_head", "skeleton_head"}
    assert set(variable_shapes(small(**fields))["params"]) == both | set(
        modules.split()
    )


def test_losses():
    terms = {term.name: term for term in small(branch_weight=0.3).losses()}
    assert terms["cross_entropy"].weight == 1.0
    assert terms["rgb_cross_entropy"].weight == 0.3
    assert terms["skeleton_cross_entropy"].logits == "skeleton_logits"
    for config in (small(branch_weight=0.0), small(streams=("rgb",))):
        assert [term.name for term in config.losses()] == ["cross_entropy"]


def test_mmtm_s_logits_are_the_mean_and_know_no_order_of_persons():
    config = small(**MMTM)
    batch = batch_of(config)
    skeleton = batch["skeleton"]
    skeleton[:, 1, :, 1] = skeleton[:, 0, :, 1]  # one origin, whoever is first
    apply = jax.jit(config.build().apply)
    variables = variables_of(tuple(MMTM.items()))
    out = apply(variables, batch)
    mean = (out["rgb_logits"] + out["skeleton_logits"]) / 2
    np.testing.assert_allclose(out["logits"], mean, atol=1e-6)
    swapped = apply(variables, batch | {"skeleton": skeleton[:, ::-1]})
    for name in ("logits", "rgb_logits", "skeleton_logits", "mixed_5c", "fc7"):
        np.testing.assert_allclose(out[name], swapped[name], atol=1e-5, err_msg=name)
    # Each stream hears of the other.
    other = apply(variables, batch | {"skeleton": skeleton * 2.0})
    assert np.abs(out["rgb_logits"] - other["rgb_logits"]).max() > 1e-4
    # Clips with one person, with an empty frame, with a lost joint.
    skeleton[0, 1] = 0.0
    skeleton[1, :, 4] = 0.0
    skeleton[1, 0, 5, 3] = np.nan
    damaged = apply(variables, batch | {"skeleton": skeleton})
    chex.assert_tree_all_finite(damaged)


@pytest.mark.long
@pytest.mark.parametrize("fields", [dict(), MMTM], ids=["ccdfarm", "mmtm"])
def test_gradients_reach_every_parameter_and_the_loss_falls(fields):
    config = small(**fields)
    batch = batch_of(config, 3)
    variables = variables_of(tuple(fields.items()))
    module, losses = config.build(), config.losses()

    def total(params):
        out, _ = module.apply(
            {**variables, "params": params},
            batch,
            train=True,
            rngs={"dropout": jax.random.key(1)},
            mutable="batch_stats",
        )
        return sum(term.weight * term(out, batch).mean() for term in losses)

    step = jax.jit(jax.value_and_grad(total))
    value, grads = step(variables["params"])
    for name, grad in flax.traverse_util.flatten_dict(grads, sep="/").items():
        # A few channels of so narrow a network are dead.
        assert np.any(grad != 0) or grad.size < 10, f"no gradient reaches {name}"
    moved = jax.tree.map(lambda p, g: p - 1e-3 * g, variables["params"], grads)
    assert step(moved)[0] < value


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(streams=("ir",)), "Got model.streams=.'ir'"),
        (dict(transfer="sum"), "transfer is 'sum'; choose one of dsfm"),
        (dict(mmtm_variant="both"), "mmtm_variant is 'both'; choose one of"),
        (dict(places=(3,)), "Got model.places=.3,."),
        (dict(blocks=(64,)), "one number for each in blocks"),
        (dict(skeleton_frames=8), "needs 16 or more"),
        (dict(mffm_joints=True, mffm=False), "mffm_joints=True with model.mffm=False"),
    ],
    ids=str,
)
def test_config_values_that_mean_nothing(fields, message):
    with pytest.raises(ConfigError, match=message):
        small(**fields).build()


@pytest.mark.parametrize("missing", ["rgb", "skeleton"])
def test_a_stream_that_a_clip_lacks_has_no_influence(missing):
    fields = (("transfer", "none"), ("tiam", False), ("mffm", False))
    config = small(**dict(fields))
    batch, variables = batch_of(config), variables_of(fields)
    present = np.array([[True, True], [missing != "rgb", missing != "skeleton"]])
    batch["present"] = present
    apply = jax.jit(config.build().apply)
    out = apply(variables, batch)
    there = {"rgb": "skeleton", "skeleton": "rgb"}[missing]
    alone = out[f"{there}_logits"]
    np.testing.assert_allclose(out["logits"][1], alone[1], atol=1e-6)
    mean = (out["rgb_logits"] + out["skeleton_logits"])[0] / 2
    np.testing.assert_allclose(out["logits"][0], mean, atol=1e-6)
    other = batch[missing].copy()
    other[1] = other[1, ::-1] + 1
    again = apply(variables, batch | {missing: other})
    np.testing.assert_array_equal(out["logits"], again["logits"])


def test_joints_are_read_where_the_video_shows_them():
    fields = (("mffm_joints", True), ("transfer", "none"), ("tiam", False))
    config = small(**dict(fields))
    batch, variables = batch_of(config), variables_of(fields)
    assert batch["joints_seen"].shape == (2, 9, 2, 7, 2)
    apply = jax.jit(config.build().apply)
    out = apply(variables, batch)
    seen = batch["joints_seen"].copy()
    seen[1] = np.nan
    nowhere = apply(variables, batch | {"joints_seen": seen})
    np.testing.assert_array_equal(out["logits"][0], nowhere["logits"][0])
    assert np.abs(out["logits"][1] - nowhere["logits"][1]).max() > 1e-4
    plain = small(transfer="none", tiam=False).build()
    params = jax.tree.map(lambda x: x, variables["params"])
    del params["mffm"]["joints"]
    printed = jax.jit(plain.apply)({**variables, "params": params}, batch)
    np.testing.assert_allclose(
        nowhere["logits"][1], printed["logits"][1], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda seen: {}, "does not say it. In training set --config.data.joints_seen"),
        (lambda seen: {"joints_seen": seen[:1]}, "known of 1 clips, but there are 2"),
    ],
    ids=["missing", "views"],
)
def test_batches_that_do_not_say_where_the_joints_are(change, message):
    config = small(mffm_joints=True)
    batch = batch_of(config)
    seen = batch.pop("joints_seen")
    variables = jax.eval_shape(
        lambda b: config.build().init(jax.random.key(0), b), batch
    )
    with pytest.raises(UserError, match=message):
        jax.eval_shape(config.build().apply, variables, batch | change(seen))


def test_a_missing_stream_is_named():
    config = small()
    batch = {k: v for k, v in batch_of(config).items() if k != "skeleton"}
    with pytest.raises(KeyError, match="has no stream 'skeleton'"):
        config.build().apply({}, batch)


@pytest.mark.long
def test_the_readings_of_dsfm_reach_both_places():
    """Standardised: a norm a stream, of one video and two persons, or of fc7."""

    def stats_of(**fields):
        stats = variable_shapes(small(**fields))["batch_stats"]
        return {place: sorted(stats[f"dsfm_{place}"]) for place in (1, 2)}

    assert stats_of() == {1: ["norm"], 2: ["norm"]}
    streams = [f"stream_norm_{i}" for i in range(3)]
    standardised = stats_of(dsfm_standardised=True)
    assert standardised == {1: ["norm", *streams], 2: ["norm", *streams[:2]]}
    # Channel 5 of a block of 13: mixed_5b's 28 and conv5's 2 x 128 channels have
    # 2 + 2 x 10 such, and the three last blocks are filled up to 23.
    batch, variables = batch_of(small()), jax.tree.map(np.copy, variables_of())
    attend = variables["params"]["dsfm_1"]["attend"]
    variables["params"]["dsfm_1"]["attend"] = jax.tree.map(np.zeros_like, attend)
    plain, masked = (
        small(dsfm_masked=value).build().apply(variables, batch)["mixed_5b"][..., 5]
        for value in (False, True)
    )
    assert plain.max() > 0.1
    np.testing.assert_allclose(masked * (1 + 1 / 23), plain * (1 + 1 / 22), rtol=1e-5)
