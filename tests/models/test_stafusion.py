import functools
import itertools

import chex
import flax
import jax
import numpy as np
import pytest

from jaxact.batch import example_batch
from jaxact.config import Experiment
from jaxact.models.dual_stream import BaselineConfig
from jaxact.models.stafusion import STAFusionConfig

SIZES = dict(
    num_classes=5,
    frames=4,
    image_size=20,
    patch=4,
    width=18,
    depth=2,
    heads=3,
    dtype="float32",
)
RNGS = {"dropout": jax.random.key(1), "selection": jax.random.key(2)}


def small(family=STAFusionConfig, **fields):
    return family(**(SIZES | fields))


def batch_of(config, size=2):
    return example_batch(Experiment("test", config, None), size)


@functools.cache
def variables_of(names=()):
    """Variables of the small model without a zero among them."""
    config = small(**dict(names))
    variables = jax.jit(lambda b: config.build().init(jax.random.key(0), b))(
        batch_of(config)
    )
    random = np.random.default_rng(7)  # jax.random compiles for every shape
    return jax.tree.map(
        lambda x: x + 0.1 * random.normal(size=x.shape).astype(np.float32), variables
    )


def run(config, variables, batch=None, **call):
    batch = batch_of(config) if batch is None else batch
    return jax.jit(lambda v, b: config.build().apply(v, b, **call))(variables, batch)


def total_loss(config, variables, batch, **call):
    out = config.build().apply(variables, batch, **call)
    return sum(term.weight * term(out, batch).mean() for term in config.losses())


def gradients(config, variables, batch=None, **call):
    batch = batch_of(config) if batch is None else batch
    grads = jax.jit(jax.grad(lambda v: total_loss(config, v, batch, **call)))(variables)
    return flax.traverse_util.flatten_dict(grads["params"], sep="/")


def test_out_names_shapes_and_counts():
    config = small()
    out = run(config, variables_of())
    shapes = {name: (value.shape, value.dtype.name) for name, value in out.items()}
    assert shapes == {
        "logits": ((2, 5), "float32"),
        "teacher_logits": ((2, 5), "float32"),
        "teacher_patches": ((2, 8, 25, 18), "float32"),
        "student_patches": ((2, 8, 25, 18), "float32"),
        "frame_scores": ((2, 8), "float32"),
        "frame_marks": ((2, 8), "int32"),
        "region_scores": ((2, 8, 25), "float32"),
        "keep": ((2, 8, 25), "bool"),
    }
    kept = np.asarray(out["keep"].sum(axis=-1))
    np.testing.assert_array_equal(kept, np.array([0, 9, 15])[out["frame_marks"]])
    assert np.sort(np.asarray(out["frame_marks"])[0]).tolist() == [0] * 4 + [1, 1, 2, 2]


def test_masked_and_packed_models_agree_in_loss_and_every_gradient():
    packed, masked = (
        gradients(small(packed=packed), variables_of()) for packed in (True, False)
    )
    assert packed.keys() == masked.keys()
    for name in packed:
        np.testing.assert_allclose(packed[name], masked[name], atol=1e-5, err_msg=name)


def test_gradients_reach_every_parameter():
    for name, grad in gradients(small(), variables_of()).items():
        if name == "scorer/fc2/bias":  # scores are normalised: it cancels, to rounding
            assert np.abs(grad).max() < 1e-6
        else:
            assert np.any(grad != 0), f"no gradient reaches {name}"


@pytest.mark.parametrize(
    ("estimator", "learns"),
    [
        ("straight_through", True),
        pytest.param("perturbed", True, marks=pytest.mark.long),
        pytest.param("gathered", True, marks=pytest.mark.long),
        pytest.param("score_function", True, marks=pytest.mark.long),
        ("none", False),
    ],
)
def test_scorer_gradients_under_the_estimators(estimator, learns):
    config = small(estimator=estimator)
    batch = batch_of(config) | {"progress": np.float32(0.5)}
    grads = gradients(config, variables_of(), batch, train=True, rngs=RNGS)
    for name in ("scorer/fc1/kernel", "scorer/fc2/kernel"):
        assert bool(np.any(grads[name] != 0)) == learns, (estimator, name)


