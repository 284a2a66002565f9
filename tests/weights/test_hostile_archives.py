"""Archives of arrays that unfold to more than they should."""

import pathlib
import zipfile

import numpy as np
import pytest

from input_pipeline.dataset import DatasetError, PreparedDataset
from jaxact.errors import UserError
from jaxact.report import predictions as score_fusion
from tests.input_pipeline import tiny
from tests.weights.test_hostile import memory_of


def test_an_index_unfolds_to_no_more_than_its_rows(tmp_path):
    folder = tiny.write(tmp_path, [tiny.clip(i) for i in range(3)], 1)
    with np.load(folder / "index.npz") as file:
        index = dict(file)
    zeros = np.zeros(50_000_000, np.int64)  # 400 MB in 400 kB

    def opened(**columns):
        np.savez_compressed(folder / "index.npz", **(index | columns))
        return lambda: PreparedDataset.open(tmp_path, "tiny")

    assert memory_of(opened(unknown=zeros)) < 50
    for key in ("label", "frames_ir", "name"):
        call = opened(**{key: zeros})

        def refused(call=call, key=key):
            with pytest.raises(DatasetError, match=f"the column {key} unfolds to 4000"):
                call()

        assert memory_of(refused) < 50


def repacked(path: pathlib.Path, compression: int) -> None:
    """Packs an archive again in another way."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_archives_are_packed_as_numpy_packs_them(tmp_path, kind):
    """For Python reads too much of the other kinds at once."""
    folder = tiny.write(tmp_path, [tiny.clip(i) for i in range(3)], 1)
    repacked(folder / "index.npz", kind)
    with pytest.raises(DatasetError, match="damaged or cannot be read .the column"):
        PreparedDataset.open(tmp_path, "tiny")
    predictions(tmp_path / "predictions.npz")
    repacked(tmp_path / "predictions.npz", kind)
    with pytest.raises(UserError, match="holds no predictions"):
        score_fusion.read(tmp_path)


def predictions(path: pathlib.Path, **changes: np.ndarray) -> None:
    """Writes the predictions of two clips."""
    words = {key: np.array("x") for key in ("experiment", *score_fusion.SAME)}
    arrays = {
        "ids": np.arange(2),
        "names": np.array(["a", "b"]),
        "labels": np.array([0, 1]),
        "scores": np.full((2, 2), 0.5, np.float32),
        "classes": np.array(["sit", "wave"]),
    }
    np.savez_compressed(path, **(words | arrays | changes))


def test_predictions_unfold_to_no_more_than_is_sensible(tmp_path):
    zeros = np.zeros(400_000_000, np.uint8)
    predictions(tmp_path / "predictions.npz", unknown=zeros)
    assert memory_of(lambda: score_fusion.read(tmp_path)) < 50
    predictions(tmp_path / "predictions.npz", scores=zeros)

    def refused():
        with pytest.raises(UserError, match="unfolds to 4000.* bytes; at most 10"):
            score_fusion.read(tmp_path)

    assert memory_of(refused) < 50
