"""Every field of every config has an effect: a batch, a program, a plan or a report.

Each field alone is given another value, and what follows from it must change. Fields
whose metadata say that no number depends on them (`jaxact.config.local`) are not
tried. Programs are traced, not compiled, at tiny sizes.
"""

import functools
import itertools
import json
import re
from typing import Any

import jax
import numpy as np
import pytest

import evaluate
from input_pipeline import pipeline, records
from input_pipeline.config import DataConfig
from input_pipeline.dataset import DatasetError
from jaxact.checkpoints import manager
from jaxact.config import load_experiment
from jaxact.devices import distributed
from jaxact.run import initialize, session
from tests import tiny
from tests.input_pipeline import tiny as tiny_data
from tests.rules.fields import fields_of, other, program_of

SIZE = {"image_size": 16, "frames": 4}
TIMESFORMER = SIZE | {"depth": 1, "width": 8, "heads": 2}
RESNET = {"image_size": 32, "frames": 4, "width": 8}
CCDFARM = {"image_size": 32, "frames": 8, "width": 0.125, "skeleton_frames": 16}
# Families of models: a config, made small.
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "stafusion": ("configs/demo_stafusion.py", TIMESFORMER),
    "baseline": ("configs/demo_stafusion.py:baseline", TIMESFORMER),
    "ccdfarm": ("configs/demo_ccdfarm.py", CCDFARM),
    "dam": ("configs/demo_dam.py", RESNET),
    "tsm_netvlad": ("configs/demo_tsm_netvlad.py:stream=both", RESNET),
}
# What a field is changed to, and what is set besides for it to matter; of fields that
# are not here `other` knows a value.
MODEL_CHANGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "num_classes": (7, {}),
    "dtype": ("bfloat16", {}),
    "image_size": (48, {}),
    "patch": (4, {}),
    "heads": (4, {}),
    "streams": (("rgb",), {"tiam": False}),
    "ir_embedding": ("single", {"share_backbone": False}),
    "drop_path": (0.25, {"depth": 2}),
    "r2": (0.8, {}),
    "sigma": (0.2, {"estimator": "perturbed"}),
    "estimator": ("perturbed", {}),
    "positions": ((3, 1), {"frames_from": "positions"}),
    "k1": (0.5, {}),
    "mean": ((0.5,), {}),
    "std": ((0.5,), {}),
    "rollout": ("literal", {}),
    "rollout_heads": ("mean", {}),
    "class_token": ("concat", {}),
    "look": ("again", {"compete": "stream"}),
    "transfer": ("mmtm", {"tiam": False, "mffm": False}),
    "mmtm_variant": ("code", {"transfer": "mmtm", "tiam": False, "mffm": False}),
    "places": ((2,), {}),
    "persons": (1, {}),
    "skeleton_frames": (32, {}),
    "origin": ((2,), {}),
    "conv3d": ("native", {}),
    "layout": ((), {}),
    "time_strides": ((1, 2, 1), {}),
    "order": ("quadratic", {}),
    "position": ("none", {}),
    "poly_reduction": (2, {"layout": ((3, 2, "poly"),)}),
    "frozen_norm": ("all", {}),
    "stream_weights": ((1.0, 3.0), {}),
    "pooling": ("average", {}),
    "head_scale": (3.0, {}),
}
BLOCKS = {"ccdfarm": (16, 32), "dam": (1, 1, 3, 1), "tsm_netvlad": (1, 1, 1, 1)}
# Read only where a run starts by training clips, as tests/models/test_tsm_netvlad.py.
BY_CLIPS = ("kmeans_clips",)
# One family in the short tests; all of them take minutes.
LONG = ("baseline", "ccdfarm", "dam", "tsm_netvlad")


def model_of(family: str, changes: dict[str, Any]) -> Any:
    config, small = MODELS[family]
    keys = {f"model.{name}": value for name, value in (small | changes).items()}
    return load_experiment(config, keys).model


@functools.cache
def traced_once(family: str, *changes: tuple[str, Any]) -> str:
    return program_of(model_of(family, dict(changes)))


MODEL_FIELDS = [
    pytest.param(family, name, marks=[pytest.mark.long] if family in LONG else [])
    for family in MODELS
    for name in fields_of(model_of(family, {}))
    if name not in BY_CLIPS
]


@pytest.mark.parametrize(("family", "name"), MODEL_FIELDS)
def test_every_field_of_a_model_changes_its_program(family, name):
    value, context = MODEL_CHANGES.get(name, (None, {}))
    known = fields_of(model_of(family, {}))
    context = {key: x for key, x in context.items() if key in known}
    if name == "blocks":
        value = BLOCKS[family]
    before = model_of(family, context)
    changed = context | {name: other(before, name) if value is None else value}
    assert getattr(before, name) != changed[name]
    after = program_of(model_of(family, changed))
    assert after != traced_once(family, *context.items())


