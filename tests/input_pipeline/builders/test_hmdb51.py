"""HMDB51 from a few tiny files."""

import os

import pytest

from input_pipeline.builders.base import RawDataError
from input_pipeline.builders.hmdb51 import Hmdb51
from input_pipeline.dataset import PreparedDataset
from input_pipeline.encode import ClipError, encode_clip
from input_pipeline.prepare import __main__ as prepare
from tests.input_pipeline import raw
from tests.input_pipeline.builders.test_folders import touch
from tests.input_pipeline.builders.test_something import OPTIONS


def test_hmdb51_with_names_as_they_are_found(tmp_path):
    """A blank, brackets and a byte that is not UTF-8 in names; prepared for real."""
    lists = tmp_path / "testTrainMulti_7030_splits"
    lists.mkdir()
    names = [b"#1_(Sideways)_wave_u.avi", b"two words_wave_f.avi", b"caf\xe9_wave.avi"]
    for number in (1, 2, 3):
        codes = [b"1", b"2", b"0"][-number:] + [b"1", b"2", b"0"][:-number]
        text = b"".join(
            n + b" " + c + b" \n" for n, c in zip(names, codes, strict=True)
        )
        lists.joinpath(f"wave_test_split{number}.txt").write_bytes(text)
    for index, name in enumerate(names):
        path = tmp_path / "wave" / f"{index}.avi"
        raw.write_video(path, 8)
        os.rename(os.fsencode(path), os.fsencode(path.parent) + b"/" + name)
    arguments = ["hmdb51", "--raw", str(tmp_path), "--out", str(tmp_path / "out")]
    prepare.main([*arguments, "--workers", "1", "--short_side", "16"])
    data = PreparedDataset.open(tmp_path / "out", "hmdb51")
    assert data.classes == ["wave"]
    assert sorted(data.names.tolist()) == [
        "wave/#1_(Sideways)_wave_u",
        "wave/caf\\xe9_wave",
        "wave/two words_wave_f",
    ]
    for protocol in ("split1", "split2", "split3"):
        sizes = {s: len(data.rows(protocol, s)) for s in ("train", "test")}
        assert sizes == {"train": 1, "test": 1}


def write_hmdb(folder):
    """Two classes of three clips: in training, in testing, in neither."""
    for label in ("wave", "sit"):
        for number in (1, 2, 3):
            lines = [f"{label} {i}.avi {i}" for i in (1, 2, 0)]
            (folder / f"{label}_test_split{number}.txt").write_text("\n".join(lines))
        for i in (0, 1, 2):
            touch(folder / "org" / label / f"{label} {i}.avi")


def test_hmdb51_s_listed_clips_that_are_not_there_are_failures(tmp_path):
    write_hmdb(tmp_path)
    builder = Hmdb51(raw=tmp_path, options=OPTIONS, data_dir=tmp_path / "out")
    whole = {clip.name: clip for clip in builder.clips()}
    assert len(whole) == 6
    (tmp_path / "org/wave/wave 0.avi").unlink()  # in no split: nobody misses it
    (tmp_path / "org/wave/wave 2.avi").unlink()
    (tmp_path / "org/sit/sit 1.avi").rename(tmp_path / "org/sit/sit 1.mp4")
    now = {clip.name: clip for clip in builder.clips()}
    assert sorted(now) == [
        "sit/sit 0",
        "sit/sit 1",
        "sit/sit 2",
        "wave/wave 1",
        "wave/wave 2",
    ]
    assert now["wave/wave 2"] == whole["wave/wave 2"]  # whose file is not there
    # Converted to another container it is the same clip.
    assert now["sit/sit 1"].splits == dict.fromkeys(
        ("split1", "split2", "split3"), "train"
    )
    with pytest.raises(ClipError, match="missing: there is no such file"):
        encode_clip(now["wave/wave 2"], builder.options)
    touch(tmp_path / "copy" / "wave" / "wave 1.avi")
    with pytest.raises(RawDataError, match="wave/wave 1 is there twice"):
        builder.clips()
    (tmp_path / "wave_test_split2.txt").unlink()
    with pytest.raises(RawDataError, match="There is no wave_test_split2.txt in"):
        builder.clips()
