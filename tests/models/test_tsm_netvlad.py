import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

import jaxact
from jaxact.backbones import public_weights
from jaxact.batch import example_batch
from jaxact.config import ConfigError, Experiment, OptimConfig
from jaxact.devices import distributed
from jaxact.layers.netvlad import start_values
from jaxact.models.tsm_netvlad import TSMNetVLADConfig
from jaxact.run import optim, steps
from jaxact.state import State
from tests import tiny
from tests.paths import GOLDEN

SMALL = dict(
    num_classes=5,
    dtype="float32",
    frames=3,
    image_size=22,
    blocks=(1,),
    width=8,
    clusters=7,
    alpha=20.0,
    kmeans_clips=4,
)


def config(**fields):
    return TSMNetVLADConfig(**(SMALL | fields))


def batch_of(model, rows=2):
    return example_batch(Experiment("test", model, None), rows)


def filled(model):
    """Variables of a model without a zero among them."""
    module, batch = model.build(), batch_of(model)
    init = functools.partial(module.init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), batch)
    random = np.random.default_rng(5)

    def fill(path, x):
        if "var" in str(path[-1]) or "scale" in str(path[-1]):
            return (0.5 + random.random(x.shape)).astype(x.dtype)
        spread = 1.5 / np.sqrt(max(np.prod(x.shape[:-1]), 1))
        return (spread * random.normal(size=x.shape)).astype(x.dtype)

    variables = jax.tree_util.tree_map_with_path(fill, shapes)
    for name in [name for name in variables["params"] if name.startswith("pool")]:
        centres = random.normal(size=shapes["params"][name]["centres"].shape)
        centres /= np.linalg.norm(centres, axis=-1, keepdims=True)
        values = start_values(centres, model.alpha)
        variables["params"][name] = jax.tree.map(np.asarray, values)
    return variables


def apply(model, variables, batch, **fields):
    return jax.jit(functools.partial(model.build().apply, **fields))(variables, batch)


@pytest.mark.parametrize(
    ("fields", "parameters", "gmacs"),
    [
        (dict(pooling="average", num_classes=400), 24_327_632, 32.88),
        (dict(pooling="average", shift_fraction=0.0), 24_327_632 - 340 * 2049, 32.88),
        (dict(), 23_508_032 + 64 * (2 * 2048 + 1) + 1 + 60 * (64 * 2048 + 1), 32.88),
        (dict(streams=("rgb_diff",), pooling="average"), 23_668_604, 36.5),
    ],
    ids=str,
)
def test_size_of_the_papers_model(fields, parameters, gmacs):
    """33 GFLOPs in the paper; a shift costs nothing."""
    experiment = Experiment("test", TSMNetVLADConfig(**fields), None)
    ledger = jaxact.ledger(experiment, depth=1)
    assert ledger.parameters == parameters
    assert ledger.gmacs == pytest.approx(gmacs, rel=0.01)


def test_each_unit_widens_the_view_by_one_frame_each_way():
    """An impulse at frame 6 of 13: after n shifts 2 n + 1 frames know of it."""
    shifted, plain = config(frames=13, blocks=(1, 2, 1)), config(shift_fraction=0.0)
    trunk = shifted.build().trunk
    variables = filled(shifted)
    variables = {kind: tree["backbone_rgb"] for kind, tree in variables.items()}
    video = np.random.default_rng(0).normal(size=(2, 13, 22, 22, 3))
    video[1] = video[0]
    video[1, 6, 3, 5] += 9.0

    def touched(trunk):
        stages = jax.jit(trunk.apply)(variables, video)["stages"]
        # Rows of one product may be rounded apart, by some 1e-7 of the largest value.
        moved = [
            np.abs(x[0] - x[1]).max(axis=(1, 2, 3)) > 1e-5 * np.abs(x).max()
            for x in stages
        ]
        return [np.flatnonzero(frames).tolist() for frames in moved]

    expected = [[5, 6, 7], list(range(3, 10)), list(range(2, 11))]
    assert touched(trunk) == expected
    assert touched(trunk.clone(shift=plain.build().trunk.shift)) == [[6]] * 3


def test_equal_to_an_independent_implementation():
    """torchvision's network with convolutions for shifts, from a TSM checkpoint."""
    with np.load(GOLDEN / "tsm_tiny.npz") as file:
        golden = dict(file)
    model = config(
        num_classes=11,
        pooling="average",
        shift_fraction=1 / 3,
        frames=5,
        width=3,
        blocks=(1, 2, 1, 1),
    )
    variables = filled(model)
    params, stats, report = public_weights.initialize_from(
        GOLDEN / "tsm_tiny.pth", variables["params"], variables["batch_stats"]
    )
    assert not report.resized
    assert {name.split("/")[0] for name in report.fresh} == {"head_rgb"}
    unused = [name for name in report.unused if "num_batches" not in name]
    assert unused == ["new_fc.weight", "new_fc.bias"]
    kernel, bias = golden["fc_weight"].T, golden["fc_bias"]
    params["head_rgb"] = {"fc": {"kernel": kernel, "bias": bias}}
    out = apply(
        model, {"params": params, "batch_stats": stats}, {"rgb": golden["video"]}
    )
    assert np.abs(golden["logits"]).max() > 0.3
    np.testing.assert_allclose(out["logits"], golden["logits"], atol=1e-5)


