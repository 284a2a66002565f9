import functools

import flax
import jax
import numpy as np
import pytest

import jaxact
from jaxact.backbones.resnet import FRAME_WISE, VARIANTS
from jaxact.batch import example_batch
from jaxact.config import Experiment
from jaxact.models import dam_tables
from jaxact.models.dam import KINDS, DAMConfig, dam_layout, spaced

SIZES = dict(
    num_classes=5,
    frames=4,
    image_size=18,
    blocks=(1, 2, 1),
    width=3,
    time_strides=FRAME_WISE,
    layout=((2, 2, "da_nl"), (3, 1, "da_poly")),
    dtype="float32",
    dropout=0.0,
)


def small(**fields):
    return DAMConfig(**(SIZES | fields))


def batch_of(config, size=2):
    return example_batch(Experiment("test", config, None), size)


@functools.cache
def variables_of(names=()):
    """Variables of a small model without a zero among them."""
    config = small(**dict(names))
    shapes = jax.eval_shape(
        lambda b: config.build().init(jax.random.key(0), b), batch_of(config)
    )
    random = np.random.default_rng(7)

    def fill(path, x):
        value = 0.5 * random.normal(size=x.shape)
        positive = "var" in str(path[-1]) or "scale" in str(path[-1])
        return np.asarray(1 + np.abs(value) if positive else value, x.dtype)

    return jax.tree_util.tree_map_with_path(fill, shapes)


def run(config, variables, batch):
    return jax.jit(lambda v, b: config.build().apply(v, b))(variables, batch)


def counts(layout):
    stages = {}
    for stage, _, kind in layout:
        stages.setdefault((stage, kind), 0)
        stages[stage, kind] += 1
    return stages


def test_layouts_of_figure_6():
    assert dam_layout(1) == ((3, 6, "da_nl"),)
    assert dam_layout(3) == ((1, 3, "da_poly"), (2, 4, "da_da"), (3, 6, "da_nl"))
    for number, each in ((6, 2), (9, 3)):
        assert set(counts(dam_layout(number)).values()) == {each}
    assert counts(dam_layout(12)) == {
        (1, "da_poly"): 3,
        (2, "da_da"): 3,
        (3, "da_nl"): 6,
    }
    # A unit between two blocks where there is room, the last unit always taken, the
    # first one never: it reads the channels of the stage before.
    assert [unit for _, unit, _ in spaced(3, 3, 6, "nl")] == [2, 4, 6]
    assert [unit for _, unit, _ in spaced(1, 2, 3, "nl")] == [2, 3]
    assert [unit for _, unit, _ in spaced(2, 3, 4, "nl")] == [2, 3, 4]
    assert [unit for _, unit, _ in spaced(1, 3, 3, "nl")] == [2, 3, 3]
    assert [unit for _, unit, _ in spaced(3, 6, 6, "nl")] == [2, 3, 4, 5, 6, 6]
    assert [unit for _, unit, _ in spaced(1, 2, 1, "nl")] == [1, 1]
    units = [unit for _, unit, _ in dam_layout(12, VARIANTS["resnet101"])]
    assert units[-6:] == [13, 15, 17, 19, 21, 23]
    with pytest.raises(ValueError, match="Got DAM x 2"):
        dam_layout(2)


# What a block adds on c channels, by hand: DA-NL has queries and keys of c / 8 each, a
# value of c / 2 and the way back, 1.25 c^2, and its norm 2 c; Poly-NL has 3 c^2 + 2 c.
def da_nl(c):
    return 5 * c * c // 4 + 2 * c


def poly(c):
    return 3 * c * c + 2 * c


# Numbers of DA-Poly on Res1's 256 channels, DA-DA on Res2's 512, DA-NL on Res3's 1024:
# those of the paper's totals, 24.18 + 3(.65) + 3(2.05) + 6(1.35) = 40.38 million.
@pytest.mark.parametrize(
    ("number", "each"),
    [(1, (0, 0, 1)), (3, (1, 1, 1)), (6, (2, 2, 2)), (9, (3, 3, 3)), (12, (3, 3, 6))],
)
def test_parameters_of_dam_x_k_are_the_blocks_of_the_paper_s_totals(number, each):
    def parameters(layout):
        model = DAMConfig(num_classes=400, layout=layout)
        return jaxact.ledger(Experiment("test", model, None)).parameters

    blocks = (da_nl(256) + poly(256), 2 * da_nl(512), da_nl(1024))
    expected = sum(n * block for n, block in zip(each, blocks, strict=True))
    assert parameters(dam_layout(number)) - parameters(()) == expected
    theirs = sum(n * m for n, m in zip(each, (0.65, 2.05, 1.35), strict=True))
    assert round(24.18 + theirs, 2) == dam_tables.TABLE_6[number][0]


