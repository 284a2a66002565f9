"""Every file in configs/ at its real size: it loads, has its parameters, and trains."""

import math

import jax
import jax.numpy as jnp
import pytest

from jaxact.batch import example_batch
from jaxact.config import (
    ConfigError,
    keys_that_may_differ,
    leaves,
    load_experiment,
)
from jaxact.devices import distributed
from jaxact.run.program import make_plan, make_program
from tests.paths import ROOT

# Parameters by config and argument.
PARAMETERS = {
    "demo_ccdfarm": 1_872_819,
    "demo_ccdfarm:model=mmtm": 1_687_092,
    "demo_ccdfarm:model=skeleton": 640_336,
    "demo_dam": 679_072,
    "demo_dam:row=trunk": 584_992,
    "demo_infar": 584_992,
    "demo_infar:net=csn": 391_664,
    "demo_infar:net=hiera": 263_560,
    "demo_infar:net=hiera,fusion=bottleneck,streams=rgb+ir+depth": 1_606_600,
    "demo_infar:net=i3d": 201_938,
    "demo_infar:net=mvit": 90_128,
    "demo_infar:net=slowfast": 973_684,
    "demo_infar:net=tanet": 1_215_872,
    "demo_infar:net=timesformer": 229_200,
    "demo_infar:net=timesformer,fusion=tmc": 229_200 + 16 * 65,
    "demo_infar:net=video_focalnet": 230_600,
    "demo_infar:net=video_swin": 290_685,
    "demo_infar:net=videomae": 175_568,
    "demo_stafusion": 282_753,
    "demo_tsm_netvlad": 650_537,
    "demo_tsm_netvlad:row=average": 584_992,
    "demo_tsm_netvlad:stream=both": 1_310_482,
    "hmdb51_tsm_netvlad": 30_454_964,
    "infar": 23_532_620,
    "infar:fusion=concat,layout=unshared": 2 * (23_508_032 + 12 * 2048) + 12,
    "infar:net=csn,size=small": 12_336_140,
    "infar:net=i3d": 12_292_284,
    "infar:net=i3d,layout=unshared": 2 * 12_279_984 + 12_300,
    "infar:net=timesformer,fusion=dynmm,streams=rgb+ir+depth": 103_002_676,
    "infar_stafusion": 108_581_017,
    "minikinetics_dam": 25_640_400,
    "minikinetics_dam:kind=none": 24_327_632,
    "minikinetics_dam:kind=da_nl_2_matrix": 25_640_400 + 784**2,
    "minikinetics_dam:modules=12,views=30": 24_327_632 + 10_687_488,
    "ntu_ccdfarm": 20_426_835,
    "ntu_ccdfarm:dataset=ntu120,protocol=xset": 20_580_615,
    "ntu_ccdfarm:model=mmtm": 16_688_776,
    "ntu_ccdfarm:model=rgb": 12_341_484,
    "ntu_ccdfarm:model=skeleton,preset=adam": 1_062_652,
    "ntu_stafusion": 108_654_841,
    "ntu_stafusion:literal,mmaction2": 108_654_841,
    "own_ccdfarm:dataset=mine,classes=5": 1_865_746,
    "own_ccdfarm:dataset=mine,classes=5,model=skeleton": 638_917,
    "own_ccdfarm:dataset=mine,classes=5,size=base": 20_285_870,
    "own_dam:dataset=mine,classes=5": 673_429,
    "own_dam:dataset=mine,classes=5,size=base": 34_205_765,
    "own_dual_stream:dataset=mine,classes=5": 228_485,
    "own_dual_stream:dataset=mine,classes=5,size=base,net=tsm,fusion=tmc": 23_528_522,
    "own_dual_stream:dataset=mine,classes=5,streams=ir,image=32": 227_205,
    "own_stafusion:dataset=mine,classes=5": 281_323,
    "own_stafusion:dataset=mine,classes=5,size=base": 108_570_251,
    "own_tsm_netvlad:dataset=mine,classes=5": 605_470,
    "own_tsm_netvlad:dataset=mine,classes=5,differences,size=base": 24_463_238,
    "precog_hcn": 768_648,
    "sthv1_dam": 34_552_046,
    "ucf101_dam": 34_402_469,
    "ucf101_dam:dataset=hmdb51,split=3": 34_300_019,
    "ucf101_tsm_netvlad": 37_008_614,
    "ucf101_tsm_netvlad:stream=both": 74_054_860,
    "ucf101_tsm_netvlad:stream=rgb_diff,split=3": 37_046_246,
}