def test_gathering_without_noise_is_the_choice_of_the_best():
    """At the end of the training what is gathered is what a test would keep."""
    batch = batch_of(small()) | {"progress": np.float32(1.0)}
    config = small(estimator="gathered", sigma=1e-6)
    train = run(config, variables_of(), batch, train=True, rngs=RNGS)
    test = run(config, variables_of(), batch)
    np.testing.assert_allclose(train["logits"], test["logits"], atol=1e-5)
    assert train["keep"].shape == (2, 4, 25) and test["keep"].shape == (2, 8, 25)
    np.testing.assert_array_equal(train["keep"].sum(-1), [[15, 15, 9, 9]] * 2)


def test_noise_on_the_marks_chooses_other_frames_in_training_alone():
    batch = batch_of(small()) | {"progress": np.float32(0.0)}
    config = small(mark_noise=10.0)
    train = run(config, variables_of(), batch, train=True, rngs=RNGS)
    test, plain = (run(x, variables_of(), batch) for x in (config, small()))
    np.testing.assert_array_equal(test["frame_marks"], plain["frame_marks"])
    assert (train["frame_marks"] != test["frame_marks"]).any()
    np.testing.assert_array_equal(train["frame_scores"], test["frame_scores"])


def test_straight_through_changes_no_value():
    literal, straight = (
        run(small(estimator=estimator), variables_of())
        for estimator in ("none", "straight_through")
    )
    chex.assert_trees_all_equal(literal, straight)


def test_frames_and_regions_that_the_truth_gives_train_the_model():
    """No scorer, no noise; the frames of the batch's truth alone reach the fusion."""
    config = small(
        frames_from="truth", regions_from="truth", estimator="score_function"
    )
    assert "score_function" not in {term.name for term in config.losses()}
    batch = batch_of(config)
    shown = np.arange(8)[None] >= np.array([[4], [2]])  # of 8, 4 are kept
    batch |= {"actor_visible": shown, "actor_box": np.float32([[[0, 0, 0.6, 0.6]]])}
    batch["actor_box"] = np.tile(batch["actor_box"], (2, 8, 1))
    variables = jax.jit(lambda b: config.build().init(jax.random.key(0), b))(batch)
    assert "scorer" not in variables["params"]
    out = run(config, variables, batch, train=True, rngs=RNGS)
    marks, keep = np.asarray(out["frame_marks"]), np.asarray(out["keep"])
    assert (marks[~shown] == 0).all() and ((marks > 0).sum(1) == 4).all()
    on_actor = np.zeros((5, 5), bool)
    on_actor[:3, :3] = True  # 9 of 25: what a secondary frame keeps
    np.testing.assert_array_equal(keep[marks == 1], [on_actor.ravel()] * 4)
    assert keep[marks == 2][:, on_actor.ravel()].all()


@pytest.mark.parametrize("selection", [True, False])
def test_a_missing_stream_has_no_influence(selection):
    config = small(selection=selection)
    names = () if selection else (("selection", False),)
    variables, batch = variables_of(names), batch_of(config)
    apply = jax.jit(config.build().apply)
    every = apply(variables, batch | {"present": np.ones((2, 2), bool)})
    packed = apply(variables, batch)
    for name in ("logits", "teacher_logits", "frame_marks", "keep"):
        np.testing.assert_allclose(every[name], packed[name], atol=1e-5, err_msg=name)
    present = np.array([[True, True], [True, False]])
    other = batch["ir"].copy()
    other[1] = 255 - other[1, ::-1]
    one, again = (
        apply(variables, batch | {"present": present, "ir": ir})
        for ir in (batch["ir"], other)
    )
    jax.tree.map(np.testing.assert_array_equal, one, again)
    np.testing.assert_allclose(one["logits"][0], every["logits"][0], atol=1e-5)
    marks = np.asarray(one["frame_marks"])[1]
    # Of the 4 frames that there are one quarter is key, one secondary.
    assert sorted(marks[:4]) == ([0, 0, 1, 2] if selection else [2] * 4)
    assert not marks[4:].any() and not np.asarray(one["keep"])[1, 4:].any()


def test_student_s_features_are_zero_where_nothing_is_kept():
    config = small(fusion_depth=2)
    variables = variables_of((("fusion_depth", 2),))
    out = run(config, variables)
    assert set(variables["params"]["fusion"]) == {"blocks_0", "blocks_1", "final_norm"}
    assert np.all(np.asarray(out["student_patches"])[~np.asarray(out["keep"])] == 0)


