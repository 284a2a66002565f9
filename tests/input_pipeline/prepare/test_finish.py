"""What a finished folder holds, and an end that was interrupted."""

import io

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from input_pipeline import records
from input_pipeline.dataset import DatasetError, PreparedDataset
from input_pipeline.prepare import finish
from tests.input_pipeline.prepare.small import CLIPS, SHARDS, Broken, contents, run


def test_what_lies_in_a_finished_folder(whole):
    assert sorted(contents(whole)) == [
        "dataset.json",
        "dataset_info.json",
        "failed.csv",
        "features.json",
        "index.npz",
        "noted.csv",
        *(f"ntu60-clips.tfrecord-0000{i}-of-00003" for i in range(SHARDS)),
    ]
    data = PreparedDataset.open(whole.parent.parent, "ntu60")
    assert len(data) == CLIPS
    assert data.streams["ir"]["short_side"] == 16
    assert (whole / "failed.csv").read_text() == "name,path,stream,reason\n"
    # Visible and infrared video of six clips differ by more than a tenth in length.
    assert (whole / "noted.csv").read_text().count("of different durations") == 6


def test_tfds_reads_the_same_examples(whole):
    builder = tfds.builder_from_directory(str(whole))
    assert builder.info.splits["clips"].num_examples == CLIPS
    paths = sorted(str(path) for path in whole.glob("*.tfrecord-*"))
    stored = [
        records.decode(serialized.numpy())
        for serialized in tf.data.TFRecordDataset(paths)
    ]
    config = tfds.ReadConfig(interleave_cycle_length=1)
    examples = list(builder.as_dataset(split="clips", read_config=config))
    assert len(examples) == CLIPS
    for example, record in zip(examples, stored, strict=True):
        assert example["name"].numpy().decode() == record.name
        assert example["label"].numpy() == record.label
        assert example["ir"]["frames"].shape == (8, 16, 24, 1)
        image = np.asarray(Image.open(io.BytesIO(record.streams["rgb"].frames[3])))
        difference = example["rgb"]["frames"][3].numpy().astype(int) - image
        assert np.abs(difference).mean() < 2  # two decoders of JPEG
        points = example["skeleton"]["points"].numpy().reshape(1, 12, 25, 3)
        np.testing.assert_array_equal(points, record.streams["skeleton"].points)
        assert example["rgb"]["actor_box"].shape == (0,)


@pytest.mark.parametrize("step", ["_write_tfds", "_index", "write_text", "sync"])
def test_interrupted_at_the_end_and_run_again(
    raw_dir, whole, tmp_path, monkeypatch, step
):
    def broken(*_):
        raise Broken

    with monkeypatch.context() as patch:
        patch.setattr(finish, step, broken)
        with pytest.raises(Broken):
            run(raw_dir, tmp_path)
    with pytest.raises(DatasetError, match="half prepared"):
        PreparedDataset.open(tmp_path, "ntu60")
    assert contents(run(raw_dir, tmp_path)) == contents(whole)
