"""The command that prepares data sets: what it takes, and what it says."""

import json
import re

import jax
import numpy as np
import pytest

from input_pipeline import pipeline
from input_pipeline.config import DataConfig
from input_pipeline.dataset import PreparedDataset
from input_pipeline.own_clip import read_clip
from input_pipeline.prepare import __main__ as command
from input_pipeline.streams import ALWAYS
from tests.input_pipeline import raw

CLIPS, SHARDS = 10, 3


def test_manifest_with_absent_streams_through_the_command(tmp_path, capsys):
    raw.write_video(tmp_path / "v" / "a.avi")
    raw.write_video(tmp_path / "v" / "b.avi", np.full((9, 20, 20), 7, np.uint8))
    np.save(tmp_path / "v" / "c.npy", np.ones((10, 17, 3)))
    (tmp_path / "m.csv").write_text(
        "rgb,ir,skeleton,label,split\n"
        "v/a.avi,,,wave,train\n"
        ",v/b.avi,,sit,test\n"
        ",,v/c.npy,sit,train\n"
    )
    out = tmp_path / "out"
    arguments = ["clips", "--manifest", str(tmp_path / "m.csv"), "--out", str(out)]
    arguments += ["--name", "mine", "--layout", "coco", "--workers", "1"]
    command.main(arguments)
    assert "3 clips of 2 classes" in capsys.readouterr().out
    data = PreparedDataset.open(out, "mine")
    assert list(data.names[data.rows("", "test")]) == ["v/b"]
    assert data.streams["skeleton"]["joints"] == 17
    assert [data.streams[s]["clips"] for s in ALWAYS] == [1, 1, 1]
    assert data.index["subject"].tolist() == [-1] * 3


def sensors(tmp_path, *more):
    """Prepares two clips of a 16 x 16 array of degrees, and a video of 8 bits."""
    raw.write_video(tmp_path / "a.avi", np.full((9, 20, 20), 7, np.uint8))
    for name, most in (("a", 30.0), ("b", 36.0)):
        ramp = np.linspace(20, most, 256, dtype=np.float32).reshape(16, 16)
        np.save(tmp_path / f"{name}.npy", np.stack([ramp] * 9))
    (tmp_path / "m.csv").write_text(
        "rgb,ir,label,split\na.avi,a.npy,sit,train\n,b.npy,stand,test\n"
    )
    arguments = ["clips", "--manifest", str(tmp_path / "m.csv"), "--name", "mine"]
    arguments += ["--out", str(tmp_path / "out"), "--workers", "1", *more]
    command.main(arguments)
    return PreparedDataset.open(tmp_path / "out", "mine")


def test_scalings_are_stored_and_hold_for_what_is_read_later(tmp_path, capsys):
    data = sensors(tmp_path, "--scaling", "fixed:20:40")
    assert data.streams["ir"]["scaling"] == "fixed:20:40"
    assert data.streams["ir"]["levels"] == [20, 40]
    assert "scaling" not in data.streams["rgb"]
    assert data.info["plan"]["scalings"] == {
        "rgb": "fixed:20:40",
        "ir": "fixed:20:40",
    }
    said = capsys.readouterr().out
    assert "scaling fixed:20:40 of rgb has no effect: all its pictures have 8" in said
    facts = pipeline.dataset_facts(DataConfig("mine", dir=str(tmp_path / "out")))
    assert facts.values == {"ir": "fixed:20:40"}
    # 36 degrees are 204 of 255 in the data set, and in a clip that is shown it alone.
    inputs = {"ir": jax.ShapeDtypeStruct((2, 16, 16, 1), np.uint8)}
    config = DataConfig("mine", dir=str(tmp_path / "out"), test_resize=16)
    (batch,) = pipeline.eval_batches(config, inputs, "test", 1)
    assert abs(int(batch["ir"][0, 0, -1, -1, 0]) - 204) <= 1
    own = read_clip({"ir": tmp_path / "b.npy"}, config, inputs, values=facts.values)
    np.testing.assert_array_equal(own["ir"], batch["ir"][0])