@pytest.mark.parametrize(("token", "reached"), [("learned", False), ("mean", True)])
def test_dropped_frames_reach_the_student_through_its_class_token(token, reached):
    """One block whose temporal attention is off: patches have seen their frame alone.

    A learned query then knows the kept frames only; the mean token has seen every one.
    """
    fields = dict(depth=1, class_token=token)
    config, variables = small(**fields), variables_of(tuple(fields.items()))
    block = variables["params"]["branches"]["backbone"]["blocks_0"]
    off = jax.tree.map(np.zeros_like, block["temporal_fc"])
    block = block | {"temporal_fc": off}
    branches = {"backbone": variables["params"]["branches"]["backbone"]}
    branches["backbone"] = branches["backbone"] | {"blocks_0": block}
    variables = {"params": variables["params"] | {"branches": branches}}
    batch, apply = batch_of(config), jax.jit(config.build().apply)
    before = apply(variables, batch)
    dropped = np.asarray(before["frame_marks"])[:, :4] == 0  # of the first stream
    assert dropped.any()
    noise = np.where(dropped[..., None, None, None], 3, 0).astype(np.uint8)
    after = apply(variables, batch | {"rgb": batch["rgb"] ^ noise})
    np.testing.assert_array_equal(before["keep"], after["keep"])
    names = ("logits", "teacher_logits")
    student, teacher = (np.abs(after[x] - before[x]).max() for x in names)
    assert teacher > 1e-4
    assert student > 1e-4 if reached else student == 0


OFF = dict(selection=False, fusion=False, distillation=False)


def test_all_switches_off_is_the_baseline():
    """Parameters of the same names, and with them the same logits and losses."""
    config = small(class_token="sum", **OFF)
    baseline = small(BaselineConfig)
    fields = (*OFF.items(), ("class_token", "sum"))
    variables = variables_of(fields)
    batch = batch_of(config)
    init = jax.eval_shape(baseline.build().init, jax.random.key(0), batch)
    chex.assert_trees_all_equal_shapes(variables, init)
    for present in (None, np.array([[True, True], [True, False]])):
        given = batch if present is None else batch | {"present": present}
        ours, theirs = (run(x, variables, given) for x in (config, baseline))
        np.testing.assert_allclose(ours["logits"], theirs["logits"], atol=1e-6)
    assert config.losses() == baseline.losses()


def test_a_row_of_table_3_has_nothing_but_its_switch():
    """A scorer and a teacher are added; the rest is the baseline's.

    Distillation alone: its student is the baseline. Selection alone: what it keeps is
    the whole difference of the head's inputs, [mean of the kept patches] W.
    """
    names = (("fusion", False), ("class_token", "sum"))
    params = dict(variables_of(names)["params"])
    baseline = {name: params[name] for name in ("branches", "head")}
    plain = run(small(BaselineConfig), {"params": baseline})["logits"]
    only = dict(fusion=False, class_token="sum")
    student = run(small(selection=False, **only), {"params": params})
    np.testing.assert_allclose(student["logits"], plain, atol=1e-6)
    picked = run(small(distillation=False, **only), {"params": params})
    kept = np.asarray(picked["student_patches"]).sum(axis=(1, 2))
    kept = kept / np.asarray(picked["keep"]).sum(axis=(1, 2))[:, None]
    difference = kept @ params["head"]["fc"]["kernel"]
    np.testing.assert_allclose(picked["logits"] - plain, difference, atol=1e-5)


def test_student_gradient_off_leaves_the_backbone_to_the_teacher():
    """Without the teacher's own loss neither it nor the backbone has a gradient."""
    config = small(depth=1, student_gradient=False)
    batch, module = batch_of(config), config.build()
    terms = [x for x in config.losses() if x.name != "teacher_cross_entropy"]
    assert len(terms) == len(config.losses()) - 1 == 3

    def loss(variables):
        out = module.apply(variables, batch)
        return sum(term.weight * term(out, batch).mean() for term in terms)

    grads = jax.jit(jax.grad(loss))(variables_of((("depth", 1),)))["params"]
    moved = {
        name: max(np.abs(x).max() for x in jax.tree.leaves(tree)) > 0
        for name, tree in grads.items()
    }
    assert moved == {
        "branches": False,
        "teacher_head": False,
        "scorer": True,
        "fusion": True,
        "head": True,
    }


