import functools

import chex
import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.layers.nonlocal_blocks import (
    AXES,
    DADA,
    DADP,
    DPDA,
    DAPoly,
    DirectedNonLocal,
    NonLocal,
    PolyDA,
    PolyNonLocal,
    order_costs,
    sinusoids,
    unit_length,
)

FACTORIZED = (DADA, DAPoly, DADP, PolyDA, DPDA)
WIDTHS = dict(key_width=11, value_width=5)
SHAPE = (2, 4, 3, 5, 7)  # b t h w c
# Frames, height and width of C2D's stages, 32 x 224 x 224.
STAGES = {"res1": (8, 56, 56), "res2": (4, 28, 28), "res3": (4, 14, 14)}
STAGES["res4"] = (4, 7, 7)


def normal(*shape):
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32)


def variables_of(block, shape=SHAPE):
    """Variables without a zero among them."""
    shapes = jax.eval_shape(lambda x: block.init(jax.random.key(0), x), jnp.ones(shape))
    random = np.random.default_rng(len(shape))

    def fill(path, x):
        value = 0.2 * random.normal(size=x.shape)
        return np.asarray(np.abs(value) if "var" in str(path[-1]) else value, x.dtype)

    return jax.tree_util.tree_map_with_path(fill, shapes)


def run(block, variables, x, **call):
    return np.asarray(jax.jit(lambda v, x: block.apply(v, x, **call))(variables, x))


def plain(kind, x, params):
    """The published sums over one group [n c], position by position, in float64."""
    p = {
        name: np.float64(value["kernel"])
        for name, value in params.items()
        if name != "scale" and name != "norm"
    }
    n = len(x)
    if kind == "poly":
        mean = sum((x[j] @ p["first"]) * (x[j] @ p["second"]) for j in range(n)) / n
        return np.stack([(mean * x[i]) @ p["out"] for i in range(n)])
    rows = []
    for i in range(n):
        q = x[i] @ p["query"]
        keys = [x[j] @ p["key"] for j in range(n)]
        dots = np.array([q @ key for key in keys])
        norms = np.array([np.linalg.norm(q) * np.linalg.norm(key) for key in keys])
        if kind == "nl":
            weights = np.exp(dots - dots.max()) / np.exp(dots - dots.max()).sum()
        elif kind == "da1":
            weights = dots / norms / n
        else:
            scaled = np.exp(np.float64(params["scale"]) * dots / norms)
            weights = scaled / scaled.sum()
        y = sum(weights[j] * (x[j] @ p["value"]) for j in range(n))
        rows.append(y @ p["out"])
    return np.stack(rows)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("nl", NonLocal),
        ("poly", PolyNonLocal),
        ("da1", DirectedNonLocal),
        ("da2", lambda axis, **f: DirectedNonLocal(axis, variant=2, **f)),
    ],
)
def test_blocks_are_the_published_sums(kind, make, axis):
    block = make(axis, **WIDTHS)
    variables = variables_of(block)
    params, stats = variables["params"], variables["batch_stats"]["norm"]
    x = normal(*SHAPE)
    expected = np.zeros(SHAPE)
    groups = {
        "joint": [(b, slice(None), slice(None), slice(None)) for b in range(2)],
        "time": [
            (b, slice(None), h, w) for b in range(2) for h in range(3) for w in range(5)
        ],
        "space": [(b, t, slice(None), slice(None)) for b in range(2) for t in range(4)],
    }
    for index in groups[axis]:
        part = np.float64(x[index])
        y = plain(kind, part.reshape(-1, 7), params)
        expected[index] = y.reshape(part.shape)
    norm = params["norm"]
    expected = (expected - stats["mean"]) / np.sqrt(stats["var"] + 1e-5)
    expected = x + expected * norm["scale"] + norm["bias"]
    np.testing.assert_allclose(run(block, variables, x), expected, atol=1e-4, rtol=1e-4)


