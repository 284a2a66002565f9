"""The table of streams, and depth all the way: raw files, records, batches."""

import ast
import io
import types

import numpy as np
import pytest
from PIL import Image

from input_pipeline import differences, readers, records, streams
from input_pipeline.config import DataConfig
from input_pipeline.dataset import PreparedDataset
from input_pipeline.pipeline import eval_batches, train_batches
from input_pipeline.prepare import __main__ as command
from input_pipeline.streams import STREAMS
from tests.input_pipeline import raw
from tests.paths import ROOT

H, W, FRAMES = 12, 17, 4


def spec(*shape, dtype=np.uint8):
    return types.SimpleNamespace(shape=shape, dtype=dtype)


def test_rows_of_the_table_fit_together():
    for name, stream in STREAMS.items():
        assert stream.name == name
        assert STREAMS[stream.stored].made_from == ""
        assert callable(getattr(readers, STREAMS[stream.stored].reader))
    frames = differences.FRAMES - 1
    assert STREAMS["rgb_diff"].channels == frames * STREAMS["rgb"].channels
    assert streams.written(["depth", "rgb"]) == ("rgb", "ir", "depth", "skeleton")
    assert streams.source("rgb_diff") == "rgb" and streams.source("flow") == "flow"


def test_nothing_else_names_a_stream():
    """Beside the table: those that say which files are a data set's, or draw some."""
    folder = ROOT / "input_pipeline"
    own = [folder / name for name in ("builders", "synthetic", "conversions")]
    found = [
        f"{path.name}:{node.lineno}"
        for path in sorted(folder.rglob("*.py"))
        if path.name != "streams.py" and not any(p in own for p in path.parents)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in tuple(STREAMS)
    ]
    assert found == []


def test_a_record_has_features_of_its_sets_streams():
    bare = records.Record(name="x", label=1)
    old = records.to_features(bare)
    assert not any(key.startswith("depth/") for key in old)
    new = records.to_features(bare, ("rgb", "depth"))
    assert new.keys() - old.keys() == {
        *("depth/frames", "depth/height", "depth/width"),
        *("depth/actor_visible", "depth/actor_box"),
    }
    assert records.decode(records.encode(bare, ("depth",))) == bare
    bare.streams["depth"] = records.Video([b"far", b"near"], 3, 4)
    assert records.decode(records.encode(bare)) == bare


def depth_maps(seed: int) -> np.ndarray:
    """Millimetres [t h w], some not measured; the first pixel of each is its time."""
    maps = np.random.default_rng(seed).integers(500, 60_000, (FRAMES, H, W))
    maps[:, ::3, 1::2] = 0
    maps[:, 0, 0] = 1000 + np.arange(FRAMES)
    return maps.astype(np.uint16)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A set of a manifest's clips, rgb and depth; the last has no depth."""
    root = tmp_path_factory.mktemp("depth")
    lines = ["rgb,depth,label,split"]
    for i in range(4):
        colours = np.random.default_rng(9 + i).integers(0, 256, (FRAMES, H, W, 3))
        raw.write_video(root / f"v{i}.avi", colours.astype(np.uint8))
        (root / f"d{i}").mkdir()
        for number, image in enumerate(depth_maps(i)):
            Image.fromarray(image).save(root / f"d{i}" / f"{number}.png")
        split, depth = ("train", f"d{i}") if i < 3 else ("test", "")
        lines.append(f"v{i}.avi,{depth},{i % 2},{'val' if i == 2 else split}")
    (root / "m.csv").write_text("\n".join(lines) + "\n")
    command.main(
        ["clips", "--manifest", str(root / "m.csv"), "--out", str(root / "out")]
        + ["--min_frames", "2", "--workers", "1", "--max_failed", "0"]
    )
    return root / "out"


