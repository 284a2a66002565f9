"""Evaluation over many views: the same scores in whatever parts they come."""

import jax
import numpy as np
import pytest

from jaxact.devices import distributed
from jaxact.models.dam import DAMConfig
from jaxact.run import evaluation, log
from jaxact.run.network import make_network
from tests import tiny

CLIPS, VIEWS = 10, 6


def views_of(config):
    """All clips with all their views, as the pipeline would give them at once."""
    whole = tiny.batch(3, CLIPS)
    shape = config.inputs()["rgb"].shape
    random = np.random.default_rng(0)
    whole["rgb"] = random.integers(0, 256, (CLIPS, VIEWS, *shape)).astype(np.uint8)
    return whole


def batches(whole, size, together):
    """Cuts clips into batches (the last one padded) and views into parts."""
    for start in range(0, CLIPS, size):
        rows = {name: x[start : start + size] for name, x in whole.items()}
        missing = size - len(rows["id"])
        rows = {
            name: np.pad(x, [(0, missing)] + [(0, 0)] * (x.ndim - 1))
            for name, x in rows.items()
        }
        if together == VIEWS:
            yield rows
            continue
        for first in range(0, VIEWS, together):
            part = rows["rgb"][:, first : first + together]
            part = part[:, 0] if together == 1 else part
            view = np.full(size, first, np.int32)
            yield rows | {"rgb": part, "view": view}


def evaluate(config, whole, size, together, devices):
    network = make_network(config, tiny.mesh_of(devices))
    variables = distributed.put_replicated(
        network.init(jax.random.key(0)), network.mesh
    )
    parts = batches(whole, size, together)
    return evaluation.evaluate_batches(network, variables, parts, CLIPS, pictures=2)


@pytest.mark.parametrize(
    ("size", "together", "devices"), [(10, 6, 1), (4, 2, 4), (3, 1, 1), (4, 3, 2)]
)
def test_parts_batches_and_devices_change_nothing(size, together, devices):
    config = tiny.TinyConfig()
    whole = views_of(config)
    expected = evaluate(config, whole, 5, VIEWS, 1)
    result = evaluate(config, whole, size, together, devices)
    np.testing.assert_array_equal(result.ids, expected.ids)
    np.testing.assert_allclose(result.scores, expected.scores, atol=1e-6)
    assert result.views == expected.views == VIEWS
    assert result.metrics["top1"] == expected.metrics["top1"]
    assert [e["id"] for e in result.examples] == [e["id"] for e in expected.examples]


class CostlyModule(tiny.TinyModule):
    """A clip costs as much as it is red."""

    def __call__(self, batch, *, train):
        cost = batch["rgb"][..., 0].astype("float32").mean(axis=(1, 2, 3)) / 255
        return super().__call__(batch, train=train) | {"expected_cost": cost}


class CostlyConfig(tiny.TinyConfig):
    def build(self):
        return CostlyModule(self.num_classes)


def test_the_cost_of_a_model_that_chooses_is_the_mean_of_all_views():
    config = CostlyConfig()
    whole = views_of(config)
    for size, together in ((5, VIEWS), (4, 2)):
        found = evaluate(config, whole, size, together, 1).metrics["expected_cost"]
        expected = whole["rgb"][..., 0].mean() / 255
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        assert "streams run 49.9%" in log.eval_line(
            dict.fromkeys(("top1", "top5", "mean_class_accuracy", "loss"), 0.0)
            | {"expected_cost": found}
        )


def test_clips_are_shown_with_the_map_of_the_predicted_class():
    config = DAMConfig(
        num_classes=tiny.CLASSES,
        dtype="float32",
        frames=2,
        image_size=tiny.SIZE,
        blocks=(1,),
        width=2,
        time_strides=(1, 1, 1),
        layout=(),
    )
    whole = views_of(config)
    whole["label"] %= tiny.CLASSES
    result = evaluate(config, whole, 5, 2, 1)
    assert len(result.examples) == 2
    for example in result.examples:
        assert example["activation"].shape == (2, 1, 1)
