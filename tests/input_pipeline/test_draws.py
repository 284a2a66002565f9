"""Which frames of a clip are read."""

from input_pipeline.pipeline import (
    eval_batches,
)
from tests.input_pipeline import tiny
from tests.input_pipeline.test_pipeline import INPUTS, TRAIN


def test_evaluation_reads_the_middle_of_each_segment(root):
    batch = next(eval_batches(tiny.config(root), INPUTS, "test", 1))
    assert batch["id"].tolist() == [TRAIN]
    frames = batch["rgb"][0].reshape(4, -1).mean(-1) // 10
    assert frames.tolist() == [1, 4, 8, 11]  # of 13
    frames = batch["ir"][0].reshape(4, -1).mean(-1) // 10
    assert frames.tolist() == [0, 2, 4, 6]  # of 7: 0.875 2.625 4.375 6.125
