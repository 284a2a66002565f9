"""UCF101, HMDB51, Something-Something and folders of classes, from a few tiny files."""

import json

import numpy as np
import pytest
from PIL import Image

from input_pipeline.builders.base import RawDataError
from input_pipeline.builders.something import Something
from input_pipeline.encode import EncodeOptions, encode_clip
from input_pipeline.formats.video import VideoOptions

OPTIONS = EncodeOptions(streams=("rgb",), video=VideoOptions(16, 90, 4))


def write_frames(folder, count=6, size=(12, 20), quality=95):
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        image = np.full((*size, 3), 10 * number, np.uint8)
        name = folder / f"{number}.jpg"  # 10 stands behind 9, not behind 1
        Image.fromarray(image).save(name, quality=quality)
    return folder


def write_something(folder, kind):
    clips = folder / "20bn-something-something-v1"
    for name in ("7", "12", "300"):
        write_frames(clips / name, 11)
    labels = ["Holding something", "Moving something up"]
    stem = "something-something-v1"
    if kind == "csv":
        folder.joinpath(f"{stem}-labels.csv").write_text("\n".join(labels) + "\n")
        folder.joinpath(f"{stem}-train.csv").write_text(
            "7;Moving something up\n12;Holding something\n"
        )
        folder.joinpath(f"{stem}-validation.csv").write_text("300;Holding something\n")
        folder.joinpath(f"{stem}-test.csv").write_text("400\n")
        return
    table = {label: str(i) for i, label in enumerate(labels)}
    folder.joinpath(f"{stem}-labels.json").write_text(json.dumps(table))
    entry = {"label": "moving a cup up", "template": "Moving [something] up"}
    train = [{"id": "7", **entry}]
    train += [{"id": "12", "label": "x", "template": "Holding [something]"}]
    folder.joinpath(f"{stem}-train.json").write_text(json.dumps(train))
    test = [{"id": "300", "label": "x", "template": "Holding [something]"}]
    folder.joinpath(f"{stem}-validation.json").write_text(json.dumps(test))


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_something_lists_and_frames(tmp_path, kind):
    write_something(tmp_path, kind)
    builder = Something(raw=tmp_path, options=OPTIONS, data_dir=tmp_path / "out")
    assert builder.classes == ["Holding something", "Moving something up"]
    clips = {clip.name: clip for clip in builder.clips()}
    assert {name: (c.label, c.splits["official"]) for name, c in clips.items()} == {
        "7": (1, "train"),
        "12": (0, "train"),
        "300": (0, "test"),
    }
    video = encode_clip(clips["12"], OPTIONS).streams["rgb"]
    assert (video.height, video.width, len(video.frames)) == (12, 20, 11)
    # Small JPEG images are kept byte for byte, in the order of their numbers.
    kept = [clips["12"].paths["rgb"] / f"{i}.jpg" for i in range(1, 12)]
    assert video.frames == [path.read_bytes() for path in kept]


def test_something_that_does_not_fit(tmp_path):
    write_something(tmp_path, "csv")

    def clips():
        builder = Something(raw=tmp_path, options=OPTIONS, data_dir=tmp_path / "out")
        return builder.clips()

    train = tmp_path / "something-something-v1-train.csv"
    train.write_text("7;Flying something\n")
    with pytest.raises(RawDataError, match="the label 'Flying something' of 7 is not"):
        clips()
    train.write_text("7\n")
    with pytest.raises(RawDataError, match="is no list of Something-Something"):
        clips()
    train.write_text("../7;Holding something\n")
    with pytest.raises(RawDataError, match="'../7' is no id of a clip"):
        clips()
    train.write_text("999;Holding something\n")
    missing = {clip.name: clip.paths["rgb"] for clip in clips()}["999"]
    assert missing.name == "999" and not missing.exists()  # goes to failed.csv
    train.write_text("7;Holding something\n300;Holding something\n")
    with pytest.raises(RawDataError, match="the clip 300 is in .*train.csv, too"):
        clips()
    train.unlink()
    with pytest.raises(RawDataError, match=r"There is no list \*train\*"):
        clips()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1]",
        '{"A": "one"}',
        '{"A": "0", "B": "0"}',
        '{"A": "1"}',
        '{"\\ud800": "0"}',
    ],
)
def test_something_s_labels_are_a_table_of_numbers(tmp_path, text):
    write_something(tmp_path, "json")
    (tmp_path / "something-something-v1-labels.json").write_text(text)
    builder = Something(raw=tmp_path, options=OPTIONS, data_dir=tmp_path / "out")
    with pytest.raises(RawDataError, match="labels.json is no table of labels, each"):
        _ = builder.classes
