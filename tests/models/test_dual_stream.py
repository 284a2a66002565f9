"""Any backbone as a dual-stream model by config alone, in every layout."""

import functools
import re

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.backbones import public_weights
from jaxact.backbones.csn import CSNConfig
from jaxact.backbones.hiera import HieraConfig
from jaxact.backbones.i3d import I3DConfig
from jaxact.backbones.mvit import MViTConfig
from jaxact.backbones.resnet import TSMResNetConfig
from jaxact.backbones.slowfast import SlowFastConfig
from jaxact.backbones.tanet import TANetConfig
from jaxact.backbones.timesformer import TimeSformerConfig
from jaxact.backbones.video_focalnet import VideoFocalNetConfig
from jaxact.backbones.video_swin import VideoSwinConfig
from jaxact.backbones.videomae import VideoMAEConfig
from jaxact.batch import example_batch
from jaxact.config import (
    Config,
    ConfigError,
    Experiment,
    OptimConfig,
    keys_left_alone,
    leaves,
    set_value,
)
from jaxact.errors import UserError
from jaxact.layers.fusions.table import FUSIONS
from jaxact.models.dual_stream import BaselineConfig, DualStreamConfig
from jaxact.run import optim, steps
from jaxact.state import State
from tests import tiny
from tests.paths import GOLDEN

NETS = {
    "tsm": TSMResNetConfig(blocks=(1, 1), width=8),
    "i3d": I3DConfig(width=1 / 16, conv3d="native"),
    "timesformer": TimeSformerConfig(patch=8, width=12, depth=2, heads=2),
    "swin": VideoSwinConfig(width=6, depths=(1, 1), heads=(1, 2), window=(2, 3, 3)),
    "videomae": VideoMAEConfig(width=12, depth=2, heads=2, patch=(5, 8, 8)),
    "hiera": HieraConfig(width=6, depths=(1, 1), mask_unit=(1, 2, 2), local_stages=1),
    "mvit": MViTConfig(
        width=6, depth=2, downscale=(1,), key_strides=(1, 2, 2), conv3d="native"
    ),
    "focalnet": VideoFocalNetConfig(width=6, depths=(1, 1), conv3d="native"),
    "slowfast": SlowFastConfig(blocks=(1, 1), width=8, alpha=5, channel_ratio=4),
    "csn": CSNConfig(blocks=(1, 1), width=8, conv3d="native"),
    "tanet": TANetConfig(blocks=(1, 1), width=8),
}
# 8 x 2 x 4; 1024 / 16.
WIDTHS = {"tsm": 64, "i3d": 64, "timesformer": 12}
WIDTHS |= {
    "swin": 12,
    "videomae": 12,
    "hiera": 12,
    "mvit": 12,
    "focalnet": 12,
    "slowfast": 64 + 16,
    "csn": 64,
    "tanet": 64,
}
# MViT's classifier reads the class token alone: where the last block's other queries
# stand does not matter, in the published networks either.
UNREAD = re.compile(r"backbone/blocks_1/attention/(pool_query/kernel|relative_)")
# One of each kind takes a step in the short tests.
STEPPED = ("tsm", "timesformer", "hiera")
SIZES = dict(num_classes=5, frames=5, image_size=24, dtype="float32")


def small(net="tsm", **fields):
    return DualStreamConfig(**(SIZES | fields), backbone=NETS[net])


def batch_of(config, size=3):
    return example_batch(Experiment("test", config, None), size)


def shapes_of(config):
    module, batch = config.build(), batch_of(config)
    variables = jax.eval_shape(lambda b: module.init(jax.random.key(0), b), batch)
    out = jax.eval_shape(lambda v, b: module.apply(v, b), variables, batch)
    return variables, out


def filled(config, gain=1.5):
    """Variables without a zero among them."""
    random = np.random.default_rng(5)

    def fill(path, x):
        if "var" in str(path[-1]) or "scale" in str(path[-1]):
            return (0.5 + random.random(x.shape)).astype(x.dtype)
        spread = gain / np.sqrt(max(np.prod(x.shape[:-1]), 1))
        return (spread * random.normal(size=x.shape)).astype(x.dtype)

    return jax.tree_util.tree_map_with_path(fill, shapes_of(config)[0])


