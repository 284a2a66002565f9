import dataclasses
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from flax.traverse_util import flatten_dict

import jaxact
from jaxact.backbones.resnet import FRAME_WISE
from jaxact.batch import example_batch
from jaxact.config import Experiment
from jaxact.layers.batch_norm import BatchNorm
from jaxact.layers.conv3d import depthwise_conv3d
from jaxact.ledger import _products, multiply_accumulates
from jaxact.models.dam import DAMConfig
from jaxact.models.dual_stream import BaselineConfig
from jaxact.models.stafusion import STAFusionConfig


def experiment(family=STAFusionConfig, **fields):
    return Experiment("test", family(**fields), None)


@pytest.mark.parametrize(("classes", "total"), [(12, 101_183_244), (60, 101_220_156)])
def test_baseline_of_table_1(classes, total):
    ledger = jaxact.ledger(experiment(BaselineConfig, num_classes=classes))
    assert ledger.parameters == total
    assert ledger.gmacs == pytest.approx(326.69, rel=1e-3)
    backbone = ledger.parts["branches/backbone"]
    assert backbone.parameters == total - classes * 769


def test_stafusion_of_table_1():
    ledger = jaxact.ledger(experiment(num_classes=12), depth=1)
    assert ledger.parameters <= 109_500_000
    assert ledger.parts["scorer"].parameters == 768 * 384 + 384 + 768 + 1
    assert sum(part.macs for part in ledger.parts.values()) == ledger.macs
    masked = jaxact.ledger(experiment(num_classes=12, packed=False), depth=1)
    assert masked.parts["fusion"].macs / 1e9 == pytest.approx(38.3, abs=0.1)
    assert ledger.parts["fusion"].macs * 6 < masked.parts["fusion"].macs


def test_unshared_and_deeper_backbones():
    shared = jaxact.ledger(experiment(BaselineConfig, num_classes=12))
    unshared = jaxact.ledger(
        experiment(BaselineConfig, num_classes=12, share_backbone=False)
    )
    head = 12 * 769
    assert unshared.parameters - head == 2 * (shared.parameters - head)
    assert unshared.macs == shared.macs
    # The public TimeSformer-B with 400 classes, 12 blocks, one stream.
    one = experiment(BaselineConfig, num_classes=400, depth=12, streams=("rgb",))
    assert jaxact.ledger(one).parameters == 121_566_352


