"""What the tests of backbones share: golden files, weights loaded, outputs compared."""

import jax
import numpy as np
from safetensors.numpy import save_file

from jaxact.backbones.public_weights import initialize_from
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


def published_size(backbone, frames, classes=400, image_size=224):
    """The ledger of one stream of colours under a classifier, as papers count it."""
    model = DualStreamConfig(
        num_classes=classes,
        streams=("rgb",),
        frames=frames,
        image_size=image_size,
        backbone=backbone,
    )
    return ledger(Experiment("size", model, None))