def one_step(config, gain=1.5):
    """Parameters by name before and after a training step, and its loss."""
    mesh, variables = tiny.mesh_of(1), filled(config, gain)
    # So large that no gradient is lost in rounding.
    tx = optim.make_optimizer(OptimConfig(weight_decay=0.0), lambda step: 1e3)
    state = State(
        jnp.zeros((), jnp.int32),
        variables["params"],
        variables.get("batch_stats", {}),
        tx.init(variables["params"]),
    )
    step = steps.make_train_step(
        config.build(),
        config.losses(),
        tx,
        lambda step: 1e3,
        mesh=mesh,
        seed=0,
        total_steps=2,
    )
    before = flax.traverse_util.flatten_dict(variables["params"], sep="/")
    state, metrics = step(state, tiny.put(batch_of(config), mesh))
    after = flax.traverse_util.flatten_dict(jax.device_get(state.params), sep="/")
    return before, after, float(metrics["loss"])


def run(config, variables, batch):
    return jax.jit(config.build().apply)(variables, batch)


@pytest.mark.parametrize(
    ("net", "fusion"),
    [
        (net, fusion)
        for net in NETS
        for fusion in ("add", "concat", "average")
        if net != "i3d" or fusion == "concat"  # the slowest to trace
    ],
)
@pytest.mark.parametrize("layout", ["passes", "time", "unshared"])
def test_every_net_in_every_layout_under_every_fusion(net, fusion, layout):
    variables, out = shapes_of(small(net, fusion=fusion, layout=layout))
    assert out["logits"].shape == (3, 5)
    names = {"rgb", "ir"} if layout == "unshared" else {""}
    nets = set(variables["params"]["branches"])
    assert nets == {"_".join(filter(None, ("backbone", name))) for name in names}
    heads = set(variables["params"]) - {"branches"}
    if fusion == "average":
        streams = ("all",) if layout == "time" else ("rgb", "ir")
        assert heads == {f"head_{name}" for name in streams}
        assert out["stream_logits"].shape == (3, len(streams), 5)
    else:
        assert heads == {"head"}
        width = variables["params"]["head"]["fc"]["kernel"].shape[0]
        both = fusion == "concat" and layout != "time"
        assert width == WIDTHS[net] * (2 if both else 1)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_fusion_of_three_streams_has_losses_to_train_with(fusion):
    config = small("timesformer", fusion=fusion, streams=("rgb", "ir", "depth"))
    variables, _ = shapes_of(config)

    def total(variables, batch, key):
        out, _ = config.build().apply(
            variables, batch, train=True, rngs={"dropout": key}, mutable="batch_stats"
        )
        return sum(term.weight * term(out, batch) for term in config.losses())

    batch = batch_of(config) | {"present": np.ones((3, 3), bool)}
    assert jax.eval_shape(total, variables, batch, jax.random.key(0)).shape == (3,)


@pytest.mark.long
@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_step_under_every_fusion_reaches_every_parameter(fusion):
    config = small("timesformer", fusion=fusion, streams=("rgb", "ir", "depth"))
    if fusion == "qmf":
        config.fusion.history = 3
    before, after, loss = one_step(config)
    assert np.isfinite(loss)
    for name, value in after.items():
        assert np.any(value != before[name]) or value.size < 13, name


def test_a_map_is_asked_for_by_name():
    with pytest.raises(ValueError, match="has no one map as wide as its vectors"):
        shapes_of(small("slowfast", fusion="cross_attention"))
    _, out = shapes_of(small("tsm", fusion="bottleneck", streams=("rgb", "ir")))
    assert out["token"].shape == (3, WIDTHS["tsm"])


def test_a_history_has_a_place_for_every_clip():
    config = small(fusion="qmf")
    config.check_clips(10)
    config.fusion.history = 10
    config.check_clips(10)
    with pytest.raises(UserError, match="remembers 10 clips .* has 11. Add --config"):
        config.check_clips(11)