def test_first_convolutions_start_from_the_mean_over_rgb():
    model = config(
        streams=("rgb", "rgb_diff", "ir"), width=3, blocks=(1, 2, 1, 1), frames=2
    )
    variables = filled(model)
    source = public_weights.read_weights(GOLDEN / "tsm_tiny.pth")
    params, _, report = public_weights.initialize_from(
        GOLDEN / "tsm_tiny.pth", variables["params"], variables["batch_stats"]
    )
    image = source["module.base_model.conv1.weight"].transpose(2, 3, 1, 0)
    mean = image.mean(axis=2, keepdims=True)
    for name, expected in (("rgb", image), ("rgb_diff", mean), ("ir", mean)):
        kernel = params[f"backbone_{name}"]["conv1"]["kernel"]
        np.testing.assert_allclose(kernel, np.broadcast_to(expected, kernel.shape))
    assert len(report.resized) == 2
    assert params["backbone_rgb_diff"]["conv1"]["kernel"].shape == (7, 7, 15, 3)


@pytest.mark.parametrize(
    "stream", [pytest.param("rgb", marks=pytest.mark.long), "rgb_diff"]
)
def test_frozen_batch_norm_does_not_move_in_ten_steps(stream):
    """Of a stream of differences all but the first is frozen (TSN, TSM)."""
    model = config(streams=(stream,))
    mesh = tiny.mesh_of(1)
    optimizer = OptimConfig(lr=0.01, weight_decay=1e-2)
    tx = optim.make_optimizer(optimizer, lambda step: 0.01)
    variables = filled(model)
    state = State(
        jnp.zeros((), jnp.int32),
        variables["params"],
        variables["batch_stats"],
        tx.init(variables["params"]),
    )
    step = steps.make_train_step(
        model.build(),
        model.losses(),
        tx,
        lambda step: 0.01,
        mesh=mesh,
        seed=0,
        total_steps=10,
    )
    before = traverse_util.flatten_dict(variables, sep="/")
    before = {name: np.array(value) for name, value in before.items()}
    batch = tiny.put(batch_of(model, rows=3), mesh)
    losses = []
    for _ in range(10):
        state, metrics = step(state, batch)
        losses.append(float(metrics["loss"]))
    assert np.isfinite(losses).all() and np.mean(losses[-3:]) < 0.9 * losses[0]
    after = {"params": state.params, "batch_stats": state.batch_stats}
    still, moved = set(), set()
    for name, value in traverse_util.flatten_dict(after, sep="/").items():
        (still if np.array_equal(value, before[name]) else moved).add(name)
    norms = {name for name in before if "norm" in name}
    assert len(norms) == 4 * (1 + 4)
    if stream == "rgb_diff":
        norms -= {name for name in norms if "backbone_rgb_diff/norm1/" in name}
        assert len(norms) == 4 * 4
    assert norms == still
    assert moved == set(before) - norms


def test_frozen_norms_of_random_weights_are_said():
    experiment = Experiment("test", config(), None)
    (note,) = experiment.model.notes(experiment)
    assert note.startswith("batch norms are frozen, and the weights are random")
    experiment.train.init_from = "weights.pth"
    assert experiment.model.notes(experiment) == []
    assert config(frozen_norm="none").notes(Experiment("test", None, None)) == []


def test_each_stream_has_its_own_frozen_norms():
    streams = ("rgb", "rgb_diff", "ir")
    frozen = config(streams=streams).build().frozen_norms
    assert frozen == ("all", "partial", "partial")
    assert config(streams=streams, frozen_norm="all").build().frozen_norms == (
        ("all",) * 3
    )


def test_assignments_and_activation_maps_add_up():
    for fields in (dict(), dict(frame_vlad=True), dict(pooling="average")):
        model = config(streams=("rgb_diff", "rgb"), **fields)
        variables = filled(model)
        out = apply(model, variables, batch_of(model))
        rows, (places, side) = np.arange(2), (6, 6)
        if "pooling" in fields:
            assert "assignments" not in out
        else:
            assert out["assignments"].shape == (2, places, side, side, 7)
            np.testing.assert_allclose(out["assignments"].sum(-1), 1.0, atol=1e-5)
        assert out["features"].shape == (2, places, side, side, 32)
        predicted = np.asarray(out["logits"].argmax(axis=-1))
        halves = np.split(np.asarray(out["activation"]), 2, axis=1)
        for name, half in zip(model.streams, halves, strict=True):
            bias = variables["params"][f"head_{name}"]["fc"]["bias"]
            logit = np.asarray(out[f"{name}_logits"])[rows, predicted]
            total = half.mean(axis=(1, 2, 3)) + bias[predicted]
            np.testing.assert_allclose(total, logit, atol=1e-4)


