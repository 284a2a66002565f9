"""The configs for one's own data: what they read of a set, and how they say no."""

import json

import jax
import pytest

from input_pipeline import pipeline
from jaxact.batch import example_batch
from jaxact.config import ConfigError, load_experiment
from jaxact.run.checks import check
from tests.input_pipeline import tiny


def streams_of(number, streams):
    clip = tiny.clip(number)
    clip.streams = {name: clip.streams[name] for name in streams}
    return clip


def write(root, *streams):
    tiny.write(root, [streams_of(i, streams) for i in range(6)], test=2)
    return root


def loaded(family, root, more=""):
    path = f"configs/own_{family}.py"
    return load_experiment(f"{path}:dataset=tiny,dir={root}{more}")


@pytest.mark.parametrize(
    ("family", "more", "streams"),
    [
        ("stafusion", "", ["rgb", "ir"]),
        ("stafusion", ",baseline", ["rgb", "ir"]),
        ("dual_stream", ",net=tsm", ["rgb", "ir"]),
        ("dual_stream", ",streams=ir,image=32", ["ir"]),
        (
            "dual_stream",
            ",fusion=tmc,streams=rgb+ir+skeleton",
            ["rgb", "ir", "skeleton"],
        ),
        ("dual_stream", ",streams=skeleton", ["skeleton"]),
        ("ccdfarm", "", ["rgb", "skeleton"]),
        ("ccdfarm", ",model=skeleton", ["skeleton"]),
        ("dam", "", ["rgb"]),
        ("tsm_netvlad", "", ["rgb"]),
        ("tsm_netvlad", ",streams=ir", ["ir"]),
        ("tsm_netvlad", ",differences", ["rgb_diff"]),
    ],
)
def test_classes_streams_and_joints_are_the_set_s(tmp_path, family, more, streams):
    root = write(tmp_path, "rgb", "ir", "skeleton")
    for size in ("small", "base"):
        experiment = loaded(family, root, f"{more},size={size}")
        inputs = experiment.model.inputs()
        assert list(inputs) == streams
        assert experiment.model.num_classes == 3
        check(experiment, pipeline.dataset_facts(experiment.data))
        # The pipeline makes what the model reads.
        pipeline.ExampleReader(pipeline._open(experiment.data), experiment.data, inputs)
        assert experiment.name.startswith("tiny_") and experiment.name.endswith(size)
    if "skeleton" in streams:
        assert inputs["skeleton"].shape[2] == tiny.JOINTS


def test_a_step_can_be_traced_of_an_infrared_camera_s_set(tmp_path):
    experiment = loaded("dual_stream", write(tmp_path, "ir"), ",image=24")
    batch = example_batch(experiment, 1)
    assert batch["ir"].shape == (1, 8, 24, 24, 1)
    data = experiment.data
    assert (data.resize_min, data.resize_max, data.test_resize) == (25, 29, 26)
    module = experiment.model.build()
    variables = jax.eval_shape(lambda b: module.init(jax.random.key(0), b), batch)
    assert jax.eval_shape(module.apply, variables, batch)["logits"].shape == (1, 3)


@pytest.mark.parametrize(
    ("family", "more"),
    [("ccdfarm", ",model=skeleton"), ("dual_stream", ",streams=skeleton+rgb")],
)
def test_skeletons_of_an_unknown_layout_are_not_mirrored(tmp_path, family, more):
    folder = tiny.write(tmp_path, [tiny.clip(i) for i in range(4)], test=2)
    info = json.loads((folder / "dataset.json").read_text())
    info["streams"]["skeleton"] = {"joints": tiny.JOINTS, "layout": "", "persons": 1}
    (folder / "dataset.json").write_text(json.dumps(info))
    experiment = loaded(family, tmp_path, more)
    assert experiment.data.flip == 0
    net = experiment.model
    net = net.own.skeleton if family == "dual_stream" else net
    assert (net.persons, net.origin, net.joints) == (1, (0,), tiny.JOINTS)


@pytest.mark.parametrize(
    ("family", "streams", "more", "message"),
    [
        ("ccdfarm", ["ir"], "", "own_ccdfarm.py reads 1 or more of rgb, skeleton; the"),
        (
            "stafusion",
            ["ir"],
            "",
            "holds ir: has too few. Configs that fit this data set: "
            "configs/own_dual_stream.py, configs/own_tsm_netvlad.py.",
        ),
        ("dual_stream", ["ir"], ",streams=rgb", "rgb of it cannot be read"),
        (
            "ccdfarm",
            ["rgb"],
            ",model=ccdfarm",
            "would read rgb and skeleton with these",
        ),
        ("tsm_netvlad", ["ir"], ",differences", "would read rgb with these arguments"),
    ],
)
def test_sets_that_do_not_fit_are_refused(tmp_path, family, streams, more, message):
    with pytest.raises(ConfigError, match=message):
        loaded(family, write(tmp_path, *streams), more)


def test_a_set_must_be_named_and_prepared(tmp_path):
    write(tmp_path, "rgb")
    with pytest.raises(ConfigError, match=r"Say which .* Prepared in .* are: tiny\."):
        load_experiment(f"configs/own_dam.py:dir={tmp_path}")
    with pytest.raises(ConfigError, match=r"'gone' is not prepared(.|\n)*dir=FOLDER"):
        load_experiment(f"configs/own_dam.py:dataset=gone,dir={tmp_path}")
