"""Other data sets to manifests."""

import csv

import numpy as np
import pytest

from input_pipeline.builders.clips import Clips
from input_pipeline.conversions import precog
from input_pipeline.encode import EncodeOptions


def sequence(actions: list[int], value: float = 0.5) -> str:
    """A file of the set: a header of joints, a row a frame; x grows with the frame."""
    header = "; ".join(f"Joint{i}" for i in range(20))
    rows = [
        ";".join([f"{value + frame} {i} 3.25" for i in range(20)] + [str(action)])
        for frame, action in enumerate(actions)
    ]
    return "\n".join([header, *rows]) + "\n"


def test_precog_becomes_a_manifest(tmp_path):
    raw, out = tmp_path / "raw", tmp_path / "out"
    raw.mkdir()
    # A slip of one frame in the middle of nothing, then two actions back to back.
    first = [0] * 3 + [2] + [0] * 2 + [2] * 7 + [8] * 5 + [0]
    (raw / "Seq1_8.csv").write_text(sequence(first))
    (raw / "Seq6_12.csv").write_text(sequence([1] * 9))
    (raw / "notes.csv").write_text("no sequence")
    assert precog.convert(raw, out) == 3
    with (out / "manifest.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["skeleton", "label", "split", "subject"],
        ["Seq1_8_1.npy", "left punch", "train", "8"],
        ["Seq1_8_2.npy", "elbow strike", "train", "8"],
        ["Seq6_12_1.npy", "right punch", "test", "12"],
    ]
    points = np.load(out / "Seq1_8_1.npy")
    assert points.shape == (7, 20, 3) and points.dtype == np.float32
    np.testing.assert_allclose(points[0, 4], [6.5, 4, 3.25])
    options = EncodeOptions(streams=("skeleton",))
    builder = Clips(raw=out / "manifest.csv", options=options, data_dir=tmp_path)
    clip = builder.clips()[1]
    assert (clip.subject, clip.splits) == (8, {"manifest": "train"})
    assert builder.layout(20).name == "kinect_v1"


@pytest.mark.parametrize(
    ("line", "number"),
    [("1 2 3;" * 20 + "9", 4), ("1 2 3;" * 19 + "1", 4), ("1 2 3;" * 20 + "x", 4)],
)
def test_damaged_sequences_are_named_by_line(tmp_path, line, number):
    (tmp_path / "Seq1_1.csv").write_text(sequence([1, 1]) + line + "\n")
    with pytest.raises(precog.ConversionError, match=f"Seq1_1.csv, line {number}: "):
        precog.convert(tmp_path, tmp_path / "out")


def test_a_folder_without_sequences_is_refused(tmp_path):
    with pytest.raises(precog.ConversionError, match="There is no SeqN_S.csv"):
        precog.convert(tmp_path, tmp_path / "out")
