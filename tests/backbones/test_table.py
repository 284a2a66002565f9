"""Networks by name, and what a stream has where nothing is said."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from configs.demo_infar import NETS
from jaxact.backbones.hcn import HCNConfig
from jaxact.backbones.table import NETWORKS, OwnConfig, SharedConfig
from jaxact.batch import STREAMS
from jaxact.layers.mlp import TransformerDense
from jaxact.models.stafusion_tables import ROWS
from jaxact.strict import ConfigError, set_value


def test_every_stream_has_its_own_or_the_shared_network():
    own = OwnConfig()
    assert [field.name for field in dataclasses.fields(own)] == [*STREAMS]
    for name, stream in STREAMS.items():
        kind = SharedConfig if stream.kind == "video" else HCNConfig
        assert type(getattr(own, name)) is kind
    assert set(NETWORKS["video"]) == {"shared", *ROWS}


def test_a_network_is_chosen_by_name_and_its_fields_by_theirs():
    own = OwnConfig()
    set_value(own, "ir", "i3d")
    set_value(own, "ir.width", "0.5")
    assert own.ir.width == 0.5
    with pytest.raises(ConfigError, match="choose one of hcn"):
        set_value(own, "skeleton", "i3d")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(origin=(25,)), "one or more of the 25 joints"),
        (dict(frames=15), "needs 16 or more"),
    ],
)
def test_skeletons_that_hcn_cannot_read(fields, message):
    with pytest.raises(ValueError, match=message):
        HCNConfig(**fields).build("float32")


# Convolutions in the authors' code, which start from their fan.
OF_FAN = {"patch_embed", "merging_1", "merging_2", "space_out", "time_out"}


@pytest.mark.parametrize(
    "name", ["video_swin", "mvit", "hiera", "video_focalnet", "videomae"]
)
def test_dense_layers_of_transformers_start_as_their_recipes_do(name):
    found = {}

    def look(call, args, kwargs, context):
        if isinstance(context.module, nn.Dense):
            found[context.module.name] = type(context.module)
        return call(*args, **kwargs)

    video = jax.ShapeDtypeStruct((1, 4, 32, 32, 3), jnp.float32)
    with nn.intercept_methods(look):
        jax.eval_shape(NETS[name].build(jnp.float32).init, jax.random.key(0), video)
    others = {layer for layer, kind in found.items() if kind is not TransformerDense}
    assert {"fc1", "fc2", "out_proj"} <= found.keys() - others
    assert others <= OF_FAN
