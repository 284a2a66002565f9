"""MViT's files under the other namings, and such as do not fit."""

import jax
import numpy as np
import pytest

from jaxact.backbones.mvit import MViT
from jaxact.weights.keymap import WeightsError
from tests.backbones.parity import loaded
from tests.backbones.test_mvit import TINY, stored_of

PYSLOWFAST = {
    "conv_proj": "patch_embed.proj",
    "pos_encoding.class_token": "cls_token",
    "pos_encoding.class_pos": "pos_embed_class",
    "pos_encoding.spatial_pos": "pos_embed_spatial",
    "pos_encoding.temporal_pos": "pos_embed_temporal",
    "q.norm_act.0": "q_norm",
    "k.norm_act.0": "k_norm",
    "v.norm_act.0": "v_norm",
    "pool_q_norm": "norm_q",
    "pool_k_norm": "norm_k",
    "pool_v_norm": "norm_v",
    ".pool.weight": ".weight",
    "project.0": "proj",
    ".project.": ".proj.",
    "mlp.0": "mlp.fc1",
    "mlp.3": "mlp.fc2",
    "head.1": "head.projection",
}
MMACTION = {
    "/": "/backbone.",
    "patch_embed.proj": "patch_embed.projection",
    "/backbone.norm.": "/backbone.norm2.",
    "backbone.head.projection": "cls_head.fc_cls",
}
PYTORCHVIDEO = {
    "patch_embed.proj": "patch_embed.patch_model",
    "/cls_token": "/cls_positional_encoding.cls_token",
    "/pos_embed": "/cls_positional_encoding.pos_embed",
    "/norm.": "/norm_embed.",
    "head.projection": "head.proj",
}


def renamed(stored, *tables):
    for table in tables:
        for theirs, ours in table.items():
            stored = {name.replace(theirs, ours): x for name, x in stored.items()}
    return stored


def split(stored):
    """Query, key and value in weights of their own, as pytorchvideo has them."""
    result = {}
    for name, array in stored.items():
        parts = np.split(array, 3) if ".qkv." in name else [array]
        for letter, part in zip("qkv", parts, strict=False):
            result[name.replace(".qkv.", f".{letter}.")] = part
    return result


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("naming", ["PySlowFast", "mmaction2", "pytorchvideo"])
def test_other_namings_fill_the_same(tmp_path, version, naming):
    stored, model = stored_of(version), MViT(version=version, **TINY)
    expected, _ = loaded(model, stored["video"], stored, tmp_path)
    other = renamed(stored, PYSLOWFAST)
    if naming == "mmaction2":
        other = renamed(other, MMACTION)
    elif naming == "pytorchvideo":
        other = split(renamed(other, PYTORCHVIDEO))
    found, report = loaded(model, stored["video"], other, tmp_path)
    assert naming in report.source and not report.fresh
    assert len(report.unused) == 2  # the classifier
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_the_other_version_is_refused(tmp_path):
    stored = stored_of("v2")
    with pytest.raises(WeightsError, match="file has no pos_encoding.class_pos"):
        loaded(MViT(version="v1", **TINY), stored["video"], stored, tmp_path)
