"""Weights files: what torch wrote is read exactly; what is hostile is refused."""

import json
import pickle
import struct
import zipfile

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from jaxact.backbones.public_weights import WeightsError, read_weights
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


@pytest.mark.parametrize("kind", ["F8_E4M3", "F8_E5M2", "F4", "F6_E2M3", "Q4_K"])
@pytest.mark.parametrize("name", ["x.safetensors", "weights.bin"])
def test_safetensors_of_numbers_that_are_not_read_are_called_by_them(
    tmp_path, kind, name
):
    entries = {"a": ("F32", 0, 8), "b": (kind, 8, 10)}
    header = json.dumps(
        {
            k: {"dtype": d, "shape": [2], "data_offsets": at}
            for k, (d, *at) in entries.items()
        }
    ).encode()
    (tmp_path / name).write_bytes(struct.pack("<Q", len(header)) + header + bytes(10))
    with pytest.raises(WeightsError, match=f"b is of {kind}, .*read are F64, F32") as e:
        read_weights(tmp_path / name)
    one_paragraph(e)
    assert "truncated" not in str(e.value)


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
        (b"<html>404 Not Found</html>" * 9, "holds none: it is a web page"),
        (b"\n<!DOCTYPE html><html>", "holds none: it is a web page"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "holds none: .* git lfs pull",
        ),
        (b"\x89HDF\r\n\x1a\n" * 9, "holds none: it is of Keras or HDF5"),
        (b"\x1f\x8b\x08\0" * 9, "holds none: it is compressed. Unpack it"),
        (b"BZh91AY&SY" * 9, "holds none: it is compressed. Unpack it, bunzip2"),
        (b"GGUF\3\0\0\0" * 9, "holds none: it is of GGUF"),
        (b"\x93NUMPY\1\0v\0{" * 9, "holds none: it is one array of NumPy"),
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