def test_parameters_of_the_trunk_and_of_da_nl():
    def ledger(layout):
        return jaxact.ledger(
            Experiment("test", DAMConfig(num_classes=400, layout=layout), None)
        )

    trunk = ledger(())
    assert trunk.parameters == 24_327_632
    assert trunk.gmacs == pytest.approx(20.44, abs=0.01)
    first = ledger(((1, 3, "da_nl"),))
    assert first.parameters - trunk.parameters == 1.25 * 256**2 + 2 * 256
    # The paper charges 211.7 GMAC for the same function.
    assert first.gmacs - trunk.gmacs < 1


def test_the_last_map_and_the_logits():
    config = small()
    batch = batch_of(config)
    out = run(config, variables_of(), batch)
    assert out["features"].shape == (2, 4, 2, 2, 48)
    assert out["logits"].shape == (2, 5) and out["logits"].dtype == np.float32
    params = variables_of()["params"]
    best = np.argmax(out["logits"], axis=1)
    assert out["activation"].shape == (2, 4, 2, 2)
    np.testing.assert_allclose(
        out["activation"].mean(axis=(1, 2, 3)) + params["head"]["fc"]["bias"][best],
        np.max(out["logits"], axis=1),
        rtol=1e-4,
    )


def test_frames_that_are_left_and_what_is_said_of_them():
    """Table 2 of 32 frames: 8, then 4; of 8 frames: 2, then 1."""
    whole, few = DAMConfig(), DAMConfig(frames=8)
    assert whole.stage_frames() == (8, 4, 4, 4) and few.stage_frames() == (2, 1, 1, 1)
    assert DAMConfig(frames=9, time_strides=(2, 2, 2)).stage_frames() == (3, 2, 2, 2)
    (read,) = whole.notes(None)
    assert "reads 16 of the 32 frames" in read
    read, left = few.notes(None)
    assert "reads 4 of the 8 frames" in read
    assert left.startswith("9 of 12 blocks stand where 1 of 8 frames is left")
    assert DAMConfig(frames=8, time_strides=(1, 1, 2)).notes(None) == []
    assert "1 of 1 blocks" in DAMConfig(frames=8, layout=dam_layout(1)).notes(None)[1]
    # What is said is what is built.
    shapes = jax.eval_shape(
        lambda b: (
            small(frames=5, time_strides=(2, 1, 2))
            .build()
            .init_with_output(jax.random.key(0), b)[0]
        ),
        batch_of(small(frames=5)),
    )
    assert small(frames=5, time_strides=(2, 1, 2)).stage_frames() == (3, 2, 2)
    assert shapes["features"].shape[1] == 2


def test_gradients_reach_every_parameter():
    config = small(position="learned")
    batch = batch_of(config)
    variables = variables_of((("position", "learned"),))

    def loss(params):
        out, _ = config.build().apply(
            {**variables, "params": params}, batch, train=True, mutable=["batch_stats"]
        )
        return sum(term(out, batch).mean() for term in config.losses())

    grads = jax.jit(jax.grad(loss))(variables["params"])
    for name, grad in flax.traverse_util.flatten_dict(grads, sep="/").items():
        assert np.any(grad != 0), f"no gradient reaches {name}"


def test_blocks_start_as_the_trunk():
    batch = batch_of(small())
    init = jax.jit(lambda b: small().build().init(jax.random.key(0), b))
    variables = init(batch)
    trunk = jax.tree.map(np.asarray, variables)
    for tree in trunk.values():
        for name in ("block2_2", "block3_1"):
            tree.pop(name)
    np.testing.assert_array_equal(
        run(small(), variables, batch)["logits"],
        run(small(layout=()), trunk, batch)["logits"],
    )


@pytest.mark.parametrize("position", ["none", "sinusoidal"])
def test_a_clip_and_its_reversal_score_alike_without_a_position(position):
    config = small(position=position)
    batch = batch_of(config)
    back = batch | {"rgb": batch["rgb"][:, ::-1]}
    forth, back = (run(config, variables_of(), b)["logits"] for b in (batch, back))
    scale = np.abs(forth).max()
    assert np.allclose(forth / scale, back / scale, atol=1e-5) == (position == "none")


def test_every_kind_can_stand_before_any_unit():
    layout = tuple((2, 1 + i % 2, kind) for i, kind in enumerate(KINDS))
    config = small(layout=layout)
    shapes = jax.eval_shape(
        lambda b: config.build().init(jax.random.key(0), b), batch_of(config)
    )
    blocks = {name for name in shapes["params"] if name.startswith("block")}
    assert len(blocks) == len(KINDS) == 20
    assert {"block2_1", "block2_1_1", "block2_2", "block2_2_1"} <= blocks


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (((1, 1, "sa"),), "Got a block of kind 'sa'; expected one of"),
        (((2, 3, "nl"),), r"Got the block \(2, 3, 'nl'\); the trunk's stages"),
        (((0, 1, "nl"),), r"Got the block \(0, 1, 'nl'\)"),
    ],
)
def test_layouts_that_do_not_fit(layout, message):
    with pytest.raises(ValueError, match=message):
        small(layout=layout).build()