def loaded(name):
    file, _, arg = name.partition(":")
    return load_experiment(f"configs/{file}.py" + (f":{arg}" if arg else ""))


def shapes_of(name):
    experiment = loaded(name)
    batch = example_batch(experiment, 1)
    module = experiment.model.build()
    variables = jax.eval_shape(lambda b: module.init(jax.random.key(0), b), batch)
    out = jax.eval_shape(lambda v, b: module.apply(v, b), variables, batch)
    return experiment, variables["params"], out


def _is_variant(name):
    """Whether a published size is one more of its file: left to the long tests."""
    file, _, arg = name.partition(":")
    if file.startswith("own_"):  # which have no config without an argument
        return "size=base" in arg
    return bool(arg) and not file.startswith("demo_")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.long if _is_variant(name) else ())
        for name in PARAMETERS
    ],
)
def test_parameters(name):
    experiment, params, out = shapes_of(name)
    assert out["logits"].shape == (1, experiment.model.num_classes)
    number = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
    assert number == PARAMETERS[name]


def test_presets_of_stafusion():
    plain, literal, recipe, ranked = (
        loaded(f"ntu_stafusion{x}") for x in ("", ":literal", ":mmaction2", ":ranked")
    )

    def changed(one):
        before = dict(leaves(plain))
        return {key: x for key, x in leaves(one) if x != before[key]}

    assert changed(literal) == {
        "name": "ntu60_xview_videos_stafusion_literal",
        "model.estimator": "none",
        "model.rollout": "literal",
        "model.teacher_weight": 0.0,
    }
    assert changed(recipe) == {
        "name": "ntu60_xview_videos_stafusion_mmaction2",
        "model.mean": (0.5,),
        "model.std": (0.5,),
        "model.drop_path": 0.1,
        "optim.clip_norm": 40.0,
        "data.test_resize": 224,
        "data.eval_views_space": 3,
    }
    with pytest.raises(ConfigError, match="no preset 'literal'"):
        loaded("ntu_stafusion:baseline,literal")
    assert changed(ranked) == {
        "name": "ntu60_xview_videos_stafusion_ranked",
        "model.class_token": "sum",
        "model.compete": "stream",
        "model.scorer": "centred",
        "model.estimator": "none",
        "model.ranking_weight": 1.0,
        "model.look": "again",
        "model.answer": "both",
        "optim.part_lr": (("scorer", 10.0), ("frame_heads", 10.0)),
    }
    # An older run goes on as it was asked for, though it did not know of the answer.
    assert "model.answer" in keys_that_may_differ(ranked, "runs")
    with pytest.raises(ConfigError, match="ranks no frames"):
        loaded("ntu_stafusion:literal,ranked")
    with pytest.raises(ConfigError, match="baseline has no scorer"):
        loaded("ntu_stafusion:baseline,ranked")
    with pytest.raises(ConfigError, match="baseline has no teacher"):
        loaded("ntu_stafusion:baseline,teacher=runs/x")


@pytest.mark.parametrize(
    "name",
    [
        "demo_stafusion:",
        "infar_stafusion:",
        "own_stafusion:dataset=mine,classes=5,",
        "own_stafusion:dataset=mine,classes=5,size=base,image=112,",
    ],
)
def test_all_configs_of_stafusion_have_its_presets(name):
    literal = loaded(f"{name}literal").model
    assert (literal.estimator, literal.rollout) == ("none", "literal")
    recipe = loaded(f"{name}baseline,mmaction2")
    assert recipe.data.test_resize == recipe.model.image_size
    both = loaded(f"{name}ranked,teacher=runs/x")
    assert both.model.look == "again" and both.train.init_from == "runs/x"


