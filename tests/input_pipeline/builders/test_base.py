"""Which clips a data set has, with which labels, splits and files."""

import dataclasses
import json
import pickle
from collections import Counter
from pathlib import Path

from input_pipeline.builders.clips import Clips
from input_pipeline.builders.synthetic import Synthetic
from input_pipeline.encode import EncodeOptions
from tests.input_pipeline import raw

ALL = EncodeOptions()


def staged(folder: Path, difficulties: list[str]) -> str:
    """One clip of a staged world, whose actor is seen in every other frame."""
    (name,) = raw.ntu_tree(folder, 1)
    (folder / "truth").mkdir()
    truth = {"difficulty": ["dark", "late"]}
    for stream, frames in (("rgb", 8), ("ir", 8)):
        truth[stream] = {
            "visible": [i % 2 == 0 for i in range(frames)],
            "box": [[0.1, 0.2, 0.3, 0.4]] * frames,
        }
    (folder / "truth" / f"{name}.json").write_text(json.dumps(truth))
    world = {"classes": ["sit", "stand"], "difficulties": difficulties}
    (folder / "world.json").write_text(json.dumps(world | {"complete": True}))
    return name


def manifest(folder: Path, text: str) -> Path:
    path = folder / "m.csv"
    path.write_text(text)
    return path


def read(path: Path, streams=("rgb", "ir"), **options) -> Clips:
    return Clips(
        raw=path,
        options=EncodeOptions(streams=streams),
        data_dir=path.parent,
        **options,
    )


def test_builders_travel_to_other_processes(tmp_path):
    path = manifest(tmp_path, "rgb,label,split\na.avi,0,train\n")
    builder = read(path, ("rgb",), name="mine")
    other = pickle.loads(pickle.dumps(builder))
    assert other.name == "mine" and other.clips() == builder.clips()


def test_builders_leave_options_as_they_were(tmp_path):
    staged(tmp_path, ["dark", "late"])
    builder = Synthetic(raw=tmp_path, options=ALL, data_dir=tmp_path)
    assert ALL.difficulties == ()
    want = dataclasses.replace(ALL, difficulties=("dark", "late"))
    assert builder.options == want
    assert Counter(clip.label for clip in builder.clips()) == {0: 1}
