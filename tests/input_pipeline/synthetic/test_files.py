"""The staged world's files: NTU's names, the same bytes, continued where it stopped."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from input_pipeline.formats import ntu
from input_pipeline.synthetic import (
    Sensor,
    SyntheticConfig,
    clip_names,
    files,
    generate,
    world,
)
from input_pipeline.synthetic.actions import (
    TWO_PERSONS,
)
from input_pipeline.synthetic.render import render
from tests.input_pipeline.synthetic.test_render import decode

SMALL = SyntheticConfig(
    actions=("wave", "sit down", "stand up", "hug"),
    subjects=2,
    replications=1,
    setups=1,
    rgb=Sensor(64, 36, 53.8, 8),
    ir=Sensor(48, 40, 60.0, 6),
)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("small")
    generate(out, SMALL, workers=1, progress=False)
    return out


def test_files_are_ntus(small):
    names = clip_names(SMALL)
    assert len(names) == 4 * 2 * 3
    for name in names:
        rgb = decode(small / "nturgb+d_rgb" / f"{name}_rgb.avi")
        ir = decode(small / "nturgb+d_ir" / f"{name}_ir.avi")
        assert rgb.shape[1:] == (36, 64, 3) and ir.shape[1:] == (40, 48, 3)
        # The same time at other rates.
        assert len(rgb) > len(ir)
        assert abs(len(rgb) / 8 - len(ir) / 6) < 0.2
        # Infrared has no colour (but for what the codec rounds).
        assert np.ptp(ir.astype(int), axis=-1).max() <= 2
        skeletons = ntu.read_skeleton(small / "nturgb+d_skeletons" / f"{name}.skeleton")
        people = 2 if SMALL.actions[name.action - 1] in TWO_PERSONS else 1
        assert skeletons.points.shape == (people, len(rgb), 25, 3)
        truth = json.loads((small / "truth" / f"{name}.json").read_text())
        assert truth["action"] == SMALL.actions[name.action - 1]
        for modality, frames in (("rgb", rgb), ("ir", ir)):
            assert len(truth[modality]["visible"]) == len(frames)
            assert np.shape(truth[modality]["box"]) == (len(frames), 4)
    assert not list(small.rglob("*.part"))
    about = json.loads((small / "world.json").read_text())
    assert about["complete"] and about["clips"] == len(names)
    assert about["classes"] == list(SMALL.actions) and about["seed"] == 0


def test_decoded_video_is_close_to_what_was_drawn(small):
    name = clip_names(SMALL)[3]
    clip = world.stage(SMALL, name)
    for modality, kind in (("rgb", files.RGB), ("ir", files.IR)):
        drawn = render(SMALL, clip, modality).frames
        read = decode(small / kind[0] / f"{name}{kind[1]}")
        # Brightness: the codec keeps colour at half the resolution.
        drawn = drawn.mean(-1) if drawn.ndim == 4 else drawn
        assert np.abs(read.mean(-1) - drawn).mean() < 4


def test_same_seed_same_bytes_whatever_the_processes(small, tmp_path):
    generate(tmp_path / "again", SMALL, workers=2, progress=False)
    assert contents(tmp_path / "again") == contents(small)
    other = dataclasses.replace(SMALL, seed=1, clips=2)
    generate(tmp_path / "other", other, workers=1, progress=False)
    for path, data in contents(tmp_path / "other").items():
        assert contents(small).get(path) != data


def test_interrupted_run_continues(small, tmp_path, monkeypatch):
    write_clip, written = files.write_clip, []

    def failing(out, settings, name):
        if len(written) == 5:
            raise KeyboardInterrupt
        write_clip(out, settings, name)
        written.append(name)

    monkeypatch.setattr(files, "write_clip", failing)
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path, SMALL, workers=1, progress=False)
    assert not json.loads((tmp_path / "world.json").read_text())["complete"]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("S*")}
    monkeypatch.setattr(files, "write_clip", write_clip)
    generate(tmp_path, SMALL, workers=1, progress=False)
    assert contents(tmp_path) == contents(small)
    assert before and all(p.stat().st_mtime_ns == t for p, t in before.items())


def test_folder_of_another_config_is_refused(small):
    before = contents(small)
    other = dataclasses.replace(SMALL, seed=5)
    with pytest.raises(
        ValueError, match=r"another config \(seed: there 0, asked for 5"
    ):
        generate(small, other, workers=1, progress=False)
    assert contents(small) == before


def test_damaged_world_file_is_named(tmp_path):
    (tmp_path / "world.json").write_text("{")
    with pytest.raises(ValueError, match="world.json cannot be read .* delete"):
        generate(tmp_path, SMALL, workers=1, progress=False)
