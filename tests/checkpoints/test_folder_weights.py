"""The arrays of a model folder: their names, their types, and what is refused."""

import json

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file

from jaxact import errors, model_folder
from jaxact.checkpoints import folder_weights
from jaxact.devices import distributed
from tests import tiny

VARIABLES = {
    "params": {"head": {"kernel": np.arange(6.0, dtype="f4").reshape(2, 3).T}},
    "batch_stats": {"norm": {"mean": np.float32(3)}},
}


def written(folder, variables=VARIABLES):
    file = folder_weights.write(folder, variables)
    found = {"experiment": {}, "labels": [], "inputs": {}, "step": 0}
    size, checksum = file.stat().st_size, model_folder.sha256(file)
    found["weights"] = {"bytes": size, "sha256": checksum}
    text = json.dumps(model_folder.sealed(found))
    (folder / "config.json").write_text(text)
    return folder


def abstract(shape=(3, 2)):
    like = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), VARIABLES)
    like["params"]["head"]["kernel"] = jax.ShapeDtypeStruct(shape, np.float32)
    return distributed.abstract_on(like, tiny.mesh_of(1))


def test_names_are_flat_and_arrays_come_back(tmp_path):
    written(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    assert stored.keys() == {"params.head.kernel", "batch_stats.norm.mean"}
    assert stored["params.head.kernel"].tolist() == [[0, 3], [1, 4], [2, 5]]
    read = folder_weights.FolderWeights(tmp_path).restore_weights(0, abstract())
    np.testing.assert_array_equal(
        read["params"]["head"]["kernel"], [[0, 3], [1, 4], [2, 5]]
    )
    assert read["batch_stats"]["norm"]["mean"].shape == ()


def test_a_model_of_other_shapes_is_refused(tmp_path):
    source = folder_weights.FolderWeights(written(tmp_path))
    with pytest.raises(errors.UserError, match=r"checkpoint \(3, 2\), model \(2, 3\)"):
        source.restore_weights(0, abstract((2, 3)))


def test_an_array_that_is_not_finite_is_refused(tmp_path):
    bad = {"params": {"w": np.array([1, np.nan], "f4")}, "batch_stats": {}}
    with pytest.raises(errors.UserError, match="params.w in .* is not finite"):
        folder_weights.read(written(tmp_path, bad))


def test_a_file_of_another_format_is_refused(tmp_path):
    file = written(tmp_path) / "model.safetensors"
    file.write_bytes(b"no safetensors")
    found = json.loads((tmp_path / "config.json").read_text()) | {
        "weights": {"bytes": 14, "sha256": model_folder.sha256(file)}
    }
    text = json.dumps(found | {"digest": model_folder.digest(found)})
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(errors.UserError, match="is no safetensors file"):
        folder_weights.read(tmp_path)
