"""Fusions by name, and their configs; what all of them must do with three streams."""

import dataclasses
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.layers.fusions.plain import Average
from jaxact.layers.fusions.table import FUSIONS, FusionConfig, config_of
from jaxact.strict import ConfigError


class Some(nn.Module):
    """Has fields."""

    share: float = 0.5
    variant: Literal["paper", "code"] = "paper"


def test_a_config_has_its_module_s_fields_and_no_others():
    config = config_of(Some)(share=0.25)
    assert [field.name for field in dataclasses.fields(config)] == ["share", "variant"]
    assert config.build() == Some(share=0.25)
    with pytest.raises(ConfigError, match="variant is 'other'; choose one of paper"):
        config.variant = "other"
    with pytest.raises(AttributeError, match="SomeConfig has no field 'name'"):
        config.name = "x"


def test_every_fusion_is_built_by_its_name():
    modules = [config().build() for config in FUSIONS.values()]
    assert len({type(module) for module in modules}) == len(FUSIONS)
    assert FUSIONS["average"](weights=(2.0, 1.0)).build() == Average(weights=(2.0, 1.0))
    assert all(issubclass(config, FusionConfig) for config in FUSIONS.values())


@pytest.mark.parametrize(
    ("fusion", "message"),
    [
        (FUSIONS["gated"](), "Got one vector for gates"),
        (FUSIONS["cross_attention"](heads=2), "Got one vector for streams that ask"),
        (FUSIONS["actionmae"](heads=2), "Got one vector for streams to leave out"),
        (
            FUSIONS["average"](weights=(2.0, 1.0)),
            "Got 2 weights .* scores of 1 streams",
        ),
    ],
    ids=["gated", "cross_attention", "actionmae", "average"],
)
def test_one_stream_where_there_must_be_several(fusion, message):
    one = {name: jax.ShapeDtypeStruct((4, 1, 6), jnp.float32) for name in READ[::2]}
    one["patches"] = (jax.ShapeDtypeStruct((4, 2, 6), jnp.float32),)
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(fusion.build().init, jax.random.key(0), one)


RANDOM = np.random.default_rng(3)
STREAMS = {
    "tokens": jnp.asarray(RANDOM.normal(size=(4, 3, 4)), jnp.float32),
    "patches": jnp.asarray(RANDOM.normal(size=(4, 3, 2, 4)), jnp.float32),  # b s n d
    "logits": jnp.asarray(RANDOM.normal(size=(4, 3, 5)), jnp.float32),
    "label": jnp.array([1, 2, 3, 0]),
    "id": jnp.array([0, 1, 2, 3]),
    "mask": jnp.ones(4, bool),
}
# The last row is padding.
PRESENT = jnp.array([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]], bool)
READ = ("tokens", "patches", "logits")


def of_streams(arrays):
    """A map a stream, as fusions read them."""
    maps = arrays["patches"]
    return arrays | {"patches": tuple(maps[:, i] for i in range(maps.shape[1]))}


def loss_of(fusion, stats):
    """The training loss of the three clips, of what the streams say."""

    def total(params, read):
        given = of_streams(STREAMS | read)
        out, _ = fusion.apply(
            {"params": params, "batch_stats": stats},
            given,
            PRESENT,
            train=True,
            rngs={"dropout": jax.random.key(1)},
            mutable=["batch_stats"],
        )
        out["stream_logits"] = given["logits"]
        if "logits" not in out:
            out["logits"] = out["token"]
        batch = {"label": STREAMS["label"], "present": PRESENT}
        return sum(
            (term.weight * term(out, batch))[:3].sum() for term in fusion.losses()
        )

    return total


@pytest.mark.parametrize("name", FUSIONS)
def test_gradients_reach_what_they_should_and_nothing_missing(name):
    fields = {"qmf": {"history": 4}, "bottleneck": {"layers": 1}}
    fusion = FUSIONS[name](**fields.get(name, {})).build()
    variables = jax.jit(fusion.init)(jax.random.key(0), of_streams(STREAMS))
    # Random, for what starts at zero lets nothing through.
    params = jax.tree.map(
        lambda x: jnp.asarray(RANDOM.normal(size=x.shape) / 2, x.dtype),
        variables.get("params", {}),
    )
    stats = {"hardness": jnp.asarray(RANDOM.random((4, 3)), jnp.float32)}
    total = jax.jit(jax.value_and_grad(loss_of(fusion, stats), (0, 1)))
    read = {key: STREAMS[key] for key in READ}
    value, (of_params, of_read) = total(params, read)
    assert np.isfinite(value)
    for path, leaf in jax.tree_util.tree_leaves_with_path(of_params):
        # A softmax knows nothing of what is added to all its logits.
        biases = ("key" in str(path) or "qkv" in str(path)) and "bias" in str(path)
        assert biases or np.any(leaf != 0), path
    used = [grad for grad in of_read.values() if np.any(grad != 0)]
    assert used and all(np.isfinite(grad).all() for grad in used)
    for grad in used:
        there = PRESENT.reshape(4, 3, *(1,) * (grad.ndim - 2))
        assert not np.any(np.where(there, 0, grad))
    # Whatever stands where nothing is.
    spoilt = {
        key: jnp.where(PRESENT.reshape(4, 3, *(1,) * (x.ndim - 2)), x, jnp.nan)
        for key, x in read.items()
    }
    np.testing.assert_allclose(total(params, spoilt)[0], value, rtol=1e-6)
