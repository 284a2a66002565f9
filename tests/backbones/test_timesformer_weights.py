"""TimeSformer with other libraries' weights gives other libraries' numbers.

The golden files are made by ``tests/golden/make_timesformer.py`` from tiny random
models of Hugging Face transformers and timm.
"""

import re

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from safetensors.numpy import save_file

from jaxact.backbones import timesformer_weights
from jaxact.backbones.public_weights import WeightsError, initialize_from, read_weights
from jaxact.backbones.timesformer import TimeSformer
from jaxact.layers.attention import attention_weights
from jaxact.layers.head import Head
from tests.paths import GOLDEN

SIZES = dict(patch=5, width=21, depth=3, heads=3, mlp_ratio=3.0)
CLASSES = 11


class Classifier(nn.Module):
    """A backbone and a head, as the models have them."""

    sizes: dict
    num_classes: int = CLASSES

    @nn.compact
    def __call__(self, video):
        out = TimeSformer(**self.sizes, name="backbone")(video)
        return {**out, "logits": Head(self.num_classes, name="head")(out["token"])}


def make(shape=(2, 5, 20, 20, 3), num_classes=CLASSES, **sizes):
    """Returns a model and its parameters, all of them far from what files hold."""
    model = Classifier({**SIZES, **sizes}, num_classes)
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros(shape))["params"]
    return model, jax.tree.map(lambda x: np.full(x.shape, 0.5, x.dtype), shapes)


def golden(name):
    with np.load(GOLDEN / f"{name}.npz") as file:
        return dict(file)


def flat(params):
    return traverse_util.flatten_dict(params, sep="/")


def test_timesformer_equals_hugging_face():
    expected = golden("timesformer_tiny")
    model, params = make()
    given, _, report = initialize_from(GOLDEN / "timesformer_tiny.safetensors", params)
    assert not report.fresh and not report.unused and not report.resized
    assert not report.notes  # a TimeSformer's are as this model's
    assert report.loaded.keys() == flat(params).keys()
    out = jax.jit(model.apply)({"params": given}, expected["video"])
    for name in ("token", "patches", "logits"):
        assert np.abs(expected[name]).max() > 0.5
        np.testing.assert_allclose(out[name], expected[name], atol=1e-5, err_msg=name)
    attention = attention_weights(out["queries"][-1], out["keys"][-1])
    np.testing.assert_allclose(attention, expected["attention"], atol=1e-5)


def test_the_original_naming_gives_the_same_parameters():
    _, params = make()
    one, _, report = initialize_from(GOLDEN / "timesformer_tiny.pyth", params)
    assert not report.fresh and not report.unused
    two, _, _ = initialize_from(GOLDEN / "timesformer_tiny.safetensors", params)
    chex.assert_trees_all_equal(one, two)


@pytest.mark.parametrize(
    ("file", "name", "frames"),
    [
        ("vit_timm.pth", "timm", 1),
        ("vit_hf.safetensors", "hf", 4),
    ],
)
def test_from_vit_a_still_clip_gives_what_the_vit_gives(file, name, frames):
    """Temporal projections start at 0 in all blocks, block 0 too."""
    expected = golden("vit_tiny")
    model, _ = make()
    params = model.init(jax.random.key(0), jnp.zeros((2, frames, 20, 20, 3)))["params"]
    params, _, report = initialize_from(GOLDEN / file, params)
    fresh = {re.sub(r"blocks_\d", "block", path) for path in report.fresh}
    assert fresh == {
        "backbone/time",
        "backbone/block/temporal_fc/kernel",
        "backbone/block/temporal_fc/bias",
        "head/fc/kernel",
        "head/fc/bias",
    }
    assert "--config.model.mean='(0.5,)'" in str(report)
    assert {n.split(".")[-2] for n in report.unused} == {
        "head" if name == "timm" else "classifier"
    }
    video = np.repeat(expected["image"][:, None], frames, axis=1)
    out = jax.jit(model.apply)({"params": params}, video)
    np.testing.assert_allclose(out["token"], expected[name][:, 0], atol=1e-5)
    patches = np.repeat(expected[name][:, None, 1:], frames, axis=1)
    np.testing.assert_allclose(out["patches"], patches, atol=1e-5)


def test_both_hugging_face_namings_of_vit_give_the_same_parameters():
    _, params = make()
    one, _, _ = initialize_from(GOLDEN / "vit_hf.safetensors", params)
    two, _, _ = initialize_from(GOLDEN / "vit_hf5.safetensors", params)
    chex.assert_trees_all_equal(one, two)
    assert one["backbone"]["class_token"][0, 0] != 0.5


def test_temporal_attention_starts_as_a_copy_of_the_spatial_one():
    _, params = make()
    params, _, _ = initialize_from(GOLDEN / "vit_timm.pth", params)
    block = params["backbone"]["blocks_2"]
    chex.assert_trees_all_equal(
        (block["temporal_attention"], block["temporal_norm"]),
        (block["spatial_attention"], block["spatial_norm"]),
    )
    source = read_weights(GOLDEN / "vit_timm.pth")
    np.testing.assert_array_equal(
        block["spatial_attention"]["in_proj"]["qkv"]["kernel"],
        source["blocks.2.attn.qkv.weight"].T,
    )
    np.testing.assert_array_equal(
        block["temporal_fc"]["kernel"], np.full((21, 21), 0.5)
    )


def test_a_shallower_model_takes_the_first_blocks():
    _, params = make(depth=2)
    _, _, report = initialize_from(GOLDEN / "timesformer_tiny.pyth", params)
    assert not report.fresh
    assert len(report.unused) == 20
    assert all(name.startswith("blocks.2.") for name in report.unused)