def test_the_same_fields_give_the_same_program():
    assert program_of(model_of("stafusion", {})) == traced_once("stafusion")


# ---- data: batches of a small set with pictures, truth, subjects and bodies ----

INPUTS = {
    "rgb": jax.ShapeDtypeStruct((4, 16, 16, 3), np.uint8),
    "ir": jax.ShapeDtypeStruct((3, 16, 16, 1), np.uint8),
    "skeleton": jax.ShapeDtypeStruct((1, 6, tiny_data.JOINTS, 3), np.float32),
}
CORNERS = {"crop": "corners"}
DATA_CHANGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "val_subjects": ((1,), {}),
    "val_share": (0.5, {}),
    "folds": ("person", {}),
    "num_folds": (2, {"folds": "person"}),
    "fold": (2, {"folds": "person"}),
    "limit": (5, {}),
    "balance": (1.0, {}),
    "rand_ops": (2, {}),
    "rand_magnitude": (1.0, {"rand_ops": 3}),
    "erase": (1.0, {}),
    "repeats": (2, {}),
    "resize_min": (22, {}),
    "resize_max": (32, {}),
    "test_resize": (24, {}),
    "crop_scales": ((0.7, 0.6), CORNERS),
    "crop_distort": (0, CORNERS),
    "flip": (1.0, {}),
    "quarter_turns": (True, {"window": 1000}),
    "crop": ("corners", {}),
    "window": (5, {}),
    "skeleton_crop_min": (1.0, {}),
    "test_skeleton_crop": (0.5, {}),
    "skeleton_turn": (90.0, {}),
    "eval_views_time": (2, {}),
    "eval_views_space": (3, {}),
    "eval_views_at_once": (1, {"eval_views_time": 2}),
}
# Which data are read: another value finds none.
DATA_NAMES = ("name", "version", "protocol")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    folder = tiny_data.write(path, [pictured(i) for i in range(8)], 2, truth=True)
    facts = json.loads((folder / "dataset.json").read_text())
    wide, narrow = ([[a, 0, 0.5, 0], [0, -a, 0.5, 0]] for a in (0.5, 1.0))
    facts["streams"]["skeleton"]["lenses"] = {"-1": {"rgb": wide, "ir": narrow}}
    (folder / "dataset.json").write_text(json.dumps(facts))
    return path


def pictured(number: int) -> records.Record:
    """A clip of `tiny_data` whose pictures and bodies are random."""
    clip, random = tiny_data.clip(number, truth=True), np.random.default_rng(number)
    for name in ("rgb", "ir"):
        video = clip.streams[name]
        shape = (video.height, video.width, 3 if name == "rgb" else 1)
        video.frames[:] = [
            tiny_data.jpeg(random.integers(0, 256, shape, np.uint8))
            for _ in video.frames
        ]
    body = clip.streams["skeleton"]
    body.points[:] = random.normal(size=body.points.shape)
    clip.subject = number % 3
    return clip


@functools.cache
def batches(root, *changes: tuple[str, Any]) -> list[Any]:
    """Returns what training and evaluation read, and how many clips there are."""
    data, inputs = tiny_data.config(root, **dict(changes)), dict(INPUTS)
    if data.window or data.quarter_turns:  # of videos alone
        del inputs["skeleton"]
    train = pipeline.train_batches(data, inputs, 2, seed=3)
    found = [*itertools.islice(train, 3)]
    found += pipeline.eval_batches(data, inputs, "test", 2)
    return [pipeline.dataset_facts(data).num_clips, *found]


def equal(one: Any, two: Any) -> bool:
    same = jax.tree.structure(one) == jax.tree.structure(two)
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=False)
    return same and all(
        np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind == "f")
        for a, b in pairs
    )


# Of these a second a field; the rest together takes a minute.
SHORT = ("crop", "crop_scales", "crop_distort", "flip", "protocol")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in SHORT else [pytest.mark.long])
        for name in fields_of(DataConfig())
    ],
)
def test_every_field_of_the_data_changes_a_batch(root, name):
    if name in DATA_NAMES:
        with pytest.raises(DatasetError):
            batches(root, (name, "9.9.9"))
        return
    value, context = DATA_CHANGES.get(name, (None, {}))
    before = tiny_data.config(root, **context)
    value = other(before, name) if value is None else value
    after = batches(root, *context.items(), (name, value))
    if name == "window":  # without the skeleton, which is no effect
        context = {"window": 1000}  # longer than any clip: all of it
    assert not equal(batches(root, *context.items()), after)


def test_the_same_data_config_gives_the_same_batches(root):
    assert equal(batches(root), batches.__wrapped__(root))


# ---- optimiser, schedule, training: the train step of a small model, and the plan ----