def test_sets_are_not_mixed_of_two_scalings(tmp_path, capsys):
    sensors(tmp_path, "--scaling", "ir=frame")
    for more in (["--scaling", "ir=recording"], []):
        with pytest.raises(SystemExit):
            sensors(tmp_path, *more)
        assert "scalings: there {'ir': 'frame:1:99'}, now" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (
            ["ntu60", "--raw", ".", "--scaling", "ir=20:40"],
            "The scaling is '20:40'; ex",
        ),
        (
            ["ntu60", "--raw", ".", "--frame_size", "8x8"],
            "frame size is '8x8'; expecte",
        ),
        (["ntu60", "--raw", "/nowhere"], "does not exist.*request form"),
        (["clips", "--manifest", "/nowhere.csv"], "does not exist.*columns"),
        (["clips", "--manifest", "."], r"The manifest \. is a folder.*columns"),
        (["ntu60", "--raw", ".", "--streams", "rgb,radar"], "'radar'.*rgb, ir, depth"),
        (["ntu60", "--raw", ".", "--quality", "0"], "quality is 0"),
        (["ntu60", "--raw", ".", "--workers", "-3"], "workers is -3; expected 0 or mo"),
        (["ntu60", "--raw", ".", "--shards", "-2"], "shards is -2; expected 0 or more"),
        (["ntu60", "--raw", ".", "--max_failed", "-1"], "max_failed is -1; expected"),
        (["ntu60", "--raw", ".", "--max_failed", "5"], "max_failed is 5; .*fraction"),
        (["ntu60", "--raw", ".", "--max_failed", "nan"], "max_failed is nan; expected"),
        (["synthetic", "--workers", "-1"], "workers is -1; expected 0 or more"),
        (["ntu60", "--raw", ".", "--min_frames", "-8"], "min_frames is -8; expected 1"),
        (["ntu60", "--raw", ".", "--short_side", "-8"], "short_side is -8; expected 8"),
    ],
)
def test_wrong_commands_end_with_one_paragraph(tmp_path, capsys, arguments, match):
    with pytest.raises(SystemExit) as caught:
        command.main([*arguments, "--out", str(tmp_path)])
    said = capsys.readouterr().err
    assert caught.value.code == 2 and said.count("\n") == 1
    assert re.match(f"error: .*{match}", said)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--workers", "-2"], "workers is -2; expected 1 or more"),
        (["--workers", "0"], "workers is 0; expected 1 or more"),
        (["--clips", "-2"], "clips: got -2, expected 0"),
        (["--subjects", "-1"], "subjects: got -1, expected 1 to 999"),
    ],
)
def test_wrong_numbers_of_the_staged_world(tmp_path, capsys, arguments, match):
    from input_pipeline.synthetic import __main__ as staging

    with pytest.raises(SystemExit) as caught:
        staging.main(["--out", str(tmp_path / "raw"), *arguments])
    assert caught.value.code == 2
    assert re.match(f"error: .*{match}", capsys.readouterr().err)


def test_synthetic_is_staged_if_it_is_not_there(tmp_path, monkeypatch):
    from input_pipeline import synthetic

    small = synthetic.SyntheticConfig(clips=3, seconds=(1.0, 1.1))
    monkeypatch.setattr(synthetic, "SyntheticConfig", lambda: small)
    arguments = ["synthetic", "--out", str(tmp_path), "--workers", "1"]
    command.main([*arguments, "--short_side", "32"])
    data = PreparedDataset.open(tmp_path, "synthetic")
    assert len(data) == 3 and data.has_truth
    assert (
        data.difficulties
        == json.loads((tmp_path / "synthetic_raw" / "world.json").read_text())[
            "difficulties"
        ]
    )
    assert data.default_protocol == "xview"


def test_nothing_is_staged_where_a_world_is_named_that_is_not_there(tmp_path, capsys):
    raw = tmp_path / "intrudign"
    with pytest.raises(SystemExit):
        command.main(["synthetic", "--raw", str(raw), "--out", str(tmp_path / "out")])
    assert "with the flags of the world that is wanted" in capsys.readouterr().err
    assert not raw.exists()
