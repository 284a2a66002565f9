"""A data set that lacks what a model reads is refused before anything is read."""

import numpy as np
import pytest

from input_pipeline.dataset import DatasetError
from input_pipeline.pipeline import (
    eval_batches,
    train_batches,
)
from tests.input_pipeline import tiny
from tests.input_pipeline.test_pipeline import INPUTS, spec


@pytest.mark.parametrize(
    "inputs, message",
    [
        ({"depth": spec(4, 16, 16, 1)}, "holds only rgb, ir, skeleton. Prepare it"),
        ({"ir": spec(4, 16, 16, 3)}, r"'ir' as uint8 \(4, 16, 16, 3\); .* width, 1\)"),
        ({"rgb": spec(4, 16, 16, 3, dtype=np.float32)}, "wants the stream 'rgb' as fl"),
        ({"skeleton": spec(2, 4, 25, 3, dtype=np.float32)}, "frames, 5, 3"),
    ],
)
def test_inputs_that_the_data_set_lacks_are_refused_at_once(root, inputs, message):
    with pytest.raises(DatasetError, match=message):
        train_batches(tiny.config(root), inputs, 2, seed=0)


def test_a_split_whose_clips_lack_a_stream_is_refused_at_once(tmp_path):
    clips = [tiny.clip(i) for i in range(6)]
    del clips[1].streams["ir"], clips[3].streams["ir"]
    tiny.write(tmp_path, clips, 2)
    config = tiny.config(tmp_path)
    with pytest.raises(DatasetError, match="2 of 4 clips .* 'ir', .* 'clip001'. Leave"):
        train_batches(config, INPUTS, 3, seed=0)
    assert next(eval_batches(config, INPUTS, "test", 2))["mask"].all()
    assert next(train_batches(config, {"rgb": INPUTS["rgb"]}, 3, seed=0))
