"""An index of shards, as Hugging Face writes for large models, and its files."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from jaxact.weights.keymap import KeyMap, Rule, WeightsError, convert
from jaxact.weights.readers import read_weights

ARRAYS = {f"layer{i}.weight": np.full((2, 3), i, np.float32) for i in range(5)}
SHARDS = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]


@pytest.fixture
def folder(tmp_path):
    """Two shards and their index; layers 0, 2, 4 lie in the first one."""
    weight_map = {name: SHARDS[i % 2] for i, name in enumerate(ARRAYS)}
    for shard in SHARDS:
        part = {n: ARRAYS[n] for n, place in weight_map.items() if place == shard}
        save_file(part, tmp_path / shard)
    index = {"metadata": {"total_size": 120}, "weight_map": weight_map}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    return tmp_path


def change(folder, **places):
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"] |= places
    path.write_text(json.dumps(index))
    return path


@pytest.mark.parametrize("name", ["model.safetensors.index.json", "."])
def test_an_index_gives_the_arrays_of_all_shards(folder, name):
    found = read_weights(folder / name)
    assert found.keys() == ARRAYS.keys()
    for key, array in ARRAYS.items():
        np.testing.assert_array_equal(found[key], array)


def test_shards_that_do_not_fit_their_index(folder):
    def refused(path, match):
        with pytest.raises(WeightsError, match=match):
            read_weights(path)

    refused(
        folder / SHARDS[1], "shard 2 of 2. Give the index .* model.safetensors.index"
    )
    index = folder / "model.safetensors.index.json"
    whole = index.read_text()
    refused(change(folder, extra=SHARDS[0]), "extra is not in the shard model-00001")
    index.write_text(whole)
    refused(
        change(folder, **{"layer0.weight": SHARDS[1]}), "layer0.weight is not in the"
    )
    index.write_text(whole)
    refused(
        change(folder, extra="../secret"), "names the shard '../secret', which is no"
    )
    index.write_text(whole)
    refused(change(folder, extra=index.name), "which is no file beside it")
    for text in ("[]", "{}", '{"weight_map": 3}', "no json", '{"weight_map": []}'):
        index.write_text(text)
        refused(index, "it is no index of shards")
    index.write_text(whole)
    (folder / SHARDS[1]).unlink()
    refused(index, "its shard model-00002-of-00002.safetensors is not beside it.*all 2")


def test_damaged_shards_are_no_crash(folder):
    (folder / SHARDS[0]).write_bytes((folder / SHARDS[0]).read_bytes()[:50])
    with pytest.raises(WeightsError, match="damaged or incomplete"):
        read_weights(folder / "model.safetensors.index.json")


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_weights_that_are_not_finite_are_refused(wrong, dtype):
    array = np.ones((2, 3), dtype)
    keymap = KeyMap("test", (Rule("a", ("b.weight",), np.transpose),))
    target = {"a": np.zeros((3, 2), np.float32)}
    filled, _ = convert({"b.weight": array}, target, keymap)
    assert (filled["a"] == 1).all()
    array[1, 2] = wrong
    with pytest.raises(
        WeightsError, match=r"b.weight \[2, 3\] has 1 of 6 numbers that"
    ):
        convert({"b.weight": array}, target, keymap)
