"""Data sets with skeletons, from raw files to batches: layouts, lenses, manifests."""

import json
from pathlib import Path

import numpy as np
import pytest

from input_pipeline.builders.base import RawDataError
from input_pipeline.builders.clips import Clips
from input_pipeline.builders.ntu import Ntu60
from input_pipeline.config import DataConfig
from input_pipeline.dataset import PreparedDataset
from input_pipeline.encode import EncodeOptions
from input_pipeline.formats import ntu
from input_pipeline.formats.video import VideoOptions
from input_pipeline.pipeline import eval_batches, train_batches
from input_pipeline.prepare.__main__ import prepare
from tests.input_pipeline import raw
from tests.input_pipeline.test_lenses import camera
from tests.input_pipeline.test_pipeline import spec


def skeletons_only(folder: Path, joints: int = 20) -> Path:
    """A manifest of arrays, a table with a row a frame and one with a row a joint."""
    random = np.random.default_rng(0)
    lines = ["skeleton,label,split"]
    for i, split in enumerate(("train", "train", "train", "test")):
        points = random.uniform(1, 2, (9 + i, joints, 3)) * [1, 4, 1]
        name = folder / f"s{i}"
        if i == 0:
            np.save(f"{name}.npy", points)
        elif i == 1:
            np.save(f"{name}.npy", np.stack([points, points + 1]))
        elif i == 2:
            rows = [",".join(map(str, frame.ravel())) for frame in points]
            Path(f"{name}.csv").write_text("\n".join(rows))
        else:
            rows = [
                f"{frame},{joint},{x},{y},{z}"
                for frame, body in enumerate(points)
                for joint, (x, y, z) in enumerate(body)
            ]
            Path(f"{name}.csv").write_text("\n".join(["frame,joint,x,y,z", *rows]))
        lines.append(f"{name.name}.{'npy' if i < 2 else 'csv'},{'ab'[i % 2]},{split}")
    path = folder / "manifest.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def prepared(manifest: Path, out: Path, **options) -> dict:
    builder = Clips(
        raw=manifest,
        options=EncodeOptions(streams=("skeleton",)),
        data_dir=out,
        **options,
    )
    folder = prepare(builder, out, workers=1)
    return json.loads((folder / "dataset.json").read_text())


@pytest.mark.parametrize(
    ("joints", "said", "layout"),
    [(20, "", "kinect_v1"), (17, "coco", "coco"), (6, "", "")],
)
def test_a_manifest_may_hold_skeletons_alone(tmp_path, joints, said, layout):
    info = prepared(skeletons_only(tmp_path, joints), tmp_path, layout=said)
    facts = info["streams"]["skeleton"]
    assert (facts["joints"], facts["layout"]) == (joints, layout)
    assert facts["persons"] == 2 and facts["clips"] == 4 and "lenses" not in facts
    data = DataConfig("clips", str(tmp_path), flip=0.5 if layout else 0.0)
    inputs = {"skeleton": spec(2, 8, joints, 3, dtype=np.float32)}
    batch = next(train_batches(data, inputs, 3, seed=0))
    assert batch["skeleton"].shape == (3, 2, 8, joints, 3)
    assert np.isfinite(batch["skeleton"]).all()
    people = {
        int(i): bool(batch["skeleton"][row, 1].any())
        for row, i in enumerate(batch["id"])
    }
    names = PreparedDataset.open(tmp_path, "clips").names
    assert {str(names[i]) for i, two in people.items() if two} == {"s1"}
    assert next(eval_batches(data, inputs, "test", 1))["skeleton"][0, 0].all()


def test_the_layout_can_be_said(tmp_path, capsys):
    manifest = skeletons_only(tmp_path, 17)
    (tmp_path / "mine.json").write_text(
        json.dumps({"mirror": [*range(16, -1, -1)], "bones": [[0, 1]]})
    )
    info = prepared(manifest, tmp_path / "a", layout="none")
    assert info["streams"]["skeleton"]["layout"] == ""
    assert "17 joints; their layout: not known, so data.flip" in capsys.readouterr().out
    mine = str(tmp_path / "mine.json")
    facts = prepared(manifest, tmp_path / "b", layout=mine)["streams"]["skeleton"]
    assert facts["mirror"] == list(range(16, -1, -1)) and facts["bones"] == [[0, 1]]
    with pytest.raises(RawDataError, match="no joint layout 'kinect'"):
        prepared(manifest, tmp_path / "d", layout="kinect")


