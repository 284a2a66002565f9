"""Ground truth in training batches reaches the model and changes nothing by itself."""

import numpy as np
import pytest

from tests import tiny
from tests.scripts.test_train import quick, run

__all__ = ["quick"]  # a fixture


class WithTruth(tiny.TinyData):
    """Training batches as `data.truth` makes them."""

    def train_batches(self, *args, **kwargs):
        for batch in super().train_batches(*args, **kwargs):
            size = len(batch["label"])
            yield batch | {
                "actor_visible": np.ones((size, tiny.FRAMES), bool),
                "actor_box": np.zeros((size, tiny.FRAMES, 4), np.float32),
                "difficulty": np.zeros(size, np.int32),
            }


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_run_with_truth_ends_at_the_same_numbers(tmp_path, accumulate):
    changes = {"train.epochs": 0.8, "train.accumulate": accumulate}
    asked = run(tmp_path / "asked", WithTruth(), **changes)
    assert asked == run(tmp_path / "plain", **changes)