STEP = {"schedule.kind": "step"}
ADAM = {"optim.optimizer": "adamw"}
RUN_CHANGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "optim.reference_batch": (4, {}),
    "optim.part_lr": ((("head", 0.5),), {}),
    "optim.freeze": (("head",), {}),
    "mix.along": ("time", {"mix.cutmix": 1.0}),
    "mix.probability": (0.5, {"mix.cutmix": 1.0}),
    "schedule.kind": ("cosine", {}),
    "schedule.milestones": ((1.0,), STEP),
    "schedule.decay": (0.5, STEP),
    "train.batch_size": (4, {}),
    "train.fsdp": (2, {"model.width": 2**14}),
    "train.eval_every": (2.0, {}),
    "eval.split": ("train", {}),
    "eval.choose_on": ("train", {}),
}
# Shown by tests of their own, below.
AT_START = ("train.init_from", "train.init_part")
# The tiny model has no blocks; shown in tests/run/test_optim.py.
OF_BLOCKS = ("optim.layer_decay",)
IN_REPORT = ("name", "eval.pictures", "eval.show")
# Of a run that goes on, and of its checkpoints: tests/scripts/test_training_options.py.
OF_RUNS = ("train.patience", "eval.average_last")

ELSEWHERE = AT_START + OF_BLOCKS + IN_REPORT + OF_RUNS


class Asked(tiny.TinyData):
    """Remembers which batches it was asked for."""

    def __init__(self):
        super().__init__()
        self.asked: list[Any] = []

    def train_batches(self, data, inputs, *rest, **part):
        self.asked.append(("train", *rest))
        return super().train_batches(data, inputs, *rest, **part)

    def eval_batches(self, data, inputs, *rest, **part):
        self.asked.append(("eval", *rest))
        return super().eval_batches(data, inputs, *rest, **part)


@functools.cache
def run_of(*changes: tuple[str, Any]) -> Any:
    """Returns what a training with these values computes, asks for and says."""
    experiment, data = tiny.experiment(**dict(changes)), Asked()
    opened = session.open_training(experiment, data)
    opened.train_batches(0)
    batch = distributed.put_batch(
        tiny.batch(0, experiment.train.batch_size), opened.mesh
    )
    step = opened.program.train_step.trace(opened.program.abstract, batch)
    program = re.sub(r"0x[0-9a-f]+", "", str(step.jaxpr))
    shardings = jax.tree.map(lambda x: str(x.sharding), opened.program.abstract)
    table = initialize.start_table(opened)
    return program, str(shardings), opened.plan, data.asked, table


RUN_FIELDS = [
    key
    for key in fields_of(tiny.experiment())
    if not key.startswith(("model.", "data.")) and key not in ELSEWHERE
]


@pytest.mark.parametrize("key", RUN_FIELDS)
def test_every_field_of_a_run_changes_its_program_or_its_plan(key):
    value, context = RUN_CHANGES.get(key, (None, {}))
    if value is None:
        part, _, name = key.partition(".")
        value = other(getattr(tiny.experiment(**context), part), name)
    changed = context | {key: value}
    assert run_of(*changed.items()) != run_of(*context.items())


def test_where_a_run_starts_from(tmp_path):
    """train.init_from and train.init_part."""
    first = session.open_training(tiny.experiment(), tiny.TinyData())
    state = first.program.create()
    given = jax.tree.map(lambda x: x + 1, state.params)
    stored = manager.Checkpoints(tmp_path / "given")
    stored.save(state.replace(params=given), {"step": 1})
    stored.close()

    def start(number, **changes):
        experiment = tiny.experiment(**changes)
        opened = session.open_training(experiment, tiny.TinyData())
        folder = manager.Checkpoints(tmp_path / str(number))
        state, _ = initialize.start_state(experiment, opened, folder)
        return jax.device_get(state.params)

    source = {"train.init_from": str(tmp_path / "given")}
    from_seed, whole = start(1), start(2, **source)
    part = start(3, **source, **{"train.init_part": "backbone"})
    assert equal(from_seed, jax.device_get(state.params)) and equal(
        whole, jax.device_get(given)
    )
    assert equal(part["backbone"], whole["backbone"])
    assert equal(part["head"], from_seed["head"])


def test_what_the_report_shows(tmp_path):
    """name, eval.pictures and eval.show."""
    opened = session.open_training(tiny.experiment(), tiny.TinyData())
    stored = manager.Checkpoints(tmp_path)
    stored.save(opened.program.create(), {"step": 1})
    stored.close()
    found = []
    changed = {"name": "other", "eval.pictures": 2, "eval.show": ("clip 25",)}
    for changes in ({}, changed):
        changed = tiny.experiment(**changes)
        result = evaluate.evaluate(changed, tmp_path, 1, tiny.TinyData())
        shown = [example["name"] for example in result.examples]
        found.append((result.experiment, len(shown), shown[0]))
    assert found == [("tiny", 8, "clip 20"), ("other", 1, "clip 25")]
