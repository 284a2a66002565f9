"""MViT v1 and v2 against torchvision's, distances by hand, published sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.backbones import mvit
from jaxact.backbones.mvit import MViT, MViTConfig
from tests.backbones.parity import (
    close,
    golden,
    loaded,
    published_parameters,
    published_size,
)

TINY = dict(width=8, depth=3, downscale=(1, 2), key_strides=(1, 4, 4), drop_path=0.0)
TINY |= dict(form="native")  # is compiled sooner


def stored_of(version):
    """The golden weights of a version where `loaded` looks for them."""
    stored = golden("mvit")
    theirs = {
        name.replace(f"{version}/", "weights/"): array
        for name, array in stored.items()
        if name.startswith(f"{version}/")
    }
    return theirs | {
        "video": stored["video"],
        "tokens": stored[f"{version}_tokens"],
    }


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_all_tokens_equal_torchvision_s(tmp_path, version):
    stored, model = stored_of(version), MViT(version=version, **TINY)
    variables, report = loaded(model, stored["video"], stored, tmp_path)
    assert not report.fresh and set(report.unused) == {"head.1.weight", "head.1.bias"}
    tables = {path.rpartition("/")[2] for path in report.resized}
    assert tables == ({"relative_h", "relative_w"} if version == "v2" else set())
    out = jax.jit(model.apply)(variables, stored["video"])
    close(out["token"], stored["tokens"][:, 0])
    features = out["features"].reshape(1, -1, 32)
    close(features, stored["tokens"][:, 1:])
    assert [stage.shape[1:4] for stage in out["stages"]] == [
        (3, 7, 5),
        (3, 4, 3),
        (3, 2, 2),
    ]


@pytest.mark.parametrize(
    ("name", "frames", "parameters", "gmacs"),
    [
        ("v1_base", 16, 36_610_672, 70.60),
        ("v2_small", 16, 34_537_744, 64.22),
        pytest.param("v2_base", 32, 51_230_128, 224.5, marks=pytest.mark.long),
    ],
)
def test_published_sizes_with_400_classes(name, frames, parameters, gmacs):
    # The form that is traced soonest; the other one counts alike.
    config = MViTConfig(**mvit.VARIANTS[name], conv3d="native")
    found = published_size(config, frames)
    assert found.parameters == parameters
    assert found.gmacs == pytest.approx(gmacs, rel=1e-3)


@pytest.mark.long
def test_published_parameters_of_the_large_one():
    """212,773,116 with 12 classes; a class more is a row of 1152 and a bias."""
    config = MViTConfig(**mvit.VARIANTS["v2_large"], conv3d="native")
    found = published_parameters(config, frames=16)
    assert found == 212_773_116 + (400 - 12) * 1153


def test_distances_by_hand():
    np.testing.assert_array_equal(mvit.relative_index(2, 2), [[1, 0], [2, 1]])
    # Four queries, two keys at 0 and 2: distances -2 .. 3, the least has row 0.
    by_hand = [[2, 0], [3, 1], [4, 2], [5, 3]]
    np.testing.assert_array_equal(mvit.relative_index(4, 2), by_hand)
    # Keys at 0, 5/3 and 10/3 of five: cut down to whole numbers.
    np.testing.assert_array_equal(mvit.relative_index(5, 3)[:2], [[3, 1, 0], [4, 2, 1]])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(downscale=(3, 1)), r"downscale \(3, 1\) of 16 blocks; .* from 1 to 15"),
        (dict(downscale=(16,)), "rising numbers from 1 to 15"),
        (dict(key_strides=(8, 8)), "expected three, of t, h and w"),
        (dict(heads=7), "multiple of the number of heads"),
    ],
)
def test_fields_that_do_not_fit_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        MViTConfig(**fields).build(jnp.float32)
