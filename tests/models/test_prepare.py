"""Parameters that a model sets by training clips before the first step of a run."""

import dataclasses
from typing import Any

import jax
import numpy as np
import pytest

import train
from jaxact.devices import distributed
from jaxact.run.predictor import load_model
from tests import tiny

CALLS: list[int] = []


@dataclasses.dataclass
class Prepared(tiny.TinyConfig):
    """The bias of the head becomes the number of clips of each class that it saw."""

    def prepare(self, params: Any, batch_stats: Any, batches: Any, seed: int) -> Any:
        CALLS.append(seed)
        opened = batches()
        labels = np.concatenate([np.asarray(next(opened)["label"]) for _ in range(2)])
        bias = np.bincount(labels, minlength=self.num_classes).astype(np.float32)
        sharding = params["head"]["bias"].sharding
        head = params["head"] | {"bias": jax.device_put(bias, sharding)}
        return params | {"head": head}


@pytest.fixture(autouse=True)
def one_device(monkeypatch):
    monkeypatch.setattr(distributed, "make_mesh", lambda *_: tiny.mesh_of(1))
    CALLS.clear()


def experiment(**changes):
    """One step that changes nothing."""
    still = {"train.epochs": 0.4, "optim.lr": 0.0, "train.seed": 7}
    result = tiny.experiment(**(still | changes))
    result.model = Prepared()
    return result


def run(folder, **changes):
    train.train(experiment(**changes), folder, tiny.TinyData())


def bias(folder):
    _, variables = load_model(experiment(), folder / "checkpoints" / "1")
    return np.asarray(variables["params"]["head"]["bias"])


def test_prepared_once_and_stored_with_the_checkpoint(tmp_path):
    run(tmp_path / "a")
    labels = np.concatenate([tiny.batch(number, 8)["label"] for number in range(2)])
    np.testing.assert_array_equal(bias(tmp_path / "a"), np.bincount(labels))
    assert CALLS == [7]
    run(tmp_path / "a")  # continues
    assert CALLS == [7]
    # Weights of a whole model are taken as they are; a backbone's are not whole.
    run(tmp_path / "b", **{"train.init_from": str(tmp_path / "a")})
    assert CALLS == [7]
    np.testing.assert_array_equal(bias(tmp_path / "b"), bias(tmp_path / "a"))
    start = {"train.init_from": str(tmp_path / "a"), "train.init_part": "backbone"}
    run(tmp_path / "c", **start)
    assert CALLS == [7, 7]