def test_products_counted_by_hand():
    def program(x, w, kernel, image):
        y = jax.lax.scan(lambda c, _: (c @ w, None), x, None, length=3)[0]
        z = jax.lax.conv_general_dilated(
            image,
            kernel,
            (2, 2),
            [(1, 1), (1, 1)],
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return y, jax.jit(jnp.dot)(x, w), z

    arrays = [jnp.ones(n) for n in [(2, 5), (5, 5), (3, 3, 4, 7), (1, 8, 8, 4)]]
    jaxpr = jax.make_jaxpr(program)(*arrays)
    counted = [number for _, number in _products(jaxpr.jaxpr)]
    by_hand = [3 * 2 * 5 * 5, 2 * 5 * 5, 4 * 4 * 7 * (3 * 3 * 4)]
    assert sorted(counted) == sorted(by_hand)  # JAX may order what is independent
    assert multiply_accumulates(program, *arrays) == 150 + 50 + 4032


def test_a_block_between_the_trunk_s_units_has_its_own_line():
    """By hand: 3 frames of 2 x 2 places, n = 12, on 4 * 8 channels; k = 4, v = 16."""
    model = DAMConfig(
        num_classes=5,
        frames=3,
        image_size=16,
        blocks=(1, 2),
        width=4,
        time_strides=FRAME_WISE,
        layout=((2, 2, "da_nl"), (2, 2, "da_da")),
        order="quadratic",
    )
    ledger = jaxact.ledger(Experiment("test", model, None), depth=1)
    n, c, k, v = 12, 32, 4, 16
    matrices, pairs = 2 * n * c * k + 2 * n * c * v, n * n * (k + v)
    assert ledger.parts["block2_2"].macs == matrices + pairs
    # Over time three frames at each of 4 places, over space 4 places of each of 3.
    pairs = (4 * 3 * 3 + 3 * 4 * 4) * (k + v)
    assert ledger.parts["block2_2_1"].macs == 2 * matrices + pairs
    assert sum(part.macs for part in ledger.parts.values()) == ledger.macs
    deeper = jaxact.ledger(Experiment("test", model, None), depth=2).parts
    assert deeper["block2_2_1/time"].macs == matrices + 4 * 3 * 3 * (k + v)
    plain = dataclasses.replace(model, layout=())
    trunk = jaxact.ledger(Experiment("test", plain, None), depth=1)
    assert ledger.parts["backbone"] == trunk.parts["backbone"]


@pytest.mark.parametrize(
    "name",
    ["ccdfarm", "ccdfarm:model=mmtm", "dam", "stafusion", "tsm_netvlad:stream=both"],
)
def test_every_matrix_stands_on_a_line_with_its_products(name):
    file, _, arg = name.partition(":")
    spec = jaxact.load_experiment(f"configs/demo_{file}.py" + f":{arg}" * bool(arg))
    ledger = jaxact.ledger(spec)
    batch, module = example_batch(spec, 1), spec.model.build()
    shapes = jax.eval_shape(lambda b: module.init(jax.random.key(0), b), batch)
    flat = flatten_dict(shapes["params"])
    assert ledger.parameters == sum(math.prod(leaf.shape) for leaf in flat.values())
    assert ledger.parameters == sum(part.parameters for part in ledger.parts.values())
    assert ledger.macs == sum(part.macs for part in ledger.parts.values())
    kernels = [path for path in flat if path[-1] == "kernel"]
    for path in kernels:  # its line, or that of the module that computes with it
        lines = ("/".join(path[:-1][:2]), path[0])
        assert any(line in ledger.parts and ledger.parts[line].macs for line in lines)
    # Lines without parameters are products of parameters of several modules, named.
    named = {"activation", "rollout", "backbone_skeleton/tiam"}
    bare = {name for name, part in ledger.parts.items() if not part.parameters}
    assert bare <= named


def test_the_printed_table_adds_up():
    ledger = jaxact.ledger(experiment(width=24, heads=3, depth=2, image_size=32))
    lines = str(ledger).splitlines()
    assert lines[-1].split()[:2] == ["total", f"{ledger.parameters:,}"]
    assert len(lines) == 3 + len(ledger.parts)


class Counted(nn.Module):
    """Two norms, of 2 x 3 x 4 and of 3 x 4 elements, and a convolution by element."""

    @nn.compact
    def __call__(self, batch, train=False):
        x = batch["rgb"].astype(jnp.float32)[0, :, :, :4, 0]
        x = nn.LayerNorm()(x)
        y = BatchNorm()(x[0], train=train)
        x = depthwise_conv3d(
            x[None, ..., None], jnp.ones((1, 3, 1, 1)), (1, 1, 1), [(0, 0)] * 3, "taps"
        )
        return {"logits": x.sum() * y * y}


def test_norms_and_convolutions_by_element_counted_by_hand():
    @dataclasses.dataclass
    class CountedConfig(STAFusionConfig):
        def build(self):
            return Counted()

        def inputs(self):
            return {"rgb": jax.ShapeDtypeStruct((2, 3, 4, 3), jnp.uint8)}

    counted = jaxact.ledger(Experiment("test", CountedConfig(), None))
    assert counted.norm_elements == 2 * 3 * 4 + 3 * 4
    # Two frames, one row (three taps on three), four columns; no other product.
    assert counted.macs == 2 * 1 * 4 * 3
    assert counted.counted_gflops == (24 + 5 * 36) / 1e9
