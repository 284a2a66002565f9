"""What the tests of backbones share: golden files, weights loaded, outputs compared."""

import math

import jax
import numpy as np
from safetensors.numpy import save_file

from jaxact.backbones.public_weights import initialize_from
from jaxact.batch import example_batch
from jaxact.config import Experiment
from jaxact.ledger import ledger
from jaxact.models.dual_stream import DualStreamConfig
from tests.paths import GOLDEN

PREFIX = "weights/"


def golden(name):
    with np.load(GOLDEN / f"{name}.npz") as file:
        return dict(file)


def state_dict(stored):
    return {
        name.removeprefix(PREFIX): np.ascontiguousarray(array, np.float32)
        for name, array in stored.items()
        if name.startswith(PREFIX)
    }


def loaded(module, video, stored, folder):
    """The module's variables, filled from a golden state dict, and the report."""
    path = folder / "weights.safetensors"
    save_file(state_dict(stored), path)
    shapes = jax.eval_shape(module.init, jax.random.key(0), video)
    variables = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    params, stats, report = initialize_from(
        path,
        {"backbone": variables["params"]},
        {"backbone": variables.get("batch_stats", {})},
    )
    filled = {"params": params["backbone"], "batch_stats": stats["backbone"]}
    return filled, report


def close(found, expected, tolerance=1e-5):
    """Compares to a share of the largest value: sums of many terms cancel."""
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        found / scale, expected / scale, atol=tolerance, rtol=tolerance
    )


def gradients_reach_everything(module, variables, video):
    def loss(params):
        out, _ = module.apply(
            variables | {"params": params}, video, train=True, mutable=["batch_stats"]
        )
        return (out["token"] ** 3).sum()

    grads = jax.jit(jax.grad(loss))(variables["params"])
    flat = jax.tree_util.tree_leaves_with_path(grads)
    still = [jax.tree_util.keystr(p) for p, g in flat if not np.abs(g).max() > 0]
    assert still == []


def _published(backbone, frames):
    model = DualStreamConfig(
        num_classes=400, streams=("rgb",), frames=frames, backbone=backbone
    )
    return Experiment("size", model, None)


def published_size(backbone, frames):
    """The ledger of one stream of 224 x 224 under a classifier, as papers count it."""
    return ledger(_published(backbone, frames))


def published_parameters(backbone, frames):
    """The parameters alone, in a third of the time."""
    experiment = _published(backbone, frames)
    batch, module = example_batch(experiment, 1), experiment.model.build()
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), batch))
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes["params"]))