def test_a_layout_that_is_not_theirs_is_refused_before_anything_is_written(tmp_path):
    manifest = skeletons_only(tmp_path, 17)
    for layout, match in (
        ("kinect_v1", "'kinect_v1' has 20 joints, but the skeletons have 17"),
        ("", "17 joints may be coco or h36m: say which with --layout"),
    ):
        with pytest.raises(RawDataError, match=match):
            prepared(manifest, tmp_path, layout=layout)
    assert not list(tmp_path.rglob("*.tfrecord*"))
    assert prepared(manifest, tmp_path, layout="h36m")["num_clips"] == 4


def test_a_layout_is_corrected_without_writing_records_again(tmp_path, capsys):
    manifest = skeletons_only(tmp_path, 17)
    before = prepared(manifest, tmp_path, layout="coco")
    digest = PreparedDataset.open(tmp_path, "clips").digest()
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tfrecord*")}
    after = prepared(manifest, tmp_path, layout="h36m")
    assert "its joint layout is corrected" in capsys.readouterr().out
    assert after["streams"]["skeleton"]["layout"] == "h36m"
    assert after["streams"]["skeleton"]["mirror"][:2] == [0, 4]
    # A run that mirrored bodies in another way is not continued.
    assert PreparedDataset.open(tmp_path, "clips").digest() != digest
    after["streams"] = before["streams"]
    assert after == before
    assert written == {path: path.stat().st_mtime_ns for path in written}
    unknown = prepared(manifest, tmp_path, layout="none")["streams"]["skeleton"]
    assert unknown["layout"] == "" and "mirror" not in unknown
    # Said of nothing, it stays; so it does where the same is said.
    for layout in ("", "none"):
        prepared(manifest, tmp_path, layout=layout)
        assert "prepared already: nothing to do" in capsys.readouterr().out
    with pytest.raises(RawDataError, match="'kinect_v1' has 20 joints, but"):
        prepared(manifest, tmp_path, layout="kinect_v1")


def test_skeletons_of_two_kinds_are_refused(tmp_path):
    manifest = skeletons_only(tmp_path)
    np.save(tmp_path / "s0.npy", np.ones((9, 25, 3)))
    with pytest.raises(RawDataError, match="20 in 's.', 25 in 's0'. A data set has"):
        prepared(manifest, tmp_path)


def test_ntu_knows_its_joints_and_its_lenses(tmp_path):
    """Two cameras; of the one, what the files call pixels is of no lens."""
    random = np.random.default_rng(0)
    for name in raw.names(6):
        raw.write_video(tmp_path / "nturgb+d_rgb" / f"{name}_rgb.avi", 9)
        made = ntu.Skeletons.empty(1, 12)
        made.present[:] = True
        made.points[:] = random.uniform([-1, -1, 2], [1, 1, 4], made.points.shape)
        flat = made.points.reshape(-1, 3)
        seen = camera(flat) if "C001" in name else random.random((len(flat), 2))
        made.color_xy[:] = (seen * [1920, 1080]).reshape(made.color_xy.shape)
        (tmp_path / "nturgb+d_skeletons").mkdir(exist_ok=True)
        path = tmp_path / "nturgb+d_skeletons" / f"{name}.skeleton"
        ntu.write_skeleton(path, made)
    options = EncodeOptions(("rgb", "skeleton"), VideoOptions(short_side=16))
    builder = Ntu60(raw=tmp_path, options=options, data_dir=tmp_path)
    folder = prepare(builder, tmp_path, workers=1)
    facts = json.loads((folder / "dataset.json").read_text())["streams"]["skeleton"]
    assert facts["layout"] == "kinect_v2" and len(facts["bones"]) == 24
    assert facts["lenses"].keys() == {"1"} and facts["lenses"]["1"].keys() == {"rgb"}
    np.testing.assert_allclose(
        facts["lenses"]["1"]["rgb"],
        [[0.6, 0, 0.48, -0.03], [0, -0.66, 0.53, 0]],
        atol=1e-4,
    )