@pytest.mark.parametrize(
    "net",
    [pytest.param(x, marks=() if x in STEPPED else pytest.mark.long) for x in NETS],
)
def test_a_step_reaches_every_parameter(net):
    config = small(net, ir_embedding="single", streams=("rgb", "ir"))
    before, after, loss = one_step(config)
    assert np.isfinite(loss)
    stem = {"tsm": "conv1_1", "i3d": "conv1_1/kernel", "timesformer": "patch_embed_1"}
    stem |= {"swin": "patch_embed_1", "slowfast": "fast_conv1_1"}
    stem |= dict.fromkeys(("videomae", "hiera", "mvit", "focalnet"), "patch_embed_1")
    stem |= {"csn": "conv1_1", "tanet": "conv1_1"}
    assert any(stem[net] in name for name in before)
    for name, value in after.items():
        if UNREAD.search(name):
            continue
        # Of so narrow a network a few channels are dead.
        assert np.any(value != before[name]) or value.size < 10, name


def test_one_run_over_stacked_streams_is_each_stream_s_own():
    """Shared weights, statistics fixed: what stands beside a clip does not matter."""
    both = small(fusion="average")
    variables, batch = filled(both), batch_of(both)
    out = run(both, variables, batch)
    for name in ("rgb", "ir"):
        alone = small(fusion="average", streams=(name,))
        params = dict(variables["params"])
        params = {key: params[key] for key in ("branches", f"head_{name}")}
        got = run(alone, {**variables, "params": params}, batch)["logits"]
        np.testing.assert_allclose(got, out[f"{name}_logits"], atol=1e-5)


def test_streams_in_time_are_one_longer_clip():
    config, once = small(layout="time"), small(streams=("rgb",), frames=10)
    variables, batch = filled(config), batch_of(config)
    ir = np.broadcast_to(batch["ir"], batch["rgb"].shape)
    longer = {"rgb": np.concatenate([batch["rgb"], ir], axis=1)}
    # Grey is normalised by the mean of the colours' constants: take equal ones.
    for each in (config, once):
        each.backbone = SameForAllColours(**vars(each.backbone))
    np.testing.assert_allclose(
        run(config, variables, batch)["logits"],
        run(once, variables, longer)["logits"],
        atol=1e-5,
    )


class SameForAllColours(TSMResNetConfig):
    mean, std = (0.5,), (0.25,)


@pytest.mark.parametrize("fusion", ["add", "concat", "average"])
@pytest.mark.parametrize("layout", ["passes", "unshared"])
def test_what_is_missing_has_no_influence(fusion, layout):
    config = small(fusion=fusion, layout=layout)
    variables, batch = filled(config), batch_of(config)
    apply = jax.jit(functools.partial(config.build().apply, variables))
    every = apply(batch | {"present": np.ones((3, 2), bool)})["logits"]
    np.testing.assert_allclose(every, apply(batch)["logits"], atol=1e-5)
    present = np.array([[True, True], [True, False], [True, False]])
    other = batch | {"ir": batch["ir"][::-1].copy()}
    other["ir"][0] = batch["ir"][0]
    one = apply(batch | {"present": present})["logits"]
    np.testing.assert_array_equal(one, apply(other | {"present": present})["logits"])
    assert np.abs(one[1:] - every[1:]).max() > 1e-3
    np.testing.assert_allclose(one[0], every[0], atol=1e-5)
    if fusion == "average":
        alone = apply(batch)["rgb_logits"]
        np.testing.assert_allclose(one[1:], alone[1:], atol=1e-5)


def test_fields_of_the_backbone_are_overridden_by_their_dotted_names():
    experiment = Experiment("test", small(), None)
    set_value(experiment, "model.backbone.width", "16")
    set_value(experiment, "model.fusion", "concat")
    assert experiment.model.build().branches.backbone.width == 16
    assert isinstance(experiment.model.backbone, Config)
    for key in ("model.backbone.depth", "model.width"):
        with pytest.raises(ConfigError, match="has no field"):
            set_value(experiment, key, "2")


def test_a_fusion_is_set_by_name_and_its_fields_by_theirs():
    experiment = Experiment("test", small(), None)
    keys = dict(leaves(experiment.model))
    assert keys["fusion"] == "add" and "fusion" in keys_left_alone(experiment.model)
    set_value(experiment, "model.fusion", "tmc")
    set_value(experiment, "model.fusion.annealing", "0.25")
    assert experiment.model.build().fusion.annealing == 0.25
    assert experiment.model.losses()[0].annealing == 0.25
    keys = dict(leaves(experiment.model))
    assert keys["fusion"] == "tmc" and keys["fusion.annealing"] == 0.25
    assert not {"fusion", "fusion.annealing"} & keys_left_alone(experiment.model)
    with pytest.raises(ConfigError, match="'tcm'; choose one of add, concat, average"):
        set_value(experiment, "model.fusion", "tcm")
    with pytest.raises(ConfigError, match="TMCConfig has no field 'weights'"):
        set_value(experiment, "model.fusion.weights", "(1, 2)")