def test_scores_of_streams_are_averaged():
    model = config(streams=("rgb", "rgb_diff"), stream_weights=(1.0, 3.0))
    out = apply(model, filled(model), batch_of(model))
    one, two = (jax.nn.softmax(out[f"{n}_logits"]) for n in model.streams)
    joint = jax.nn.softmax(out["logits"])
    np.testing.assert_allclose(joint, 0.25 * one + 0.75 * two, atol=1e-6)


def test_a_bfloat16_model_pools_in_float32():
    model = config(dtype="bfloat16", alpha=1000.0)
    out = apply(model, filled(model), batch_of(model))
    assert out["features"].dtype == jnp.bfloat16
    assert out["assignments"].dtype == out["logits"].dtype == jnp.float32
    assert all(np.isfinite(x.astype(np.float32)).all() for x in out.values())
    # Hard, and not the same cluster for all.
    assert out["assignments"].max(axis=-1).mean() > 0.9
    assert len(np.unique(out["assignments"].argmax(axis=-1))) > 1


def test_centres_stay_random_without_clips():
    params = {"pool_rgb": {"centres": np.arange(3.0)}}
    assert config(kmeans_clips=0).prepare(params, {}, batches=None, seed=0) is params


def test_centres_start_by_kmeans_of_training_clips():
    model = config(kmeans_clips=5)
    variables = filled(model)
    batches = [batch_of(model, rows=4) for _ in range(2)]
    batches[1]["rgb"] = batches[1]["rgb"] // 3

    def prepare(devices):
        mesh = tiny.mesh_of(devices)
        placed = jax.device_put(variables, distributed.replicated(mesh))
        params, stats = placed["params"], placed["batch_stats"]
        on_device = lambda: (tiny.put(batch, mesh) for batch in batches)  # noqa: E731
        return jax.device_get(model.prepare(params, stats, on_device, seed=3))

    params, other = prepare(1), prepare(2)
    for path, value in traverse_util.flatten_dict(params).items():
        tolerance = dict(atol=1e-4, rtol=1e-4) if path[0] == "pool_rgb" else {"atol": 0}
        again = traverse_util.flatten_dict(other)[path]
        np.testing.assert_allclose(value, again, **tolerance)
        before = traverse_util.flatten_dict(variables["params"])[path]
        assert np.array_equal(value, before) == (
            path[0] != "pool_rgb" or value.ndim == 0
        )
    pool = dict(params["pool_rgb"])
    expected = dict(start_values(pool["centres"], model.alpha))
    chex.assert_trees_all_equal(pool, expected)
    # Nearer to the features than centres in random directions are.
    out = apply(model, variables | {"params": params}, batches[1])
    x = np.array(out["features"]).reshape(-1, 32)
    x /= np.linalg.norm(x, axis=-1, keepdims=True)

    def error(centres):
        return ((x[:, None] - centres) ** 2).sum(-1).min(-1).mean()

    assert error(pool["centres"]) < 0.3 * error(
        variables["params"]["pool_rgb"]["centres"]
    )


@pytest.mark.parametrize(("pooling", "own"), [("netvlad", 16.0), ("average", 1.0)])
def test_the_pooled_vector_is_scaled_before_the_classifier(pooling, own):
    models = [config(pooling=pooling, head_scale=scale) for scale in (0, 1, 5)]
    variables, batch = filled(models[0]), batch_of(models[0])
    bias = variables["params"]["head_rgb"]["fc"]["bias"]
    default, one, five = (
        np.asarray(apply(model, variables, batch)["logits"]) - bias for model in models
    )
    np.testing.assert_allclose(five, 5 * one, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(default, own * one, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("frozen", ["none", "all"])
def test_kmeans_sees_features_as_the_first_step_will(frozen):
    """Where norms learn, stored statistics are not what a training step looks at."""
    model = config(frozen_norm=frozen, kmeans_clips=4)
    variables = filled(model)
    other = jax.tree.map(lambda x: 3 * x + 1, variables["batch_stats"])

    def centres(stats):
        params = jax.tree.map(jnp.asarray, variables["params"])
        params = model.prepare(params, stats, lambda: iter([batch_of(model, 4)]), 3)
        return np.asarray(params["pool_rgb"]["centres"])

    same = np.allclose(centres(variables["batch_stats"]), centres(other), atol=1e-6)
    assert same == (frozen == "none")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(head_scale=-1.0), "Got head_scale -1.0; expected a positive factor"),
        (dict(streams=("rgb", "flow")), "Got streams .*'flow'"),
        (dict(streams=("rgb", "rgb")), "each of them once"),
        (dict(pooling="max"), "pooling is 'max'; choose one of netvlad, av"),
        (dict(frozen_norm="first"), "frozen_norm is 'first'; choose one of auto"),
        (dict(stream_weights=(1.0, 2.0)), "a positive number for each"),
        (dict(shift_fraction=0.7), "Got a shift of 0.7"),
    ],
)
def test_impossible_configs(fields, message):
    with pytest.raises((ValueError, ConfigError), match=message):
        model = config(**fields)
        model.inputs()
        model.build()