def check_orders(axis, size):
    """All orders give one value and one gradient, within 1e-5 of the largest."""
    shape = (1, *size, 7)
    x = normal(*shape)
    variables = variables_of(DirectedNonLocal(axis, **WIDTHS), shape)
    params = dict(variables["params"])
    # A norm that brings y to a size at which 1e-5 means something.
    stats = {"norm": {"mean": np.zeros(7), "var": np.full(7, 1e-2)}}

    @jax.jit
    def value_and_gradient(params, x):
        def loss(params, x, order):
            block = DirectedNonLocal(axis, order=order, **WIDTHS)
            out = block.apply({"params": params, "batch_stats": stats}, x)
            return jnp.sin(out).mean(), out

        results = {}
        for order in ("quadratic", "linear", "folded"):
            f = jax.value_and_grad(functools.partial(loss, order=order), (0, 1), True)
            (_, out), (grads, of_x) = f(params, x)
            tree = {"out": out, "x": of_x, **grads}
            results[order] = flax.traverse_util.flatten_dict(tree, sep="/")
        return results

    results = value_and_gradient(params, x)
    for order in ("linear", "folded"):
        for name, expected in results["quadratic"].items():
            scale = np.abs(expected).max()
            assert scale > 0
            np.testing.assert_allclose(
                results[order][name] / scale, expected / scale, atol=1e-5, err_msg=name
            )


@pytest.mark.parametrize(
    ("axis", "stage"),
    [("joint", "res2"), ("joint", "res4"), ("time", "res3"), ("space", "res3")],
)
def test_the_orders_agree_in_value_and_gradient(axis, stage):
    check_orders(axis, STAGES[stage])


@pytest.mark.long  # the first stage has 25,088 x 25,088 weights: gigabytes
@pytest.mark.parametrize("stage", STAGES)
def test_the_orders_agree_at_every_stage_on_every_axis(stage):
    for axis in AXES:
        check_orders(axis, STAGES[stage])


