import functools

import chex
import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.backbones.hcn import HCN, VARIANTS
from jaxact.backbones.protocol import Walk
from jaxact.layers.cross_modal import TIAM
from tests.paths import GOLDEN

LAYERS = {"0": "conv1", "1": "conv2", "2": "conv3", "3": "conv4"}


@functools.cache
def golden():
    with np.load(GOLDEN / "hcn.npz") as file:
        return dict(file)


def weights(number, shape):
    """The formula of the golden script."""
    index = np.arange(np.prod(shape), dtype=np.float64)
    values = 2 * np.sin(0.1 * index**2 + number) / np.sqrt(max(np.prod(shape[1:]), 2))
    return values.reshape(shape).astype(np.float32)


@functools.cache
def variables():
    """The oracle's weights under our names."""
    fc7 = golden()["fc7"].shape[1]
    module = HCN(fc7)
    skeleton = golden()["skeleton"]
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), skeleton))
    flat = {}
    for number, name in enumerate(golden()["names"]):
        layer, _, leaf = str(name).rpartition(".")
        stream, _, index = layer.partition(".")
        path = (
            f"{stream}_{LAYERS[index]}" if index else stream.replace("fc7", "feature")
        )
        path = path, {"weight": "kernel", "bias": "bias"}[leaf]
        shape = shapes["params"][path[0]][path[1]].shape
        if len(shape) == 4:  # [o i h w] to [h w i o]
            value = weights(number, (shape[3], shape[2], *shape[:2]))
            flat[path] = value.transpose(2, 3, 1, 0)
        else:
            flat[path] = weights(number, shape[::-1]).T
    return {"params": flax.traverse_util.unflatten_dict(flat)}


def module(**fields):
    return HCN(golden()["fc7"].shape[1], **fields)


@functools.cache
def applied():
    return jax.jit(module().apply)


def run(skeleton):
    return jax.tree.map(np.asarray, applied()(variables(), skeleton))


def test_features_agree_with_the_oracle():
    out = run(golden()["skeleton"])
    for name in ("positions", "motion", "conv5", "fc7"):
        expected = golden()[name]
        error = np.abs(out[name] - expected).max() / np.abs(expected).max()
        assert error < 1e-5, name


@pytest.mark.parametrize(
    ("name", "count"), [("official", 1_047_036), ("fusion", 1_062_652)]
)
def test_parameters_with_60_classes(name, count):
    frames, fc7 = VARIANTS[name]["frames"], VARIANTS[name]["fc7"]
    skeleton = jax.ShapeDtypeStruct((1, 2, frames, 25, 3), jnp.float32)
    shapes = jax.eval_shape(HCN(fc7).init, jax.random.key(0), skeleton)
    head = 60 * (fc7 + 1)
    assert sum(x.size for x in jax.tree.leaves(shapes)) + head == count


def test_two_persons_at_one_origin_may_change_places():
    skeleton = golden()["skeleton"].copy()
    skeleton[:, 1, :, 1] = skeleton[:, 0, :, 1]
    out, swapped = run(skeleton), run(skeleton[:, ::-1])
    np.testing.assert_array_equal(out["fc7"], swapped["fc7"])
    np.testing.assert_array_equal(out["conv5"], swapped["conv5"][:, ::-1])


def test_the_order_of_persons_gives_the_origin_and_nothing_else():
    skeleton = golden()["skeleton"]
    assert np.abs(run(skeleton)["fc7"] - run(skeleton[:, ::-1])["fc7"]).max() > 1e-3
    conv5 = golden()["conv5"]

    def from_conv5(network, x):
        walk = Walk(network, [skeleton], train=False)
        walk.to(2)
        walk.x = x
        return walk.to(1)

    joint = jax.jit(lambda x: module().apply(variables(), x, method=from_conv5))
    np.testing.assert_allclose(joint(conv5), golden()["fc7"], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(joint(conv5), joint(conv5[:, ::-1]))


def test_clips_with_one_person_empty_frames_and_lost_joints():
    skeleton = golden()["skeleton"].copy()
    skeleton[0, 1] = 0.0
    skeleton[1, :, 4] = 0.0
    skeleton[2, 0, 5, 3] = np.nan
    out = run(skeleton)
    chex.assert_tree_all_finite(out)
    # Who is absent counts as one whose joints all rest in the origin.
    nobody = np.zeros_like(skeleton)
    np.testing.assert_array_equal(out["conv5"][0, 1], run(nobody)["conv5"][0, 1])


def test_interaction_is_between_the_streams_after_the_transition():
    seen = {}

    def interaction(a, b):
        seen["shapes"] = a.shape, b.shape
        return b, a

    skeleton = golden()["skeleton"]
    exchanged = HCN(11, interaction=interaction)
    out = jax.jit(exchanged.apply)(variables(), skeleton)
    assert seen["shapes"] == ((6, 16, 32, 7),) * 2
    assert np.abs(out["fc7"] - golden()["fc7"]).max() > 1e-3


def test_gradients_reach_every_parameter_and_dropout_drops_channels():
    skeleton = golden()["skeleton"]

    @functools.partial(jax.jit, static_argnums=1)
    def gradients(params, train):
        def loss(params):
            rngs = {"dropout": jax.random.key(1)}
            out = module().apply({"params": params}, skeleton, train=train, rngs=rngs)
            return jnp.sin(out["fc7"]).sum(), out["conv5"]

        return jax.grad(loss, has_aux=True)(params)

    grads, _ = gradients(variables()["params"], False)
    for name, grad in flax.traverse_util.flatten_dict(grads, sep="/").items():
        assert np.any(grad != 0), f"no gradient reaches {name}"
    _, conv5 = gradients(variables()["params"], True)
    dead = (np.asarray(conv5) == 0).all(axis=(2, 3))
    assert 0.4 < dead.mean() < 0.8  # half of the channels, and what ReLU leaves of them


def test_a_clip_that_is_too_short():
    with pytest.raises(ValueError, match="16 frames or more"):
        jax.eval_shape(
            HCN().init, jax.random.key(0), jnp.zeros((1, 2, 8, 25, 3), jnp.float32)
        )


def test_tiam_as_interaction_starts_as_the_identity():
    skeleton = golden()["skeleton"]
    tiam = TIAM()
    maps = (jnp.ones((6, 16, 32, 7)),) * 2
    inner = jax.jit(tiam.init)(jax.random.key(0), *maps)
    with_tiam = HCN(11, interaction=lambda a, b: tiam.apply(inner, a, b))
    out = jax.jit(with_tiam.apply)(variables(), skeleton)
    np.testing.assert_allclose(out["fc7"], run(skeleton)["fc7"], rtol=1e-6)
