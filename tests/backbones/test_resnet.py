import functools
import math

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.backbones.resnet import FRAME_WISE, VARIANTS, ResNet

SMALL = dict(blocks=(1, 2), width=3)
DEEP = dict(blocks=(1, 2, 1, 1), width=3)
VIDEO = np.random.default_rng(3).normal(size=(2, 8, 22, 18, 3)).astype(np.float32)


def shapes_of(video, **fields):
    model = ResNet(**fields)
    shape = jax.ShapeDtypeStruct(video, jnp.float32)
    variables = jax.eval_shape(lambda x: model.init(jax.random.key(0), x), shape)
    out = jax.eval_shape(lambda v, x: model.apply(v, x), variables, shape)
    number = sum(math.prod(x.shape) for x in jax.tree.leaves(variables["params"]))
    return number, [stage.shape for stage in out["stages"]], variables


@functools.cache
def variables_of(names=()):
    """Variables of a small network without a zero among them."""
    _, _, shapes = shapes_of(VIDEO.shape, **(SMALL | dict(names)))
    random = np.random.default_rng(5)

    def fill(path, x):
        spread = 2.0 if "var" in str(path[-1]) else 0.0  # variances are positive
        value = spread + 0.8 * random.normal(size=x.shape)
        return np.asarray(np.abs(value) if spread else value, x.dtype)

    return jax.tree_util.tree_map_with_path(fill, shapes)


def flat(tree):
    return flax.traverse_util.flatten_dict(tree, sep="/")


@pytest.mark.parametrize(
    ("fields", "number"),
    [
        (dict(), 24_327_632),  # DAM's Table 2 with 400 classes; the paper prints 24.18
        (dict(time_strides=FRAME_WISE), 24_327_632),
        (dict(inflated=True), 28_300_752),  # the paper's C3D: 28.51
        (dict(blocks=VARIANTS["resnet101"]), 43_319_760),
    ],
    ids=str,
)
def test_parameters_with_400_classes(fields, number):
    assert shapes_of((1, 32, 224, 224, 3), **fields)[0] + 400 * 2049 == number


def test_output_sizes_of_table_2():
    _, stages, _ = shapes_of((1, 32, 224, 224, 3))
    assert stages == [
        (1, 8, 56, 56, 256),
        (1, 4, 28, 28, 512),
        (1, 4, 14, 14, 1024),
        (1, 4, 7, 7, 2048),
    ]
    _, stages, variables = shapes_of((1, 8, 224, 224, 15), time_strides=FRAME_WISE)
    assert [stage[1] for stage in stages] == [8, 8, 8, 8]
    assert variables["params"]["conv1"]["kernel"].shape == (7, 7, 15, 64)


@functools.cache
def trained(**fields):
    """Loss gradients of one training call, and the statistics after it."""
    model = ResNet(**SMALL, **fields)
    variables = variables_of((("inflated", True),))

    def loss(params):
        out, updated = model.apply(
            {**variables, "params": params}, VIDEO, train=True, mutable="batch_stats"
        )
        return jnp.sin(out["features"]).sum(), updated["batch_stats"]

    grads, stats = jax.jit(jax.grad(loss, has_aux=True))(variables["params"])
    return flat(grads), flat(stats)


def test_gradients_reach_every_parameter():
    grads, stats = trained(inflated=True)
    for name, grad in grads.items():
        assert np.any(grad != 0), f"no gradient reaches {name}"
    before = flat(variables_of((("inflated", True),))["batch_stats"])
    assert all(np.any(stats[name] != before[name]) for name in before)


@pytest.mark.parametrize("which", ["all", "partial"])
def test_a_frozen_norm_does_not_move(which):
    """Of "partial" the first one does: scale, bias and statistics."""
    grads, stats = trained(inflated=True, frozen_norm=which)
    before = flat(variables_of((("inflated", True),))["batch_stats"])
    moved = {name for name, grad in grads.items() if np.any(grad != 0)}
    moved |= {name for name in before if np.any(stats[name] != before[name])}
    norms = {name for name in [*grads, *before] if "norm" in name}
    first = {f"norm1/{name}" for name in ("scale", "bias", "mean", "var")}
    assert first < norms
    assert moved & norms == (first if which == "partial" else set())
    assert moved >= set(grads) - norms


def test_an_unknown_frozen_norm_is_refused():
    with pytest.raises(ValueError, match="frozen_norm is 'some'; choose one of none"):
        shapes_of((1, 4, 16, 16, 3), **SMALL, frozen_norm="some")


@pytest.mark.parametrize(
    "strides, message", [((100, 1, 1), "100 where 8"), ((3, 2, 3), "3 where 2")]
)
def test_strides_longer_than_what_is_left_are_refused(strides, message):
    with pytest.raises(ValueError, match=message):
        shapes_of(VIDEO.shape, **SMALL, time_strides=strides)
    shapes_of((2, 1, *VIDEO.shape[2:]), **SMALL, time_strides=strides)  # of one frame


def test_remat_changes_nothing():
    first, second = trained(inflated=True), trained(inflated=True, remat=True)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(a).max()),
        first,
        second,
    )


def test_frame_wise_looks_at_one_frame_and_the_others_at_more():
    moved = VIDEO.copy()
    moved[:, 2] += 1.0

    def change(**fields):
        model = ResNet(**DEEP, **fields)
        variables = variables_of(tuple((DEEP | fields).items()))
        apply = jax.jit(lambda x: model.apply(variables, x)["features"])
        return np.abs(apply(moved) - apply(VIDEO)).max(axis=(0, 2, 3, 4)) > 0

    assert np.flatnonzero(change(time_strides=FRAME_WISE)).tolist() == [2]
    inflated = change(time_strides=FRAME_WISE, inflated=True)
    # Units 1, 3 and 5 of the five look one frame to either side.
    assert np.flatnonzero(inflated).tolist() == [0, 1, 2, 3, 4, 5]
    assert change().tolist() == [True]  # 8 frames become one


def test_the_shift_is_on_the_residual_branch_alone():
    def nothing(x):
        return jnp.zeros_like(x)

    variables = flat(variables_of())
    # With a residual branch of zeros (no norm adds anything) a unit is its shortcut.
    variables = {
        name: jnp.zeros_like(x)
        if "/norm" in name and name.endswith(("bias", "mean"))
        else x
        for name, x in variables.items()
    }
    variables = flax.traverse_util.unflatten_dict(variables, sep="/")
    called = []

    def before_unit(stage, unit, x):
        called.append((stage, unit))
        return x

    model = ResNet(**SMALL, shift=nothing, before_unit=before_unit)
    out = jax.jit(model.apply)(variables, VIDEO)
    assert called == [(1, 1), (2, 1), (2, 2)]
    shorter = ResNet(blocks=(1, 1), width=3, shift=nothing)
    for tree in variables.values():
        tree.pop("res2_2")
    np.testing.assert_array_equal(  # unit 2 of stage 2 has no projection
        out["features"], jax.jit(shorter.apply)(variables, VIDEO)["features"]
    )