def test_distillation_weights_are_lambda_and_its_complement():
    terms = {term.name: term.weight for term in small(distill_lambda=0.3).losses()}
    assert terms["cross_entropy"] == terms["teacher_cross_entropy"] == 1.0
    assert terms["region_distillation"] == 0.3
    assert terms["prediction_distillation"] == pytest.approx(0.7)
    literal = small(teacher_weight=0.0, distillation=False).losses()
    assert [term.name for term in literal] == ["cross_entropy"]


@pytest.mark.parametrize(
    ("selection", "fusion", "distillation"),
    [
        pytest.param(*row, marks=() if all(row) else pytest.mark.long)
        for row in itertools.product([True, False], repeat=3)
    ],
)
def test_the_rows_of_table_3_train(selection, fusion, distillation):
    config = small(selection=selection, fusion=fusion, distillation=distillation)
    batch = batch_of(config)
    variables = jax.jit(config.build().init)(jax.random.key(0), batch)
    assert ("scorer" in variables["params"]) == selection
    assert ("fusion" in variables["params"]) == fusion
    assert ("teacher_head" in variables["params"]) == distillation
    loss = jax.jit(lambda v: total_loss(config, v, batch))
    value, grads = jax.jit(jax.value_and_grad(loss))(variables)
    after = loss(jax.tree.map(lambda x, g: x - 1e-3 * g, variables, grads))
    assert after < value


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(dict(share_backbone=False), marks=pytest.mark.long),
        pytest.param(dict(ir_embedding="single"), marks=pytest.mark.long),
        pytest.param(dict(class_token="concat"), marks=pytest.mark.long),
        pytest.param(dict(class_token="learned"), marks=pytest.mark.long),
        dict(rollout="literal", rollout_heads="mean"),
        dict(masked_attention=False, masked_mlp=False),
        dict(k1=0.0, k2=0.5),
        pytest.param(dict(dropout=0.1, drop_path=0.1), marks=pytest.mark.long),
        pytest.param(dict(remat=True), marks=pytest.mark.long),
        pytest.param(dict(dtype="bfloat16"), marks=pytest.mark.long),
    ],
    ids=str,
)
def test_variants_are_finite_in_value_and_gradient(fields):
    config = small(**fields)
    batch = batch_of(config)
    variables = jax.jit(config.build().init)(jax.random.key(0), batch)
    call = dict(train=True, rngs=RNGS)
    value, grads = jax.jit(
        jax.value_and_grad(lambda v: total_loss(config, v, batch, **call))
    )(variables)
    assert np.isfinite(value)
    chex.assert_tree_all_finite(grads)


@pytest.mark.long
def test_remat_changes_nothing():
    first, second = (
        gradients(small(remat=remat), variables_of()) for remat in (False, True)
    )
    chex.assert_trees_all_close(first, second, rtol=1e-7, atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(rollout="full"), "rollout is 'full'; choose one of residual, lit"),
        (dict(estimator="soft"), "estimator is 'soft'; choose one of straight"),
        (dict(class_token="max"), "class_token is 'max'; choose one of mean"),
        (dict(k1=0.9), "must be <= 1"),
        (dict(ir_embedding="none"), "choose one of repeat, single"),
    ],
)
def test_config_values_that_mean_nothing(fields, message):
    with pytest.raises(ValueError, match=message):
        small(**fields).build()


def test_unknown_stream_and_missing_stream():
    with pytest.raises(ValueError, match="Got streams .'thermal'"):
        small(streams=("thermal",)).inputs()
    config = small()
    batch = {k: v for k, v in batch_of(config).items() if k != "ir"}
    with pytest.raises(KeyError, match="has no stream 'ir'"):
        config.build().apply(variables_of(), batch)


def test_a_stream_s_loss_trains_its_own_head_on_its_own_token():
    config = small(stream_weight=0.5, depth=1, **OFF)
    variables = variables_of((*OFF.items(), ("stream_weight", 0.5), ("depth", 1)))
    batch = batch_of(config)
    assert [(x.logits, x.weight, x.stream) for x in config.losses()[1:]] == [
        ("rgb_logits", 0.5, 0),
        ("ir_logits", 0.5, 1),
    ]
    apply = jax.jit(config.build().apply)
    one, two = (
        apply(variables, batch | {"ir": ir}) for ir in (batch["ir"], 255 - batch["ir"])
    )
    np.testing.assert_array_equal(one["rgb_logits"], two["rgb_logits"])
    assert np.abs(one["ir_logits"] - two["ir_logits"]).max() > 1e-4
    assert {"head_rgb", "head_ir"} < set(variables["params"])
