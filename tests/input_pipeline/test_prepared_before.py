"""A data set that was prepared before still gives the batches that it gave."""

import numpy as np

from input_pipeline import records
from input_pipeline.config import DataConfig
from input_pipeline.dataset import PreparedDataset
from input_pipeline.pipeline import eval_batches, train_batches
from tests.golden import make_prepared
from tests.paths import ROOT

GOLDEN = ROOT / "tests" / "golden"
DATA = make_prepared.DATA | {"dir": str(GOLDEN / "prepared")}


def check(batch, name):
    """Compares with the arrays of before; pixels may round differently elsewhere."""
    with np.load(GOLDEN / "prepared_batches.npz") as golden:
        before = {
            key.removeprefix(f"{name}/"): golden[key]
            for key in golden.files
            if key.startswith(f"{name}/")
        }
    assert {"rgb", "ir", "rgb_diff", "skeleton", "label", "mask", "id"} == before.keys()
    for key, value in before.items():
        assert batch[key].dtype == value.dtype, key
        pixels = {"uint8": 1, "int16": 2}.get(str(value.dtype), 0)
        tolerance = dict(rtol=1e-5, atol=pixels or 1e-6)
        np.testing.assert_allclose(
            batch[key].astype(np.float64), value, **tolerance, err_msg=key
        )


def test_training_batches_are_those_of_before():
    batches = train_batches(
        DataConfig(**DATA, flip=0.0), make_prepared.INPUTS, 2, seed=5
    )
    for i in range(3):
        check(next(batches), f"train{i}")


def test_evaluation_batches_are_those_of_before():
    data = DataConfig(**DATA, eval_views_time=2)
    check(next(eval_batches(data, make_prepared.INPUTS, "test", 2)), "test")


def test_a_stream_missing_before_is_zeros_where_that_is_allowed():
    """The split val is one clip, without infrared; it has nothing of depth."""
    data = DataConfig(**DATA, allow_missing=True)
    batch = next(eval_batches(data, make_prepared.INPUTS, "val", 1))
    assert batch["present"].tolist() == [[True, False, True, True]]
    assert batch["rgb"].any() and not batch["ir"].any()


def test_records_are_written_byte_for_byte_as_before():
    dataset = PreparedDataset.open(GOLDEN / "prepared", "before")
    assert dataset.digest() == "2a48bd515fdcb926"
    for row in range(len(dataset)):
        shard = dataset.shard_paths[dataset.index["shard"][row]].read_bytes()
        start = int(dataset.offsets[row]) + 12
        stored = shard[start : start + int(dataset.index["length"][row])]
        record = records.decode(stored)
        assert record.name == dataset.names[row]
        assert records.encode(record) == stored