def colours(dataset: PreparedDataset, number: int) -> np.ndarray:
    """The stored frames of clip ``number``, uint8 [t h w 3]."""
    row = dataset.names.tolist().index(f"v{number}")
    shard = dataset.shard_paths[dataset.index["shard"][row]].read_bytes()
    start = int(dataset.offsets[row]) + 12
    record = records.decode(shard[start : start + int(dataset.index["length"][row])])
    frames = record.video("rgb").frames
    return np.stack([np.asarray(Image.open(io.BytesIO(frame))) for frame in frames])


def config(root, **changes):
    values = dict(name="clips", dir=str(root), resize_min=H, resize_max=H)
    return DataConfig(**(values | dict(test_resize=H, workers=1) | changes))


INPUTS = {
    "rgb": spec(FRAMES, H, H, 3),
    "depth": spec(FRAMES, H, H, 1, dtype=np.uint16),
}


def test_depth_is_stored_as_it_was_measured(prepared):
    dataset = PreparedDataset.open(prepared, "clips")
    assert dataset.streams["depth"]["clips"] == 3
    assert dataset.streams["depth"]["channels"] == 1
    assert "quality" not in dataset.streams["depth"]
    assert dataset.index["frames_depth"].tolist().count(FRAMES) == 3
    batch = next(eval_batches(config(prepared), INPUTS, "val", 1))
    assert batch["depth"].dtype == np.uint16
    # Frames of the model's short side, so that nothing is resized: the centre crop.
    left = round((W - H) / 2)
    np.testing.assert_array_equal(
        batch["depth"][0, ..., 0], depth_maps(2)[:, :, left : left + H]
    )


def test_depth_is_resized_by_whole_pixels(prepared):
    inputs = {"depth": spec(FRAMES, 6, 8, 1, dtype=np.uint16)}
    data = config(prepared, test_resize=8)
    batch = next(eval_batches(data, inputs, "val", 1))
    # 6 x 8 pixels of a short side of 8 show 9 x 12 of the stored 12 x 17, the centre;
    # the centre of new pixel i lies in (2 i + 1) * 9 // 12 and (2 i + 1) * 12 // 16.
    rows, columns = [0, 2, 3, 5, 6, 8], [0, 2, 3, 5, 6, 8, 9, 11]
    part = depth_maps(2)[:, 2 : 2 + 9, 2 : 2 + 12]
    np.testing.assert_array_equal(
        batch["depth"][0, ..., 0], part[:, rows][:, :, columns]
    )
    assert "present" not in batch


def test_depth_shares_crop_and_flip_with_colours(prepared):
    """Of both streams one of the same windows, mirrored or not, is shown."""
    batches = train_batches(config(prepared), INPUTS, 2, seed=3)
    alone = train_batches(config(prepared), {"rgb": INPUTS["rgb"]}, 2, seed=3)
    seen = set()
    dataset = PreparedDataset.open(prepared, "clips")
    for _ in range(8):
        batch, plain = next(batches), next(alone)
        np.testing.assert_array_equal(batch["rgb"], plain["rgb"])
        for row in range(2):
            number = int(dataset.names[batch["id"][row]].removeprefix("v"))
            maps, found = depth_maps(number), []
            for left in range(W - H + 1):
                part = maps[:, :, left : left + H]
                for flipped, view in ((False, part), (True, part[:, :, ::-1])):
                    if np.array_equal(batch["depth"][row, ..., 0], view):
                        found.append((left, flipped))
            (place,) = found
            seen.add(place)
            # Colours came from the same window: no other one is nearly as like them.
            errors = {
                (left, flipped): np.abs(batch["rgb"][row] - view.astype(float)).mean()
                for left in range(W - H + 1)
                for part in (colours(dataset, number)[:, :, left : left + H],)
                for flipped, view in ((False, part), (True, part[:, :, ::-1]))
            }
            assert min(errors, key=errors.get) == place
            assert errors[place] < 2
    assert len(seen) > 4 and {flipped for _, flipped in seen} == {False, True}
