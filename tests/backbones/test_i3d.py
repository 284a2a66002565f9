"""I3D against an oracle; with the public weights too, where they are.

The public file is not part of the project. `JAXACT_I3D_WEIGHTS` names it, and
`JAXACT_I3D_CLIP` the clip; `tests/golden/make_i3d.py` says where both come from.
"""

import functools
import os

import av
import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.backbones.i3d import I3D, MEAN, STD, Inception, pooled
from jaxact.backbones.public_weights import initialize_from
from jaxact.batch import normalize_video
from jaxact.layers.head import Head
from tests.paths import GOLDEN

NARROW, CLASSES = 1 / 29, 7
CLIP = jax.ShapeDtypeStruct((1, 16, 224, 224, 3), jnp.float32)


class Classifier(nn.Module):
    """I3D and its head, on a normalised clip."""

    width: float = NARROW
    classes: int = CLASSES
    form: str = "auto"
    remat: bool = False

    @nn.compact
    def __call__(self, video, *, train=False):
        backbone = I3D(
            self.width, form=self.form, remat=self.remat, name="backbone_rgb"
        )
        out = backbone(video, train=train)
        logits = Head(self.classes, name="head")(pooled(out["mixed_5c"]))
        return out | {"logits": logits}


@functools.cache
def golden():
    with np.load(GOLDEN / "i3d_tiny.npz") as file:
        arrays = dict(file)
    return arrays | {"input": normalize_video(jnp.asarray(arrays["video"]), MEAN, STD)}


def fresh(model, video):
    """Variables of the right shapes, all of them 9: nothing can pass unfilled."""
    shapes = jax.eval_shape(model.init, jax.random.key(0), video)
    return jax.tree.map(lambda x: np.full(x.shape, 9, x.dtype), shapes)


@functools.cache
def variables():
    start = fresh(Classifier(), golden()["input"])
    params, stats, report = initialize_from(
        GOLDEN / "i3d_tiny.ckpt", start["params"], start["batch_stats"]
    )
    assert not report.fresh and not report.unused and not report.resized
    return {"params": params, "batch_stats": stats}


@pytest.mark.parametrize(
    "form", ["native", pytest.param("taps", marks=pytest.mark.long)]
)
def test_maps_and_logits_agree_with_the_oracle(form):
    out = jax.jit(Classifier(form=form).apply)(variables(), golden()["input"])
    for name in ("mixed_5b", "mixed_5c", "logits"):
        expected = golden()[name]
        assert out[name].shape == expected.shape
        np.testing.assert_allclose(out[name], expected, atol=1e-5 * expected.max())


@pytest.mark.long
def test_gradients_reach_every_parameter_and_statistics_move():
    def gradients(**fields):
        def loss(params):
            out, updated = Classifier(form="native", **fields).apply(
                {**variables(), "params": params},
                golden()["input"],
                train=True,
                mutable="batch_stats",
            )
            return jnp.sin(out["logits"]).sum(), updated["batch_stats"]

        return jax.jit(jax.grad(loss, has_aux=True))(variables()["params"])

    grads, stats = gradients()
    for name, grad in flax.traverse_util.flatten_dict(grads, sep="/").items():
        # Channels that ReLU kills in so narrow a network have none.
        assert np.any(grad != 0) or grad.size < 10, f"no gradient reaches {name}"
    before = flax.traverse_util.flatten_dict(variables()["batch_stats"], sep="/")
    for name, value in flax.traverse_util.flatten_dict(stats, sep="/").items():
        assert np.any(value != before[name]), name
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(a).max()),
        grads,
        gradients(remat=True)[0],
    )


@pytest.mark.parametrize("train", [False, True])
def test_both_forms_of_a_module_agree_and_gradients_reach_it_all(train):
    x = np.random.default_rng(5).normal(size=(2, 3, 5, 7, 11)).astype(np.float32)

    def gradients(form):
        module = Inception((2, 3, 5, 7, 11, 13), form=form)
        shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), x, train))
        random = np.random.default_rng(7)
        start = jax.tree.map(
            lambda s: np.abs(random.normal(size=s.shape)).astype(np.float32), shapes
        )

        def loss(params):
            out, _ = module.apply(
                {**start, "params": params}, x - 1, train, mutable="batch_stats"
            )
            return jnp.sin(out).sum()

        return flax.traverse_util.flatten_dict(
            jax.jit(jax.grad(loss))(start["params"]), sep="/"
        )

    taps, native = gradients("taps"), gradients("native")
    for name, grad in native.items():
        scale = np.abs(grad).max()
        assert scale > 0, f"no gradient reaches {name}"
        np.testing.assert_allclose(taps[name] / scale, grad / scale, atol=1e-4)


def test_parameters_and_taps_of_the_published_network():
    model = Classifier(1.0, 400)
    shapes = jax.eval_shape(model.init, jax.random.key(0), CLIP)
    params = flax.traverse_util.flatten_dict(shapes["params"], sep="/")
    assert sum(x.size for x in params.values()) == 12_689_984
    assert not any(name.endswith("scale") for name in params)
    out = jax.eval_shape(model.apply, shapes, CLIP)
    assert out["mixed_5b"].shape == (1, 2, 7, 7, 832)
    assert out["mixed_5c"].shape == (1, 2, 7, 7, 1024)


def test_pooling_by_hand():
    x = jnp.arange(1.0, 5.0).reshape(1, 4, 1, 1, 1)  # windows 1.5, 2.5, 3.5
    assert pooled(x)[0, 0] == 2.5
    x = jnp.asarray([8.0, 1.0, 1.0]).reshape(1, 3, 1, 1, 1)  # 4.5, 1
    assert pooled(x)[0, 0] == 2.75
    assert pooled(x[:, :1])[0, 0] == 8.0


def read_clip(path):
    """64 frames spread over the clip, the middle square as 224 x 224, -1 to 1."""
    with av.open(path) as file:
        frames = [f.to_ndarray(format="rgb24") for f in file.decode(video=0)]
    chosen = np.linspace(0, len(frames) - 1, 64).astype(int)
    video = np.stack(frames)[chosen].astype(np.float32)
    left = (video.shape[2] - video.shape[1]) // 2
    square = video[:, :, left : left + video.shape[1]]
    scaled = jax.image.resize(square, (64, 224, 224, 3), "linear")
    return scaled[None] / 127.5 - 1.0


if "JAXACT_I3D_WEIGHTS" in os.environ:

    @pytest.mark.long
    def test_the_public_weights():
        model = Classifier(1.0, 400)
        start = fresh(model, CLIP)
        params, stats, report = initialize_from(
            os.environ["JAXACT_I3D_WEIGHTS"], start["params"], start["batch_stats"]
        )
        assert not report.fresh and not report.unused
        apply = jax.jit(model.apply)
        public = {"params": params, "batch_stats": stats}
        zeros = apply(public, jnp.zeros(CLIP.shape))["logits"][0]
        assert zeros.argmax() == 1 and round(float(zeros.max()), 4) == 3.7768
        with np.load(GOLDEN / "i3d_kinetics.npz") as expected:
            np.testing.assert_allclose(zeros, expected["zeros"], atol=1e-4)
            clip = apply(public, read_clip(os.environ["JAXACT_I3D_CLIP"]))["logits"][0]
            np.testing.assert_allclose(clip, expected["clip"], atol=1e-3)
        assert clip.argmax() == 103  # "driving car"
        assert round(float(jax.nn.softmax(clip)[103]), 3) == 0.118
