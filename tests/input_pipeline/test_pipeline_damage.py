"""Records that are not what the index says."""

import numpy as np
import pytest

from input_pipeline.dataset import DatasetError
from input_pipeline.pipeline import (
    eval_batches,
    train_batches,
)
from tests.input_pipeline import tiny
from tests.input_pipeline.test_pipeline import INPUTS


def test_a_record_that_lacks_a_stream_is_named_where_the_index_does_not_tell(tmp_path):
    clips = [tiny.clip(i) for i in range(3)]
    clips[1].ir = None
    folder = tiny.write(tmp_path, clips, 1)
    index = dict(np.load(folder / "index.npz"))
    del index["frames_ir"]
    np.savez(folder / "index.npz", **index)
    batches = train_batches(tiny.config(tmp_path), INPUTS, 2, seed=0)
    with pytest.raises(DatasetError, match="'clip001' .* has no stream 'ir', which"):
        next(batches)


def test_shards_of_another_preparation_are_noticed(tmp_path):
    clips = [tiny.clip(i) for i in range(4)]
    folder = tiny.write(tmp_path, clips, 1)
    index = dict(np.load(folder / "index.npz"))
    index["name"] = index["name"][::-1]
    np.savez(folder / "index.npz", **index)
    batches = eval_batches(tiny.config(tmp_path), INPUTS, "test", 1)
    with pytest.raises(DatasetError, match="'clip000' .* holds the clip 'clip003'"):
        next(batches)
