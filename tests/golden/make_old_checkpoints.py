"""Tiny checkpoints of the four systems, and their logits, made by the code at 26a606a.

    git worktree add OLD 26a606a && cd OLD
    python NEW/tests/golden/THIS_FILE NEW/tests/golden

It must run on that commit, before the wings, and will not run on a later one: that
is its point. Nothing is trained. Parameters repeat a few numbers with a prime period,
so that no two channels are alike and yet the files are small.
"""

import json
import pathlib
import sys
import tempfile
import zipfile

import jax
import numpy as np
from jaxact.checkpoint import Checkpoints
from jaxact.inputs import example_batch
from jaxact.program import make_plan, make_program

from jaxact import distributed
from jaxact.config import config_text, load_experiment

COMMON = {"model.num_classes": 5, "optim.optimizer": "sgd", "train.batch_size": 2}
SYSTEMS = {
    "stafusion": (
        "configs/demo_stafusion.py",
        {
            "model.frames": 4,
            "model.image_size": 20,
            "model.patch": 4,
            "model.width": 18,
            "model.depth": 2,
            "model.heads": 3,
        },
    ),
    "baseline": (
        "configs/demo_stafusion.py:baseline",
        {
            "model.frames": 3,
            "model.image_size": 15,
            "model.patch": 5,
            "model.width": 14,
            "model.depth": 1,
            "model.heads": 2,
            "model.fusion": "average",
            "model.share_backbone": False,
            "model.ir_embedding": "single",
        },
    ),
    "ccdfarm": (
        "configs/demo_ccdfarm.py",
        {
            "model.frames": 9,
            "model.image_size": 32,
            "model.width": 1 / 29,
            "model.skeleton_frames": 16,
            "model.joints": 7,
            "model.persons": 1,
            "model.fc7": 11,
            "model.blocks": (13, 17),
        },
    ),
    "dam": (
        "configs/demo_dam.py",
        {
            "model.frames": 4,
            "model.image_size": 18,
            "model.blocks": (1, 2, 1),
            "model.width": 4,
            "model.position": "none",
            "model.layout": ((2, 2, "da_nl"), (3, 1, "da_poly")),
        },
    ),
    "tsm_netvlad": (
        "configs/demo_tsm_netvlad.py:stream=both",
        {
            "model.frames": 3,
            "model.image_size": 22,
            "model.blocks": (1, 1),
            "model.width": 8,
            "model.clusters": 7,
        },
    ),
}
PERIOD = 97


def filled(path, x):
    """Returns a leaf's shape full of a short sequence, of its fan-in's size."""
    name = jax.tree_util.keystr(path)
    values = np.random.default_rng(len(name)).normal(size=PERIOD).round(2)
    if "var" in name or "scale" in name:
        values = 0.5 + 0.3 * np.abs(values)
    elif x.ndim < 2:
        values = 0.1 * values
    else:
        values = values * (2 / np.prod(x.shape[:-1])) ** 0.5
    return np.resize(values, x.shape).astype(x.dtype)


def short(x):
    """Returns a stream that repeats its first numbers, where it is of integers."""
    x = np.asarray(x)
    small = x.dtype.kind in "iu" and x.ndim > 1
    return np.resize(x.ravel()[:1009], x.shape) if small else x


def make(name, target):
    config, overrides = SYSTEMS[name]
    overrides = COMMON | overrides
    experiment = load_experiment(config, overrides)
    mesh = distributed.make_mesh()
    program = make_program(experiment, mesh, make_plan(experiment.train, 16))
    state = program.create()
    fill = jax.tree_util.tree_map_with_path
    state = state.replace(
        params=fill(filled, state.params),
        batch_stats=fill(filled, state.batch_stats),
        opt_state=(),
    )
    state = jax.device_put(state, distributed.replicated(mesh))
    batch = {key: short(value) for key, value in example_batch(experiment, 2).items()}
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    out = jax.jit(experiment.model.build().apply)(variables, batch)
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(pathlib.Path(folder) / "checkpoints")
        meta = {"step": 3, "epoch": 1.0, "config": config_text(experiment)}
        checkpoints.save(state, meta, {"top1": 0.5})
        checkpoints.close()
        np.savez_compressed(
            pathlib.Path(folder) / "golden.npz",
            logits=out["logits"],
            spec=json.dumps({"config": config, "overrides": overrides}),
            **{f"batch/{key}": value for key, value in batch.items()},
        )
        with zipfile.ZipFile(
            target / f"old_{name}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9
        ) as archive:
            for path in sorted(pathlib.Path(folder).rglob("*")):
                if path.is_file():
                    archive.write(path, path.relative_to(folder))
    print(name, (target / f"old_{name}.zip").stat().st_size, out["logits"])


if __name__ == "__main__":
    for system in SYSTEMS:
        make(system, pathlib.Path(sys.argv[1]))
