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
    del clips[1].streams["ir"]
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


def shard_of(folder, number):
    return sorted(folder.glob("*.tfrecord-*"))[number]


@pytest.mark.parametrize("training", [True, False])
def test_a_shard_that_vanishes_meanwhile_is_named(tmp_path, training):
    folder = tiny.write(tmp_path, [tiny.clip(i) for i in range(8)], 4, shards=2)
    # One worker and no more than one batch ahead: the later ones are read later.
    data = tiny.config(tmp_path, workers=1, prefetch=1)
    if training:
        batches = train_batches(data, INPUTS, 1, seed=0)
    else:
        batches = eval_batches(data, INPUTS, "test", 1)
    next(batches)
    shard = shard_of(folder, 0 if training else 1)
    size = shard.stat().st_size
    shard.rename(shard.with_suffix(".away"))
    with pytest.raises(DatasetError) as error:
        for _ in range(20):
            next(batches)
    text = str(error.value)
    assert f"The shard {shard} is missing; it should have {size} bytes." in text
    assert "The clip 'clip00" in text and "was to be read from it" in text
    assert "Bring the shard back; the same command then continues" in text


def test_a_shard_that_shrinks_meanwhile_is_named(tmp_path):
    folder = tiny.write(tmp_path, [tiny.clip(i) for i in range(8)], 4, shards=2)
    batches = eval_batches(
        tiny.config(tmp_path, workers=1, prefetch=1), INPUTS, "test", 1
    )
    next(batches)
    shard = shard_of(folder, 1)
    shard.write_bytes(shard.read_bytes()[:20])
    with pytest.raises(DatasetError, match=r"has 20 bytes; it should have \d+ bytes"):
        list(batches)


def test_a_record_cut_off_in_the_middle_is_named(tmp_path):
    """The file is as long as it should be: zeros stand where the record was."""
    folder = tiny.write(tmp_path, [tiny.clip(i) for i in range(4)], 2, shards=1)
    offset = int(np.load(folder / "index.npz")["offset"][3])
    shard = shard_of(folder, 0)
    content = shard.read_bytes()
    kept = offset + 100
    shard.write_bytes(content[:kept] + bytes(len(content) - kept))
    batches = eval_batches(tiny.config(tmp_path), INPUTS, "test", 1)
    next(batches)
    with pytest.raises(DatasetError) as error:
        next(batches)
    text = str(error.value)
    assert f"The record of clip 'clip003' ({shard}, byte {offset}) is damaged" in text
    assert "its length or checksum is wrong. Copy the shard again" in text


@pytest.mark.parametrize("cache_mb", [0, 1])
def test_a_damaged_record_is_named(tmp_path, cache_mb):
    folder = tiny.write(tmp_path, [tiny.clip(i) for i in range(6)], 2)
    shard = sorted(folder.glob("*.tfrecord*"))[0]
    data = bytearray(shard.read_bytes())
    at = len(data) // 2  # inside the second of three records
    data[at] ^= 0xFF
    shard.write_bytes(data)
    message = r"clip 'clip001' \(.*00000-of-00002, byte \d+\) is damaged: its length "
    config = tiny.config(tmp_path, cache_mb=cache_mb)
    with pytest.raises(DatasetError, match=message):
        next(train_batches(config, INPUTS, 4, seed=0))


def test_a_damaged_image_is_named(tmp_path):
    clips = [tiny.clip(i) for i in range(4)]
    damaged = clips[2].streams["ir"]
    damaged.frames = [frame[:100] for frame in damaged.frames]
    tiny.write(tmp_path, clips, 1)
    batches = train_batches(tiny.config(tmp_path), INPUTS, 3, seed=0)
    with pytest.raises(DatasetError, match="'clip002' .* cannot be decoded"):
        next(batches)