def test_the_cheapest_order_is_taken():
    def cheapest(n, c):
        costs = order_costs(n, c, c // 8, c // 2)
        return min(costs, key=costs.__getitem__)

    for channels, (t, h, w) in zip(
        (256, 512, 1024, 2048), STAGES.values(), strict=True
    ):
        assert cheapest(t * h * w, channels) == "folded" or channels == 2048
        assert cheapest(t, channels) == "quadratic"
    # By hand, Res1 of the paper's Table 4 (256 x 256): n = 8 * 64 * 64, c = 256.
    costs = order_costs(32768, 256, 32, 128)
    values = 2 * 32768 * 256 * 128
    assert costs["quadratic"] - values == 32768**2 * 160
    assert costs["linear"] - values == 2 * 32768 * 32 * 128
    assert costs["folded"] == 2 * 32768 * 32 * 256 + 2 * 32 * 256 * 128


def test_auto_is_the_cheapest_order_s_program():
    x = jax.ShapeDtypeStruct((1, 4, 6, 5, 16), jnp.float32)

    def shapes(order):
        block = DirectedNonLocal(order=order)
        variables = jax.eval_shape(lambda x: block.init(jax.random.key(0), x), x)
        return str(jax.make_jaxpr(block.apply)(variables, x))

    assert shapes("auto") == shapes("folded")
    assert len({shapes(order) for order in ("folded", "linear", "quadratic")}) == 3


def test_cosines_know_no_length():
    query, key = normal(5, 3), normal(6, 3)
    expected = unit_length(query) @ unit_length(key).T
    np.testing.assert_allclose(
        unit_length(1000.0 * query) @ unit_length(0.01 * key).T, expected, atol=1e-6
    )
    np.testing.assert_allclose(np.linalg.norm(unit_length(query), axis=1), 1, atol=1e-6)
    for variant in (1, 2):
        block = DirectedNonLocal(variant=variant, **WIDTHS)
        variables = variables_of(block)
        scaled = jax.tree.map(np.array, variables)
        scaled["params"]["query"]["kernel"] *= 50.0
        scaled["params"]["key"]["kernel"] *= 0.02
        x = normal(*SHAPE)
        np.testing.assert_allclose(
            run(block, scaled, x), run(block, variables, x), atol=1e-4
        )


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_zeros_give_no_nan(dtype):
    x = normal(*SHAPE)
    x[:, :, 1] = 0.0

    blocks = [NonLocal(**WIDTHS, dtype=dtype), PolyNonLocal(**WIDTHS, dtype=dtype)]
    blocks += [DirectedNonLocal(variant=v, **WIDTHS, dtype=dtype) for v in (1, 2)]

    @jax.jit
    @functools.partial(jax.grad, argnums=(0, 1))
    def gradient(all_variables, x):
        outs = [b.apply(v, x) for b, v in zip(blocks, all_variables, strict=True)]
        return sum(jnp.sin(out.astype(jnp.float32)).sum() for out in outs)

    all_variables = [variables_of(block) for block in blocks]
    for video in (x, np.zeros_like(x)):
        grads = gradient(all_variables, video)
        chex.assert_tree_all_finite(grads)


def test_blocks_start_as_the_identity():
    x = normal(*SHAPE)
    blocks = [kind(position="learned") for kind in FACTORIZED]
    blocks += [NonLocal(), PolyNonLocal(), DirectedNonLocal(variant=2)]
    outs = jax.jit(lambda x: [b.init_with_output(jax.random.key(0), x) for b in blocks])
    for block, (out, variables) in zip(blocks, outs(x), strict=True):
        np.testing.assert_array_equal(out, x, err_msg=str(block))
        kernels = [v for v in jax.tree.leaves(variables["params"]) if v.ndim == 2]
        assert all(np.all(kernel.std() > 0) for kernel in kernels)


def reached(block, x, where):
    """Says which positions [t h w] of the first clip an impulse changes."""
    variables = variables_of(block)
    moved = x.copy()
    moved[(0, *where)] += 1.0
    change = np.abs(run(block, variables, moved) - run(block, variables, x)).max(-1)
    assert np.all(change[1] == 0)  # the other clip
    return change[0] > 0


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize(
    "make", [NonLocal, PolyNonLocal, DirectedNonLocal], ids=lambda kind: kind.__name__
)
def test_an_impulse_stays_on_its_axis(make, axis):
    expected = np.zeros(SHAPE[1:4], bool)
    expected[{"joint": ..., "time": (slice(None), 1, 3), "space": 2}[axis]] = True
    hit = reached(make(axis, **WIDTHS), normal(*SHAPE), (2, 1, 3))
    np.testing.assert_array_equal(hit, expected)


@pytest.mark.parametrize("make", FACTORIZED, ids=lambda kind: kind.__name__)
def test_a_factorized_block_is_time_then_space(make):
    x, block = normal(*SHAPE), make(**WIDTHS)
    variables = variables_of(block)
    time, space = block.blocks
    parts = {
        axis: {name: tree[axis] for name, tree in variables.items()}
        for axis in ("time", "space")
    }
    between = run(time("time", **WIDTHS), parts["time"], x)
    expected = run(space("space", **WIDTHS), parts["space"], between)
    np.testing.assert_allclose(run(block, variables, x), expected, atol=1e-5)
    assert reached(block, x, (2, 1, 3)).all()


@pytest.mark.parametrize("position", ["none", "sinusoidal", "learned"])
def test_only_a_position_tells_a_clip_from_its_reversal(position):
    x = normal(*SHAPE)
    fields = WIDTHS | dict(position=position)
    blocks = [DADA(**fields), NonLocal(**fields), PolyNonLocal("time", **fields)]
    blocks += [DirectedNonLocal(a, variant=v + 1, **fields) for v, a in enumerate(AXES)]
    blocks = blocks[:-1]  # space alone relates no frames

    for block in blocks:
        variables = variables_of(block)
        both = np.concatenate([x, x[:, ::-1]])
        forth, back = np.split(run(block, variables, both), 2)
        alike = np.allclose(forth, back[:, ::-1], atol=1e-4)
        assert alike == (position == "none"), block


def test_sinusoids_by_hand():
    """Four frames, wave lengths of eight and four: steps of 45 and of 90 degrees."""
    table, root = sinusoids(4, 4), 0.5**0.5
    waves = np.array(
        [[0, root, 1, root], [0, 1, 0, -1], [1, root, 0, -root], [1, 0, -1, 0]]
    ).T
    waves -= [(1 + 2 * root) / 4, 0, 1 / 4, 0]
    np.testing.assert_allclose(table, waves / np.sqrt((waves**2).mean()), atol=1e-12)
    assert sinusoids(5, 7).shape == (5, 7)
    assert np.all(sinusoids(1, 6) == 0)


@pytest.mark.parametrize("frames", [2, 3, 4, 8, 16, 32])
def test_sinusoids_tell_frames_apart(frames):
    """No part of the code is the same in all frames; no two frames are near."""
    table = sinusoids(frames, 256)
    same = frames * np.square(table.mean(axis=0)).sum() / np.square(table).sum()
    assert same < 1e-20
    assert np.all(np.ptp(table, axis=0) > 0.5)
    apart = np.linalg.norm(table[:, None] - table, axis=-1) / 256**0.5
    assert apart[~np.eye(frames, dtype=bool)].min() > 0.2
    # And the clip from its reversal: by at least its own size.
    assert np.linalg.norm(table - table[::-1]) > np.linalg.norm(table)


@pytest.mark.parametrize("position", ["sinusoidal", "learned"])
def test_a_position_has_the_scale_of_what_it_is_added_to(position):
    shape = (2, 8, 3, 5, 64)
    scale = np.array([0.01, 300.0], np.float32).reshape(2, 1, 1, 1, 1)
    x = scale * normal(*shape)
    added = {}

    class Seen(DirectedNonLocal):
        def relate(self, given):
            added["y"] = given
            return given

    block = Seen(position=position)
    block.init_with_output(jax.random.key(0), x)
    place = (np.asarray(added["y"]).reshape(shape) - x) / scale
    one_a_frame = np.broadcast_to(place[:, :, :1, :1], shape)
    np.testing.assert_allclose(place, one_a_frame, atol=1e-5)
    np.testing.assert_allclose(np.sqrt(np.square(place).mean((1, 2, 3, 4))), 1, 0.1)


def test_poly_nl_of_fewer_channels_by_hand():
    """Eq. 19 on 3 of 6 channels, place by place in float64; 4 c^2/2 + (c/2)^2."""
    block = PolyNonLocal("space", poly_reduction=2)
    shape = (1, 2, 2, 3, 6)
    variables, x = variables_of(block, shape), normal(*shape)
    params = variables["params"]
    p = {k: np.float64(v["kernel"]) for k, v in params.items() if k != "norm"}
    assert sum(map(np.size, p.values())) == 4 * 18 + 9
    expected = np.zeros(shape)
    for t in range(2):
        rows = np.float64(x[0, t]).reshape(6, 6)
        mean = sum((row @ p["first"]) * (row @ p["second"]) for row in rows) / 6
        y = [(mean * (row @ p["value"])) @ p["third"] @ p["out"] for row in rows]
        expected[0, t] = np.reshape(y, (2, 3, 6))
    stats, norm = variables["batch_stats"]["norm"], params["norm"]
    expected = (expected - stats["mean"]) / np.sqrt(stats["var"] + 1e-5)
    expected = x + expected * norm["scale"] + norm["bias"]
    np.testing.assert_allclose(run(block, variables, x), expected, atol=1e-5)
    with pytest.raises(ValueError, match="Got poly_reduction 4 on 6 channels"):
        variables_of(PolyNonLocal(poly_reduction=4), shape)


def test_a_scale_for_each_pair():
    block = DirectedNonLocal("time", variant=2, matrix_scale=True, **WIDTHS)
    variables = variables_of(block)
    assert variables["params"]["scale"].shape == (4, 4)
    same = jax.tree.map(np.array, variables)
    same["params"]["scale"] = np.full((4, 4), 10.0, np.float32)
    single = jax.tree.map(np.array, same)
    single["params"]["scale"] = np.float32(10.0)
    x = normal(*SHAPE)
    np.testing.assert_allclose(
        run(block, same, x),
        run(DirectedNonLocal("time", variant=2, **WIDTHS), single, x),
        atol=1e-5,
    )


def test_default_widths_and_wrong_fields():
    block = DirectedNonLocal()
    params = variables_of(block, (1, 2, 3, 3, 16))["params"]
    assert params["query"]["kernel"].shape == (16, 2)
    assert params["value"]["kernel"].shape == (16, 8)
    for fields, message in (
        (dict(axis="depth"), "Got axis 'depth'"),
        (dict(position="rotary"), "position is 'rotary'"),
        (dict(order="cubic"), "order is 'cubic'"),
        (dict(variant=3), "variant is 3"),
    ):
        with pytest.raises(ValueError, match=message):
            variables_of(DirectedNonLocal(**fields), (1, 2, 3, 3, 16))
