"""Hiera against the authors' package, its published sizes."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from jaxact.backbones import hiera
from jaxact.backbones.hiera import Hiera, HieraConfig
from tests.backbones.parity import (
    close,
    golden,
    loaded,
    published_parameters,
    published_size,
)

TINY = dict(width=6, depths=(1, 1, 2), mask_unit=(1, 4, 4))


def test_every_stage_equals_the_authors(tmp_path):
    stored, model = golden("hiera"), Hiera(**TINY)
    variables, report = loaded(model, stored["video"], stored, tmp_path)
    assert not report.fresh and not report.resized
    assert set(report.unused) == {"head.projection.weight", "head.projection.bias"}
    out = jax.jit(model.apply)(variables, stored["video"])
    for number, stage in enumerate(out["stages"], 1):
        close(stage, stored[f"stage{number}"])
    close(out["token"], stored["token"])


@pytest.mark.parametrize(
    ("name", "parameters", "gmacs"),
    [("base", 51_092_560, 101.7), ("base_plus", 69_392_240, 132.3)],
)
def test_published_sizes_with_400_classes(name, parameters, gmacs):
    found = published_size(HieraConfig(**hiera.VARIANTS[name]), frames=16)
    assert found.parameters == parameters
    assert found.gmacs == pytest.approx(gmacs, rel=1e-3)


@pytest.mark.parametrize(("name", "millions"), [("large", 213.1), ("huge", 671.6)])
def test_published_parameters_of_the_large_ones(name, millions):
    found = published_parameters(HieraConfig(**hiera.VARIANTS[name]), frames=16)
    assert found == pytest.approx(millions * 1e6, abs=5e4)


def test_clips_and_sizes_that_do_not_fit_are_refused():
    video = jnp.zeros((1, 4, 48, 40, 3))
    message = r"clips of \(4, 48, 40\).*multiples of \[2, 16, 16\]"
    with pytest.raises(ValueError, match=message):
        Hiera(**TINY).init(jax.random.key(0), video)
    with pytest.raises(ValueError, match="pooled 2 times.*multiple of stride"):
        HieraConfig(mask_unit=(1, 6, 6)).build(jnp.float32)
    config = dataclasses.replace(HieraConfig(), stride=(2, 2))
    with pytest.raises(ValueError, match="Got stride .*three sizes"):
        config.build(jnp.float32)
