"""Weights files: what torch wrote is read exactly; what is hostile is refused."""

import collections
import io
import os
import pickle
import subprocess
import zipfile

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from jaxact.backbones.public_weights import WeightsError, read_weights
from jaxact.weights import pickles
from tests.paths import GOLDEN


def write_zip(path, pickled: bytes, **members: bytes):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        for name, data in members.items():
            archive.writestr(f"archive/data/{name}", data)
    return path


def one_paragraph(error) -> str:
    text = str(error.value)
    assert "\n" not in text and len(text) < 800
    return text


@pytest.mark.parametrize("file", ["odd_zip.pt", "odd_legacy.pt"])
def test_torch_tensors_of_all_kinds_are_read(file):
    arrays = read_weights(GOLDEN / file)
    base = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    expected = {
        "turned": base.transpose(2, 0, 1),
        "part": base[:, 1:, ::2],
        "parameter": base[0],
        "half": (base.astype(np.float16) / np.float16(7)),
        "bfloat16": (base.astype(jnp.bfloat16) / jnp.bfloat16(7)),
        "int64": np.array(-(2**40)),
        "bool": np.array([True, False, True]),
        "empty": np.zeros((0, 3), np.float32),
        "float64": np.linspace(0, 1, 5),
    }
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        assert arrays[name].dtype == array.dtype, name
        np.testing.assert_array_equal(arrays[name], array, err_msg=name)


def test_the_nested_state_dict_is_found_and_equals_the_flat_one():
    nested = read_weights(GOLDEN / "timesformer_tiny.pyth")
    flat = read_weights(GOLDEN / "timesformer_tiny.safetensors")
    assert len(nested) == len(flat)
    np.testing.assert_array_equal(
        nested["model.blocks.2.temporal_fc.weight"],
        flat["timesformer.encoder.layer.2.temporal_dense.weight"],
    )


def test_safetensors_keep_their_precision(tmp_path):
    arrays = {"a": np.arange(3, dtype=np.float16), "b": np.ones(2, jnp.bfloat16)}
    save_file(arrays, tmp_path / "x.safetensors")
    read = read_weights(tmp_path / "x.safetensors")
    assert {k: v.dtype for k, v in read.items()} == {
        k: v.dtype for k, v in arrays.items()
    }


class Attack:
    """Unpickles by calling a function, as pickles may."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("where", ["zip", "legacy", "nested"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path, where, protocol):
    mark = tmp_path / "was_here"
    attack = Attack(os.system, f"touch {mark}")
    if where == "nested":
        attack = {"state_dict": {"a": attack}}
    data = pickle.dumps(attack, protocol)
    pickle.loads(pickle.dumps(attack))  # the attack works on the plain unpickler
    assert mark.exists()
    mark.unlink()

    path = tmp_path / "weights.pth"
    if where == "legacy":
        path.write_bytes(data)
    else:
        write_zip(path, data)
    with pytest.raises(WeightsError, match=r"(posix|nt)\.system") as error:
        read_weights(path)
    assert "executed" in one_paragraph(error)
    assert not mark.exists()


@pytest.mark.parametrize(
    "attack",
    [
        Attack(eval, "1"),
        Attack(getattr, [], "append"),
        Attack(subprocess.Popen, ["true"]),
        Attack(np.load, "x"),
        Attack(__import__, "os"),
        Attack(collections.Counter, "ab"),
    ],
    ids=["eval", "getattr", "Popen", "np.load", "import", "Counter"],
)
def test_every_name_outside_the_table_is_refused(attack):
    with pytest.raises(WeightsError, match="no part of an array"):
        pickles.load(io.BytesIO(pickle.dumps(attack)))


def test_a_name_with_dots_does_not_reach_through_an_admitted_one():
    stream = b"\x80\x04\x8c\x0bcollections\x8c\x16OrderedDict.__init__.x\x93."
    with pytest.raises(WeightsError, match=r"OrderedDict\.__init__"):
        pickles.load(io.BytesIO(stream))


@pytest.mark.parametrize("protocol", [2, 4])
def test_numpy_arrays_and_plain_values_are_read(protocol):
    value = {
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "big endian": np.arange(3, dtype=">i4"),
        "scalar": np.float32(2.5),
        "ordered": collections.OrderedDict(a=[1, "x", None, (2.0, True)]),
    }
    read = pickles.load(io.BytesIO(pickle.dumps(value, protocol)))
    np.testing.assert_array_equal(read["fortran"], value["fortran"])
    np.testing.assert_array_equal(read["big endian"], [0, 1, 2])
    assert read["scalar"] == 2.5
    assert read["ordered"] == {"a": [1, "x", None, [2.0, True]]}


def test_an_array_of_objects_is_refused():
    data = pickle.dumps(np.array([object], dtype=object))
    with pytest.raises(WeightsError, match="not of numbers"):
        pickles.load(io.BytesIO(data))


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [(0, (13,), (1,)), (10, (3,), (1,)), (0, (2, 7), (6, 1)), (-1, (2,), (1,))]
    + [(0, (3,), (-1,)), (0, (-3,), (1,)), (12, (1,), (1,))],
)
def test_a_tensor_cannot_reach_outside_its_storage(offset, size, stride):
    with pytest.raises(WeightsError, match="outside its storage"):
        pickles.strided(np.arange(12.0), offset, size, stride)


def test_a_tensor_within_its_storage_is_the_right_view():
    view = pickles.strided(np.arange(12), 1, (2, 3), (6, 2))
    np.testing.assert_array_equal(view, [[1, 3, 5], [7, 9, 11]])


@pytest.mark.parametrize(
    "file",
    ["odd_zip.pt", "odd_legacy.pt", "vit_hf.safetensors", "timesformer_tiny.pyth"],
)
@pytest.mark.parametrize("part", [0.1, 0.6, 0.99])
def test_truncated_files_give_one_paragraph(tmp_path, file, part):
    data = (GOLDEN / file).read_bytes()
    path = tmp_path / file
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(WeightsError, match=file) as error:
        read_weights(path)
    one_paragraph(error)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "truncated, or neither"),
        (b"<html>404 Not Found</html>" * 9, "truncated, or neither"),
        (bytes(range(256)) * 20, "truncated, or neither"),
        (pickle.dumps({"a": 1}), "no tensors were found in it; it holds a"),
        (pickle.dumps([1, 2]), "neither safetensors, nor a torch"),
    ],
)
def test_garbage_gives_one_paragraph(tmp_path, data, match):
    path = tmp_path / "weights.bin"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=match) as error:
        read_weights(path)
    one_paragraph(error)


def test_nested_dicts_of_numpy_arrays_are_read_as_paths(tmp_path):
    tree = {"params": {"a/b": {"kernel": np.ones((2, 3))}, "c": np.arange(3)}}
    path = tmp_path / "weights.ckpt"
    path.write_bytes(pickle.dumps(tree, 4))
    arrays = read_weights(path)
    assert arrays.keys() == {"params/a/b/kernel", "params/c"}
    np.testing.assert_array_equal(arrays["params/c"], np.arange(3))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"no weights file .*gone\.pth"):
        read_weights(tmp_path / "gone.pth")


def test_a_checkpoint_without_tensors_says_what_it_holds(tmp_path):
    path = write_zip(tmp_path / "x.pt", pickle.dumps({"epoch": 3, "lr": 0.1}, 2))
    with pytest.raises(WeightsError, match="it holds epoch, lr"):
        read_weights(path)
    with zipfile.ZipFile(tmp_path / "y.pt", "w") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(WeightsError, match="not one that torch.save wrote"):
        read_weights(tmp_path / "y.pt")
