import functools

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.layers.cross_modal import DSFM, MFFM, MMTM, TIAM
from tests.paths import GOLDEN


@functools.cache
def golden():
    with np.load(GOLDEN / "cross_modal.npz") as file:
        return dict(file)


def arrays(name, kind):
    """The golden streams of a module: what went in, or came out in a mode."""
    keys = [key for key in golden() if key.startswith(f"{name}/{kind}/")]
    return [golden()[f"{name}/{kind}/{index}"] for index in range(len(keys))]


def size_of(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def variables_of(module, *streams):
    return jax.jit(lambda *x: module.init(jax.random.key(0), *x))(*streams)


def run(module, variables, *streams, **call):
    call |= {"mutable": ["batch_stats"]}
    return jax.jit(lambda v, *x: module.apply(v, *x, **call)[0])(variables, *streams)


def random_streams(*shapes):
    random = np.random.default_rng(3)
    return [random.normal(size=shape).astype(np.float32) for shape in shapes]


def dense(name):
    """A linear layer or 1x1 convolution of the oracle, as parameters."""
    weight = golden()[f"{name}.weight"]
    params = {"kernel": weight.reshape(weight.shape[:2]).T}
    if f"{name}.bias" in golden():
        params["bias"] = golden()[f"{name}.bias"]
    return params


def norms(module, **names):
    """Batch norms of the oracle, as parameters and statistics."""
    leaves = {"scale": "weight", "bias": "bias"}
    stats = {"mean": "running_mean", "var": "running_var"}
    return tuple(
        {
            ours: {leaf: golden()[f"{module}/{theirs}.{key}"] for leaf, key in of}
            for ours, theirs in names.items()
        }
        for of in (leaves.items(), stats.items())
    )


def mmtm_variables(name):
    params = {"squeeze": dense(f"{name}/squeeze")}
    params |= {f"excite_{i}": dense(f"{name}/excite.{i}") for i in range(2)}
    return {"params": params}


def dsfm_variables():
    scales, stats = norms("dsfm", norm="norm")
    blocks = [dense(f"dsfm/attend.{i}") for i in range(4 + 2 + 2)]
    attend = {
        leaf: np.concatenate([block[leaf] for block in blocks], axis=-1)
        for leaf in ("kernel", "bias")
    }
    params = {"embed": dense("dsfm/embed"), "attend": attend, **scales}
    return {"params": params, "batch_stats": stats}


def tiam_variables():
    scales, stats = norms(
        "tiam",
        norm_a="norm.0",
        norm_b="norm.1",
        out_norm_a="out_norm.0",
        out_norm_b="out_norm.1",
    )
    params = {"shared": dense("tiam/shared"), **scales}
    for index, i in enumerate("ab"):
        params[f"own_{i}"] = dense(f"tiam/own.{index}")
        params[f"out_{i}"] = dense(f"tiam/out.{index}")
    return {"params": params, "batch_stats": stats}


def mffm_variables():
    params = {n: dense(f"mffm/{n}") for n in ("project", "channel_gate", "reduce")}
    params |= {f"place_gate_{i + 1}": dense(f"mffm/place_gate.{i}") for i in range(2)}
    return {"params": params}


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize(
    ("name", "module", "variables"),
    [
        ("mmtm_paper", MMTM(), lambda: mmtm_variables("mmtm_paper")),
        ("mmtm_code", MMTM(variant="code"), lambda: mmtm_variables("mmtm_code")),
        ("dsfm", DSFM(4), dsfm_variables),
        ("tiam", TIAM(width=3), tiam_variables),
        ("mffm", MFFM(), mffm_variables),
    ],
    ids=["mmtm_paper", "mmtm_code", "dsfm", "tiam", "mffm"],
)
def test_modules_agree_with_the_oracle(name, module, variables, mode):
    variables, streams = variables(), arrays(name, "in")
    fresh = jax.eval_shape(lambda: module.init(jax.random.key(0), *streams))
    assert jax.tree.map(np.shape, variables) == jax.tree.map(np.shape, fresh)
    call = {"train": mode == "train"} if name in ("dsfm", "tiam") else {}
    out = run(module, variables, *streams, **call)
    out = [out] if name == "mffm" else out
    expected = arrays(name, mode)
    assert len(out) == len(expected) > 0
    for ours, theirs in zip(out, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("channels", "count"),
    [((512, 128), 410_560), ((1024, 256), 1_640_320), ((2048, 512), 6_557_440)],
)
def test_parameters_of_mmtm(channels, count):
    streams = [jax.ShapeDtypeStruct((2, 3, c), jnp.float32) for c in channels]
    params = jax.eval_shape(MMTM().init, jax.random.key(0), *streams)
    assert size_of(params) == count


@pytest.mark.parametrize(
    ("channels", "block", "count"),
    [((832, 128, 128), 64, 19_568), ((1024, 512), 256, 116_416)],
)
def test_parameters_of_dsfm(channels, block, count):
    streams = [jax.ShapeDtypeStruct((2, 3, c), jnp.float32) for c in channels]
    variables = jax.eval_shape(DSFM(block).init, jax.random.key(0), *streams)
    assert size_of(variables["params"]) == count


def test_a_fresh_dsfm_scales_by_hand():
    streams = random_streams((2, 2, 3, 3, 832), (2, 5, 128), (2, 128))
    module = DSFM(64)
    out = run(module, variables_of(module, *streams), *streams)
    for before, after in zip(streams, out, strict=True):  # 13 + 2 + 2 blocks
        np.testing.assert_allclose(after, (0.5 + 0.5 / 17) * before, rtol=1e-6)
    whole = DSFM(64, balance=1.0)
    for before, after in zip(
        streams, run(whole, variables_of(whole, *streams), *streams), strict=True
    ):
        np.testing.assert_array_equal(before, after)


def test_channels_that_do_not_exist_take_no_attention():
    """3 and 2 channels in blocks of 2: the first place has 3 blocks, the other 2.

    Fresh, so alike: 1/2 + 1/2 * 1/3 at the first place of a block, + 1/2 * 1/2 at the
    other; unmasked a third everywhere.
    """
    streams = random_streams((4, 5, 3), (4, 2))
    for masked, first, second in ((True, 2 / 3, 3 / 4), (False, 2 / 3, 2 / 3)):
        module = DSFM(2, reduction=1, masked=masked)
        a, b = run(module, variables_of(module, *streams), *streams)[0:2]
        scale = np.array([first, second, first], np.float32)
        np.testing.assert_allclose(a, streams[0] * scale, rtol=1e-6)
        np.testing.assert_allclose(b, streams[1] * scale[:2], rtol=1e-6)


@pytest.mark.parametrize("standardised", [True, False])
def test_a_standardised_gate_does_not_follow_the_louder_stream(standardised):
    """A stream a thousand times as loud: the same gates if standardised, else not."""
    streams = random_streams((6, 5, 4), (6, 4))
    module = DSFM(2, reduction=1, standardised=standardised)
    variables = dict(variables_of(module, *streams))
    kernel = np.random.default_rng(0).normal(size=(2, 8)).astype(np.float32)
    attend = variables["params"]["attend"] | {"kernel": kernel}
    variables["params"] = variables["params"] | {"attend": attend}

    def gates(loudness):
        loud = [streams[0] * np.float32(loudness), streams[1]]
        return np.asarray(run(module, variables, *loud, train=True)[1] / streams[1])

    change = np.abs(gates(1000.0) - gates(1.0)).max()
    assert change < 1e-4 if standardised else change > 0.01


def test_mmtm_by_hand():
    a, b = random_streams((2, 3, 5), (2, 7))
    for variant, factor in (("paper", 1.0), ("code", 0.5)):  # gates of sigmoid(0)
        module = MMTM(variant=variant)
        zeros = jax.tree.map(jnp.zeros_like, variables_of(module, a, b))
        for before, after in zip((a, b), run(module, zeros, a, b), strict=True):
            np.testing.assert_allclose(after, factor * before, rtol=1e-6)
    with pytest.raises(ValueError, match="variant is 'both'"):
        variables_of(MMTM(variant="both"), a, b)


def test_tiam_starts_as_the_identity_on_maps_of_any_rank():
    for shape in ((2, 5, 3, 7), (2, 5, 3, 11, 7)):
        a, b = random_streams(shape, shape)
        module = TIAM(scaled=True)
        out = run(module, variables_of(module, a, b), a, b)
        np.testing.assert_array_equal(out[0], a)
        np.testing.assert_array_equal(out[1], b)
    with pytest.raises(ValueError, match="expects one shape"):
        variables_of(TIAM(), a, b[:, :3])


def test_tiam_s_axes():
    """What is done to the order of time or place is done to the result."""
    a, b = random_streams((1, 5, 11, 7), (1, 5, 11, 7))
    variables = tiam_variables()

    @jax.jit
    def streams(a, b):
        return TIAM(width=3).apply(variables, a, b)

    turned = streams(a[:, ::-1], b[:, ::-1])
    for x, y in zip(streams(a, b), turned, strict=True):
        np.testing.assert_allclose(x[:, ::-1], y, atol=1e-5)
    order = np.random.default_rng(0).permutation(11)
    for x, y in zip(
        streams(a, b), streams(a[:, :, order], b[:, :, order]), strict=True
    ):
        np.testing.assert_allclose(x[:, :, order], y, atol=1e-5)


@pytest.mark.parametrize("scaled", [False, True])
def test_tiam_by_its_equations(scaled):
    a, b = random_streams((2, 5, 11, 7), (2, 5, 11, 7))
    variables = tiam_variables()
    params, stats = variables["params"], variables["batch_stats"]

    def norm(x, name):
        scale = params[name]["scale"] / np.sqrt(stats[name]["var"] + 1e-5)
        return (x - stats[name]["mean"]) * scale + params[name]["bias"]

    def softmax(x):
        x = np.exp(x - x.max(axis=-1, keepdims=True))
        return x / x.sum(axis=-1, keepdims=True)

    normed = {"a": norm(a, "norm_a"), "b": norm(b, "norm_b")}
    shared = {i: x @ params["shared"]["kernel"] for i, x in normed.items()}
    own = {i: x @ params[f"own_{i}"]["kernel"] for i, x in normed.items()}
    time = np.einsum("btsc,busc->btu", own["a"], own["b"])
    space = np.einsum("btsc,btrc->bsr", own["a"], own["b"])
    if scaled:  # by the square root of what is summed over: 11 places, 5 frames
        time, space = time / np.sqrt(11 * 3), space / np.sqrt(5 * 3)
    time, space = softmax(time), softmax(space)
    z = {
        "a": np.einsum("btu,btsc,bsr->burc", time, shared["a"], space),
        "b": np.einsum("btu,busc,brs->btrc", time, shared["b"], space),
    }
    out = run(TIAM(width=3, scaled=scaled), variables, a, b)
    for i, before, after in zip("ab", (a, b), out, strict=True):
        added = norm(z[i] @ params[f"out_{i}"]["kernel"], f"out_norm_{i}")
        assert abs(added).max() > 0.1
        np.testing.assert_allclose(after, before + added, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("module", "shapes"),
    [
        (MMTM(), [(2, 5, 7), (2, 3)]),
        (MMTM(variant="code"), [(2, 5, 7), (2, 3)]),
        (DSFM(4), [(2, 5, 7), (2, 3)]),
        (TIAM(), [(2, 5, 3, 7)] * 2),
        (MFFM(), [(2, 3, 5, 7), (2, 11)]),
    ],
    ids=["mmtm", "mmtm_code", "dsfm", "tiam", "mffm"],
)
def test_gradients_reach_every_parameter(module, shapes):
    streams = random_streams(*shapes)
    random = np.random.default_rng(7)
    variables = jax.tree.map(  # from the start on, where there is no zero
        lambda x: x + 0.3 * random.random(x.shape).astype(np.float32),
        variables_of(module, *streams),
    )
    call = {"train": True} if isinstance(module, DSFM | TIAM) else {}

    @jax.jit
    @jax.grad
    def gradients(params):
        out, _ = module.apply(
            {**variables, "params": params}, *streams, mutable="batch_stats", **call
        )
        return sum(jnp.sum(jnp.sin(3 * x)) for x in jax.tree.leaves(out))

    grads = flax.traverse_util.flatten_dict(gradients(variables["params"]), sep="/")
    unmoved = {name for name, grad in grads.items() if not np.any(grad)}
    assert unmoved == set()


def test_bfloat16_streams_stay_bfloat16_and_finite():
    a, b = (jnp.asarray(x, jnp.bfloat16) for x in random_streams(*[(2, 5, 3, 7)] * 2))
    for module in (MMTM(), DSFM(4), TIAM(dtype=jnp.bfloat16), MFFM(jnp.bfloat16)):
        variables = variables_of(module, a, b)
        for leaf in jax.tree.leaves(variables):
            assert leaf.dtype == jnp.float32
        for x in jax.tree.leaves(run(module, variables, a, b)):
            assert x.dtype == jnp.bfloat16 and bool(jnp.isfinite(x).all())


def test_joints_let_the_gate_point_into_the_map():
    first, second = random_streams((2, 3, 5, 7), (2, 11))
    places = np.zeros((2, 3, 5, 4), np.float32)
    places[0, 1, 2, 3] = 1  # joint 3 of the first clip is in one place
    variables = variables_of(MFFM(), first, second, places)
    params = dict(variables["params"])
    plain = {"params": {k: v for k, v in params.items() if k != "joints"}}
    printed = run(MFFM(), plain, first, second)
    np.testing.assert_array_equal(
        run(MFFM(), variables, first, second, places), printed
    )  # at the start as printed
    params["joints"] = {"kernel": np.zeros((4, 7), np.float32)}
    params["joints"]["kernel"][3] = 10 * params["place_gate_2"]["kernel"][:, 0]
    moved = np.asarray(run(MFFM(), {"params": params}, first, second, places))
    np.testing.assert_array_equal(moved[1], printed[1])
    # The channels' gate reads the mean of the map, so that all places change a little;
    # but one stands out.
    changed = np.abs(moved[0] / np.asarray(printed[0]) - 1).mean(-1)
    others = np.delete(changed.ravel(), 1 * 5 + 2)
    assert changed[1, 2] > 3 * others.max()
