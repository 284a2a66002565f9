import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from safetensors.numpy import save_file

from jaxact.backbones.public_weights import initialize_from, read_weights
from jaxact.backbones.resnet import FRAME_WISE, ResNet, Temporal
from jaxact.layers.head import Head
from tests.paths import GOLDEN

SIZES = dict(blocks=(1, 2, 1, 1), width=3, time_strides=FRAME_WISE)
FILES = {"torchvision": "resnet_torchvision.pth", "timm": "resnet_timm.safetensors"}


class Classifier(nn.Module):
    """A backbone and a head, as the models have them."""

    sizes: dict
    num_classes: int = 7

    @nn.compact
    def __call__(self, video):
        out = ResNet(**self.sizes, name="backbone")(video)
        pooled = out["features"].mean(axis=(1, 2, 3))
        return out["features"], Head(self.num_classes, name="head")(pooled)


def make(channels=3, num_classes=7, **sizes):
    """Returns a model and its variables, all of them far from what files hold."""
    model = Classifier({**SIZES, **sizes}, num_classes)
    video = jnp.zeros((1, 4, 38, 45, channels))
    shapes = jax.eval_shape(model.init, jax.random.key(0), video)
    filled = jax.tree.map(lambda x: np.full(x.shape, 0.5, x.dtype), shapes)
    return model, filled["params"], filled["batch_stats"]


def golden():
    with np.load(GOLDEN / "resnet_tiny.npz") as file:
        return dict(file)


def flat(tree):
    return traverse_util.flatten_dict(tree, sep="/")


@pytest.mark.parametrize("library", FILES)
def test_features_equal_the_library_s(library):
    expected = golden()
    model, params, stats = make()
    params, stats, report = initialize_from(GOLDEN / FILES[library], params, stats)
    assert not report.fresh and not report.resized
    assert all(name.endswith("num_batches_tracked") for name in report.unused)
    assert report.loaded.keys() == flat(params).keys() | flat(stats).keys()
    # The images as clips of one frame, so that the mean over frames is none.
    apply = jax.jit(lambda x: model.apply({"params": params, "batch_stats": stats}, x))
    features, logits = apply(expected["images"][:, None])
    assert np.abs(expected[library]).max() > 1.0
    np.testing.assert_allclose(features[:, 0], expected[library], atol=1e-5)
    np.testing.assert_allclose(logits, expected[f"{library}_logits"], atol=1e-5)


def test_an_inflated_network_starts_as_the_image_network():
    """The taps are the image's kernel in equal parts."""
    _, params, stats = make(inflated=True)
    params, _, report = initialize_from(GOLDEN / FILES["torchvision"], params, stats)
    assert not report.fresh and not report.resized
    source = read_weights(GOLDEN / FILES["torchvision"])
    kernel = params["backbone"]["res1_1"]["conv1"]["kernel"]
    image = source["layer1.0.conv1.weight"][:, :, 0, 0].T
    np.testing.assert_allclose(kernel, np.stack([image / 3] * 3), rtol=1e-6)
    # Away from the ends a still clip gives what the image gives.
    still = np.repeat(np.random.default_rng(1).normal(size=(1, 1, 2, 2, 3)), 4, axis=1)
    out = Temporal(3).apply({"params": {"kernel": kernel}}, still.astype(np.float32))
    np.testing.assert_allclose(out[0, 1:3], (still @ image)[0, 1:3], atol=1e-5)


def test_a_temporal_kernel_of_a_file_is_taken_as_it_is(tmp_path):
    source = read_weights(GOLDEN / FILES["torchvision"])
    random = np.random.default_rng(2)
    kernel = random.normal(size=(3, 3, 3, 1, 1)).astype(np.float32)
    source["layer1.0.conv1.weight"] = kernel
    save_file(source, tmp_path / "c3d.safetensors")
    _, params, stats = make(inflated=True)
    params, _, _ = initialize_from(tmp_path / "c3d.safetensors", params, stats)
    ours = params["backbone"]["res1_1"]["conv1"]["kernel"]
    x = random.normal(size=(1, 5, 2, 3, 3)).astype(np.float32)
    expected = jax.lax.conv_general_dilated(
        x,
        kernel,
        (1, 1, 1),
        ((1, 1), (0, 0), (0, 0)),
        dimension_numbers=("NDHWC", "OIDHW", "NDHWC"),
    )
    out = Temporal(3).apply({"params": {"kernel": ours}}, x)
    np.testing.assert_allclose(out, expected, atol=1e-5)


def test_names_of_wrappers_and_of_tsm_are_read(tmp_path):
    source = read_weights(GOLDEN / FILES["torchvision"])
    wrapped = {}
    for name, array in source.items():
        name = name.replace("conv1.weight", "conv1.net.weight")
        name = name.replace("fc.", "new_fc.")
        wrapped["module.base_model." + name] = array
    wrapped["module.base_model.conv1.weight"] = wrapped.pop(
        "module.base_model.conv1.net.weight"
    )
    save_file(wrapped, tmp_path / "tsm.safetensors")
    _, params, stats = make()
    one, one_stats, report = initialize_from(
        tmp_path / "tsm.safetensors", params, stats
    )
    assert set(report.fresh) == {"head/fc/kernel", "head/fc/bias"}
    two, two_stats, _ = initialize_from(GOLDEN / FILES["torchvision"], params, stats)
    chex.assert_trees_all_equal(
        (one["backbone"], one_stats),
        (two["backbone"], two_stats),
    )


def test_other_numbers_of_channels_and_classes():
    _, params, stats = make(channels=15, num_classes=5)
    params, _, report = initialize_from(GOLDEN / FILES["timm"], params, stats)
    assert report.resized == {"backbone/conv1/kernel": (7, 7, 15, 3)}
    assert report.fresh == {"head/fc/kernel": (96, 5), "head/fc/bias": (5,)}
    assert {"fc.weight", "fc.bias"} <= set(report.unused)
    source = read_weights(GOLDEN / FILES["timm"])["conv1.weight"]
    kernel = params["backbone"]["conv1"]["kernel"]
    for channel in (0, 14):
        np.testing.assert_allclose(
            kernel[:, :, channel], source.mean(axis=1).transpose(1, 2, 0), atol=1e-6
        )