# One a system; the others are traced in the long tests.
TRACED = ("ntu_stafusion", "ntu_ccdfarm", "sthv1_dam", "ucf101_tsm_netvlad")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in TRACED else pytest.mark.long)
        for name in PARAMETERS
        if ":" not in name
    ],
)
def test_both_steps_can_be_traced(name):
    """Losses, dropout, statistics and the optimiser as the config has them."""
    experiment = loaded(name)
    size = experiment.train.batch_size = 2 * experiment.train.accumulate
    mesh = distributed.make_mesh(1, jax.devices()[:1])
    program = make_program(experiment, mesh, make_plan(experiment.train, 1000))
    batch = dict(example_batch(experiment, size))
    for key, kind in (("label", jnp.int32), ("id", jnp.int32), ("mask", jnp.bool_)):
        batch[key] = jax.ShapeDtypeStruct((size,), kind)
    traced = program.train_step.trace(program.abstract, batch)
    state, metrics = traced.out_info
    shapes = jax.tree.map(lambda x: (x.shape, x.dtype), (state, program.abstract))
    assert shapes[0] == shapes[1]
    assert "loss" in metrics
    network = program.network
    out = network.eval_step.trace(network.abstract, batch).out_info
    assert out["scores"].shape == (size, experiment.model.num_classes)


@pytest.mark.parametrize(
    ("name", "optimizer", "lr", "nesterov", "batch", "epochs"),
    [
        ("ntu_stafusion", "sgd", 0.005, True, 64, 100.0),
        ("ntu_ccdfarm", "sgd", 0.1, False, 32, 50.0),
        ("ntu_ccdfarm:preset=adam", "adam", 1e-4, None, 32, 50.0),
    ],
)
def test_recipes_are_the_papers(name, optimizer, lr, nesterov, batch, epochs):
    """STAFusion section 4.2; CC-DFARM section 3.2, and the public MSAF's preset."""
    spec = loaded(name)
    assert (spec.optim.optimizer, spec.optim.lr) == (optimizer, lr)
    assert nesterov is None or spec.optim.nesterov is nesterov
    assert (spec.train.batch_size, spec.train.epochs) == (batch, epochs)


def test_every_config_is_in_the_table():
    files = {path.stem for path in (ROOT / "configs").glob("*.py")} - {"__init__"}
    configs = {name for name in files if "def get_config" in _text(name)}
    assert configs == {name.partition(":")[0] for name in PARAMETERS}


def _text(name):
    return (ROOT / "configs" / f"{name}.py").read_text(encoding="utf-8")


def test_ccdfarm_is_the_paper_s_where_that_is_asked_for():
    scaled = load_experiment("configs/ntu_ccdfarm.py")
    literal = load_experiment("configs/ntu_ccdfarm.py:literal")
    assert scaled.model.tiam_scaled and not literal.model.tiam_scaled
    assert scaled.model.branch_weight and not literal.model.branch_weight
    assert (scaled.optim.clip_norm, literal.optim.clip_norm) == (1.0, 0.0)
    assert literal.name == f"{scaled.name}_literal"  # a folder of its own


@pytest.mark.parametrize("name", ["sthv1_dam", "minikinetics_dam", "ucf101_dam"])
def test_dam_knows_the_order_of_frames_but_for_the_paper_s(name):
    told, literal = loaded(name), loaded(f"{name}:literal")
    assert (told.model.position, literal.model.position) == ("sinusoidal", "none")
    assert literal.name == f"{told.name}_literal"
    learned = loaded(f"{name}:position=learned")
    assert learned.model.position == "learned"


def test_netvlad_s_vector_is_the_paper_s_where_that_is_asked_for():
    scaled = loaded("hmdb51_tsm_netvlad:split=2")
    literal = loaded("hmdb51_tsm_netvlad:split=2,literal")
    assert scaled.model.build().head_scale == 16
    assert literal.model.build().head_scale == 1
    assert literal.name == f"{scaled.name}_literal"
