"""Opening a prepared data set: what it tells, and what it says when it is not whole."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from input_pipeline import records
from input_pipeline.builders.ntu import Ntu60
from input_pipeline.dataset import DatasetError, PreparedDataset
from input_pipeline.encode import EncodeOptions
from input_pipeline.prepare.__main__ import prepare
from tests.input_pipeline import raw


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """A data directory with ten clips of NTU RGB+D, all streams."""
    folder = tmp_path_factory.mktemp("dataset")
    raw.ntu_tree(folder / "raw", 10)
    builder = Ntu60(raw=folder / "raw", options=EncodeOptions(), data_dir=folder)
    prepare(builder, folder / "data", shards=3, workers=1)
    return folder / "data"


@pytest.fixture
def copy(prepared, tmp_path) -> Path:
    """The same, to be damaged; returns the version's folder."""
    shutil.copytree(prepared, tmp_path / "data")
    return tmp_path / "data" / "ntu60" / "1.0.0"


def open_copy(folder: Path) -> PreparedDataset:
    return PreparedDataset.open(folder.parent.parent, "ntu60")


def test_facts_and_index(prepared):
    data = PreparedDataset.open(prepared, "ntu60")
    assert (data.name, data.version, len(data)) == ("ntu60", "1.0.0", 10)
    assert sorted(data.names) == sorted(raw.names(10))
    assert len(data.classes) == 60 and data.default_protocol == "xview"
    assert data.difficulties == [] and not data.has_truth
    assert data.streams["rgb"]["short_side"] == 256
    assert data.streams["skeleton"]["joints"] == 25
    assert data.streams["rgb"]["min_frames"] == 8
    assert data.streams["rgb"]["max_frames"] == 10
    for name, camera, label in zip(
        data.names, data.index["camera"], data.labels, strict=True
    ):
        assert (int(name[5:8]), int(name[17:20]) - 1) == (camera, label)
    assert data.index["offset"].dtype == np.int64
    assert data.index["split_xview"].dtype == np.int8


def test_other_contents_make_another_digest(copy):
    data = open_copy(copy)
    info = json.loads((copy / "dataset.json").read_text())
    assert open_copy(copy).digest() == data.digest()
    info["shards"][1]["bytes"] += 8
    assert dataclasses.replace(data, info=info).digest() != data.digest()


def test_staged_worlds_differ_in_their_title(copy):
    data = open_copy(copy)
    assert data.title == f"{data.name} {data.version}"
    titles = {
        dataclasses.replace(data, info=data.info | {"plan": {"world": world}}).title
        for world in ({"intruding": 0.5}, {"intruding": 0.25})
    }
    assert len(titles) == 2
    assert all(title.startswith(f"{data.title} (world ") for title in titles)


def test_rows_of_a_split_follow_the_official_rule(prepared):
    data = PreparedDataset.open(prepared, "ntu60")
    cameras = data.index["camera"]
    assert set(cameras[data.rows("xview", "test")]) == {1}
    assert set(cameras[data.rows("", "train")]) == {2, 3}
    subjects = data.index["subject"]
    assert set(subjects[data.rows("xsub", "train")]) <= {1, 2, 4, 5}
    assert set(subjects[data.rows("xsub", "test")]) == {3}
    assert set(subjects[data.rows("xsub_dev", "val")]) == {2}
    for protocol, counts in data.protocols.items():
        assert sum(counts.values()) == len(data)
        for split, count in counts.items():
            if count:
                assert len(data.rows(protocol, split)) == count


@pytest.mark.parametrize(
    ("protocol", "split", "match"),
    [
        ("xset", "train", "no protocol 'xset'. It has: xview, xsub, xsub_dev"),
        ("xsub", "training", "no split 'training'; splits are train, test, val"),
        ("xsub", "val", "No clip .* split 'val' .*train: 7, test: 3, val: 0"),
    ],
)
def test_unknown_protocols_and_splits_list_what_there_is(
    prepared, protocol, split, match
):
    with pytest.raises(DatasetError, match=match):
        PreparedDataset.open(prepared, "ntu60").rows(protocol, split)


def test_offsets_lead_to_the_record_of_that_name(prepared):
    data = PreparedDataset.open(prepared, "ntu60")
    for row in range(len(data)):
        path = data.shard_paths[data.index["shard"][row]]
        # TensorFlow verifies the checksums of length and data.
        reader = tf.raw_ops.TFRecordDatasetV2(
            filenames=tf.constant([str(path)]),
            compression_type="",
            buffer_size=0,
            byte_offsets=tf.constant([data.offsets[row]], tf.int64),
        )
        element = {"output_types": [tf.string], "output_shapes": [tf.TensorShape([])]}
        serialized = tf.raw_ops.DatasetToSingleElement(
            dataset=tf.raw_ops.TakeDataset(input_dataset=reader, count=1, **element),
            **element,
        )[0].numpy()
        assert len(serialized) == data.index["length"][row]
        with path.open("rb") as file:
            file.seek(data.offsets[row] + 12)
            assert file.read(len(serialized)) == serialized
        record = records.decode(serialized)
        assert record.name == data.names[row]
        assert record.label == data.labels[row]


def test_a_flipped_byte_is_noticed(copy):
    data = open_copy(copy)
    path = data.shard_paths[0]
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    with pytest.raises(tf.errors.DataLossError):
        list(tf.data.TFRecordDataset([str(path)]))