def test_a_deeper_model_than_the_file_is_an_error():
    _, params = make(depth=4)
    with pytest.raises(WeightsError, match=r"blocks_3/.* the file has no blocks\.3\."):
        initialize_from(GOLDEN / "timesformer_tiny.pyth", params)


def test_another_head_is_fresh_and_keeps_its_values():
    _, params = make(num_classes=7)
    result, _, report = initialize_from(GOLDEN / "timesformer_tiny.pyth", params)
    assert report.fresh == {"head/fc/kernel": (21, 7), "head/fc/bias": (7,)}
    assert report.unused == {"head.weight": (11, 21), "head.bias": (11,)}
    np.testing.assert_array_equal(result["head"]["fc"]["bias"], np.full(7, 0.5))


def test_other_numbers_of_frames_and_patches_are_resized():
    path = GOLDEN / "timesformer_tiny.safetensors"
    _, params = make((1, 10, 40, 40, 3))
    result, _, report = initialize_from(path, params)
    assert report.resized == {"backbone/position": (65, 21), "backbone/time": (10, 21)}
    source = read_weights(path)
    old = source["timesformer.embeddings.position_embeddings"][0]
    new = result["backbone"]["position"]
    np.testing.assert_array_equal(new[0], old[0])
    # 4 x 4 patches become 8 x 8: the fourth lies at 1.25, where Keys' kernel (a = -1/2)
    # gives to the four old ones, 1.25, 0.25, 0.75 and 1.75 away:
    weights = np.array([-9, 111, 29, -3]) / 128
    square = old[1:].reshape(4, 4, 21)
    np.testing.assert_allclose(
        new[1:].reshape(8, 8, 21)[3, 3],
        np.einsum("h,w,hwd->d", weights, weights, square),
        atol=1e-6,
    )
    time = source["timesformer.embeddings.time_embeddings"][0]
    np.testing.assert_allclose(
        result["backbone"]["time"][1], 0.75 * time[0] + 0.25 * time[1], atol=1e-6
    )


def test_patches_that_are_not_square_are_refused():
    _, params = make((1, 5, 30, 10, 3))
    with pytest.raises(
        WeightsError, match=r"position: the file has \[17, 21\], the mo"
    ):
        initialize_from(GOLDEN / "timesformer_tiny.safetensors", params)


def test_a_single_channel_embedding_is_the_mean_of_three():
    path = GOLDEN / "timesformer_tiny.safetensors"
    _, params = make((1, 5, 20, 20, 1))
    assert "patch_embed_1" in params["backbone"]
    result, _, report = initialize_from(path, params)
    assert list(report.resized) == ["backbone/patch_embed_1/proj/kernel"]
    source = read_weights(path)
    kernel = source["timesformer.embeddings.patch_embeddings.projection.weight"]
    np.testing.assert_allclose(
        result["backbone"]["patch_embed_1"]["proj"]["kernel"].reshape(5, 5, 21),
        kernel.mean(axis=1).transpose(1, 2, 0),
        atol=1e-6,
    )


def test_two_unshared_backbones_are_filled_alike():
    _, params = make()
    both = {"branches": {f"backbone_{s}": params["backbone"] for s in ("rgb", "ir")}}
    result, _, report = initialize_from(
        GOLDEN / "timesformer_tiny.safetensors", {**both, "scorer": params["head"]}
    )
    assert set(report.fresh) == {"scorer/fc/kernel", "scorer/fc/bias"}
    first, second = result["branches"].values()
    chex.assert_trees_all_equal(first, second)
    assert first["time"][0, 0] != 0.5


@pytest.mark.parametrize(
    "sizes", [{"width": 24}, {"patch": 4}, {"mlp_ratio": 2.0}], ids=str
)
def test_weights_of_another_size_name_both_shapes(sizes):
    _, params = make(**sizes)
    with pytest.raises(
        WeightsError, match=r"the file has \[.*\], the model \["
    ) as error:
        initialize_from(GOLDEN / "timesformer_tiny.safetensors", params)
    assert "timesformer_tiny.safetensors" in str(error.value)
    assert len(str(error.value).splitlines()) <= 12


def test_weights_of_another_family_are_refused(tmp_path):
    save_file({"conv1.weight": np.zeros((3, 3))}, tmp_path / "resnet.safetensors")
    _, params = make()
    with pytest.raises(WeightsError, match=r"no known kind; it holds conv1\.weight"):
        initialize_from(tmp_path / "resnet.safetensors", params)
    with pytest.raises(WeightsError, match="has no TimeSformer"):
        initialize_from(GOLDEN / "vit_timm.pth", {"head": params["head"]})


def test_an_unknown_array_in_the_file_is_an_error(tmp_path):
    source = read_weights(GOLDEN / "timesformer_tiny.safetensors")
    source["timesformer.encoder.layer.0.gamma"] = np.ones(21, np.float32)
    save_file(source, tmp_path / "x.safetensors")
    _, params = make()
    with pytest.raises(WeightsError, match=r"layer\.0\.gamma \[21\] .* not used"):
        initialize_from(tmp_path / "x.safetensors", params)


def test_wrappers_prefixes_are_stripped_and_may_not_collide():
    array = np.zeros(1)
    stripped = timesformer_weights.clean(
        {"module.model.head.bias": array, "_orig_mod.norm.bias": array}
    )
    assert list(stripped) == ["head.bias", "norm.bias"]
    with pytest.raises(WeightsError, match="twice"):
        timesformer_weights.clean({"a": array, "module.a": array})