def test_further_stems_start_from_the_mean_over_rgb():
    net = TSMResNetConfig(blocks=(1, 2, 1, 1), width=3)
    config = DualStreamConfig(**SIZES, backbone=net, ir_embedding="single")
    variables = filled(config)
    params, _, report = public_weights.initialize_from(
        GOLDEN / "tsm_tiny.pth", variables["params"], variables["batch_stats"]
    )
    stems = params["branches"]["backbone"]
    expected = np.mean(stems["conv1"]["kernel"], axis=2, keepdims=True)
    np.testing.assert_allclose(stems["conv1_1"]["kernel"], expected, atol=1e-6)
    assert {name.split("/")[0] for name in report.fresh} == {"head"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(layout="time", streams=("rgb", "rgb_diff")), "Got layout='time'"),
        (dict(layout="time", ir_embedding="single"), "repeat a single channel"),
        (dict(streams=("rgb", "rgb")), "each of them once"),
        (dict(streams=("rgb", "heat")), "one or more of .*'depth', 'skeleton'"),
        (dict(streams=("skeleton", "skeleton")), "each of them once"),
        (dict(layout="time", streams=("rgb", "ir", "skeleton")), "of their own for"),
    ],
)
def test_streams_that_a_layout_cannot_have(fields, message):
    with pytest.raises(ValueError, match=message):
        small(**fields).build()


def test_the_baseline_is_the_same_model_with_flat_fields():
    flat = dict(patch=8, width=12, depth=2, heads=2)
    ours = jax.tree.map(lambda x: x.shape, shapes_of(small("timesformer"))[0])
    theirs = shapes_of(BaselineConfig(**SIZES, **flat))[0]
    assert ours == jax.tree.map(lambda x: x.shape, theirs)


def test_depth_beside_colours_by_config_alone():
    config = small(streams=("rgb", "depth"))
    module, variables = config.build(), filled(config)
    batch = batch_of(config)
    assert batch["depth"].dtype == np.uint16

    def logits(millimetres):
        depth = np.full_like(batch["depth"], millimetres)
        return np.asarray(module.apply(variables, {**batch, "depth": depth})["logits"])

    # Beyond eight metres is as far as what was not measured; half a metre is not.
    np.testing.assert_array_equal(logits(0), logits(9000))
    assert np.abs(logits(500) - logits(0)).max() > 1e-3


def baseline(**fields):
    sizes = dict(frames=4, image_size=20, patch=4, width=18, depth=1, heads=3)
    return BaselineConfig(num_classes=5, dtype="float32", **sizes, **fields)


def test_shared_weights_see_both_streams_alike():
    config = baseline(fusion="average")
    batch = batch_of(config)
    batch["rgb"] = np.broadcast_to(batch["ir"], batch["rgb"].shape)
    variables = jax.jit(config.build().init)(jax.random.key(0), batch)
    params = variables["params"]
    params["head_ir"] = params["head_rgb"]
    logits = run(config, variables, batch)["stream_logits"]
    np.testing.assert_allclose(logits[:, 0], logits[:, 1], atol=1e-6)


@pytest.mark.parametrize("fusion", ["add", "concat", "average"])
@pytest.mark.parametrize("streams", [("rgb",), ("ir",), ("rgb", "ir")])
def test_dual_stream_fusions(fusion, streams):
    config = baseline(fusion=fusion, streams=streams)
    batch = batch_of(config)
    assert ("ir" in batch) == ("ir" in streams)
    variables = jax.jit(config.build().init)(jax.random.key(0), batch)
    out = run(config, variables, batch)
    assert out["logits"].shape == (3, 5)
    if fusion == "average":
        np.testing.assert_allclose(
            out["logits"], out["stream_logits"].mean(axis=1), atol=1e-6
        )