def test_missing_folder_says_how_to_get_the_data(tmp_path):
    with pytest.raises(DatasetError) as caught:
        PreparedDataset.open(tmp_path / "nowhere", "ntu60")
    text = str(caught.value)
    assert f"{tmp_path / 'nowhere'} does not exist" in text
    assert "request form" in text and "IR videos" in text and "\n" not in text
    assert (
        f"input_pipeline.prepare ntu60 --raw RAW --out {tmp_path / 'nowhere'}" in text
    )
    with pytest.raises(DatasetError, match="prepare synthetic --out"):
        PreparedDataset.open(tmp_path, "synthetic")
    with pytest.raises(DatasetError, match="clips --manifest MANIFEST.csv --name mine"):
        PreparedDataset.open(tmp_path, "mine")


def test_half_prepared_is_not_taken_for_whole(copy):
    (copy / "dataset.json").unlink()
    with pytest.raises(DatasetError, match="half prepared.*goes on where it stopped"):
        open_copy(copy)


def test_newest_finished_version_is_taken(copy):
    for version in ("1.2.0", "1.10.0"):
        shutil.copytree(copy, copy.parent / version)
        path = copy.parent / version / "dataset.json"
        info = json.loads(path.read_text()) | {"version": version}
        path.write_text(json.dumps(info))
    (copy.parent / "2.0.0").mkdir()
    assert open_copy(copy).version == "1.10.0"
    root = copy.parent.parent
    assert PreparedDataset.open(root, "ntu60", "1.2.0").version == "1.2.0"
    with pytest.raises(DatasetError, match="2.0.0 is only half prepared"):
        PreparedDataset.open(root, "ntu60", "2.0.0")
    with pytest.raises(DatasetError, match="no version '3.0.0'; it has 1.0.0, 1.10.0"):
        PreparedDataset.open(root, "ntu60", "3.0.0")


def test_another_format_is_refused(copy):
    info = json.loads((copy / "dataset.json").read_text())
    (copy / "dataset.json").write_text(json.dumps(info | {"format": 99}))
    with pytest.raises(DatasetError, match="its format is 99, this one reads 1"):
        open_copy(copy)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format'])
def test_damaged_facts(copy, text):
    (copy / "dataset.json").write_text(text)
    with pytest.raises(DatasetError, match=r"dataset.json is damaged"):
        open_copy(copy)


@pytest.mark.parametrize("cut", [0, 100, 900])
def test_damaged_index(copy, cut):
    path = copy / "index.npz"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DatasetError, match=r"index.npz is damaged or cannot be read"):
        open_copy(copy)


def rewrite_index(folder: Path, **columns) -> None:
    with np.load(folder / "index.npz") as file:
        np.savez_compressed(folder / "index.npz", **(dict(file) | columns))


def rewrite_info(folder: Path, **changes) -> None:
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("split", "code", "match"),
    [
        (
            "test",
            0,
            "'xsub' has clips {'train': 8, 'test': 2} here, but {'train': 7, 'te",
        ),
        ("train", -1, "'xsub' has clips {'train': 6, 'test': 3} here"),
        ("train", 3, "splits of protocol 'xsub' are 0 to 3, of -1 to 2"),
        ("train", -2, "splits of protocol 'xsub' are -2 to 1, of -1 to 2"),
    ],
)
def test_splits_that_are_not_those_of_the_facts(copy, split, code, match):
    data = open_copy(copy)
    codes = data.index["split_xsub"].copy()
    codes[data.rows("xsub", split)[0]] = code
    rewrite_index(copy, split_xsub=codes)
    with pytest.raises(DatasetError, match=match) as caught:
        open_copy(copy)
    assert "index.npz is damaged" in str(caught.value)
    assert f"delete {copy} and prepare it again" in str(caught.value)


def test_counts_that_are_not_those_of_the_index(copy):
    protocols = open_copy(copy).protocols
    more = protocols["xsub"] | {"val": 1}
    rewrite_info(copy, protocols=protocols | {"xsub": more})
    with pytest.raises(DatasetError, match="but {'train': 7, 'test': 3, 'val': 1} in"):
        open_copy(copy)
    rewrite_info(copy, protocols=protocols | {"xsub": {"train": 7, "tset": 3}})
    with pytest.raises(DatasetError, match="'tset': 3} in dataset.json"):
        open_copy(copy)
    # A split without clips need not be named.
    rewrite_info(copy, protocols=protocols | {"xsub": {"train": 7, "test": 3}})
    assert len(open_copy(copy).rows("xsub", "train")) == 7


def test_more_clips_than_the_shards_can_hold(copy):
    rewrite_info(copy, num_clips=10**9)
    with pytest.raises(DatasetError, match="what it says of clips, shards or splits"):
        open_copy(copy)


def test_missing_and_short_shards(copy):
    shard = open_copy(copy).shard_paths[1]
    size = shard.stat().st_size
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(DatasetError, match=f"has {size - 1} bytes.*have {size} bytes"):
        open_copy(copy)
    shard.unlink()
    with pytest.raises(DatasetError, match="00001-of-00003 is missing"):
        open_copy(copy)


def test_opening_needs_no_tensorflow(prepared):
    script = (
        "import sys\n"
        "from input_pipeline.dataset import PreparedDataset\n"
        f"data = PreparedDataset.open({str(prepared)!r}, 'ntu60')\n"
        "assert len(data.rows('xsub', 'train')) == 7\n"
        "heavy = {'tensorflow', 'tensorflow_datasets', 'jax'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
