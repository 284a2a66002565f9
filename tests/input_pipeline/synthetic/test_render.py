"""The staged world: files, truth, difficulties, motion."""

import json
import re
from pathlib import Path

import av
import numpy as np
import pytest

from input_pipeline.formats import ntu
from input_pipeline.synthetic import (
    SyntheticConfig,
    files,
    world,
)
from input_pipeline.synthetic.__main__ import main
from input_pipeline.synthetic.actions import (
    TWO_PERSONS,
)
from input_pipeline.synthetic.config import DIFFICULTIES
from input_pipeline.synthetic.render import render

CLEAN = dict.fromkeys(DIFFICULTIES, 0.0)
# A few clips of the default world: three cameras, one and two persons.
NAMES = [
    ntu.NtuName(1, 1, 4, 1, 6),
    ntu.NtuName(2, 2, 3, 2, 10),
    ntu.NtuName(1, 3, 8, 1, 13),
    ntu.NtuName(2, 2, 6, 1, 15),
    ntu.NtuName(1, 2, 1, 2, 11),
]


def config(**changes) -> SyntheticConfig:
    return SyntheticConfig(**{**CLEAN, **changes})


def decode(path: Path) -> np.ndarray:
    with av.open(str(path)) as file:
        return np.stack([f.to_ndarray(format="rgb24") for f in file.decode(video=0)])


def inside(shape: tuple[int, int], box: np.ndarray) -> np.ndarray:
    """Mask [h w] of the pixels whose centres lie in a box."""
    height, width = shape
    rows = (np.arange(height) + 0.5)[:, None] / height
    columns = (np.arange(width) + 0.5)[None] / width
    y0, x0, y1, x1 = box
    return (rows >= y0) & (rows < y1) & (columns >= x0) & (columns < x1)


# Names and protocols.


# Files.


def test_command_line(tmp_path, capsys):
    flags = ["--out", str(tmp_path), "--workers", "1", "--subjects", "1"]
    flags += ["--rgb", "64x36", "--ir", "48x40", "--actions", "wave, hug"]
    main([*flags, "--clips", "2", "--seed", "7"])
    assert len(list((tmp_path / "truth").glob("S*.json"))) == 2
    assert str(tmp_path) in capsys.readouterr().out
    about = json.loads((tmp_path / "world.json").read_text())
    assert about["classes"] == ["wave", "hug"] and about["seed"] == 7
    (video,) = (tmp_path / "nturgb+d_rgb").glob("*A002_rgb.avi")
    assert decode(video).shape[1:] == (36, 64, 3)
    with pytest.raises(SystemExit, match="2"):
        main([*flags, "--clips", "3", "--seed", "7"])
    assert re.match("error: .* another config", capsys.readouterr().err)
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="2"):
        main(["--out", str(tmp_path / "file" / "below")])
    said = capsys.readouterr().err
    assert re.match("error: The raw files cannot be kept in .*--out", said)


# Truth.


# Difficulties. Each is compared with the same clip without it.


@pytest.mark.parametrize("name", NAMES[:3], ids=str)
def test_dark_clip_shows_nothing(name):
    dark, clean = config(dark_rgb=1.0), config()
    clip = world.stage(dark, name)
    assert clip.difficulties == ("dark_rgb",)
    seen = render(dark, clip, "rgb")
    usual = render(clean, world.stage(clean, name), "rgb")
    assert not seen.visible.any() and usual.visible.all()
    assert seen.frames.mean() < 10 < 60 < usual.frames.mean()
    np.testing.assert_array_equal(seen.box, usual.box)
    # What is left of the picture lies under the noise.
    detail = seen.frames.mean(0).std(axis=(0, 1)).mean()
    assert detail < dark.rgb_noise / 2 < usual.frames.mean(0).std(axis=(0, 1)).mean()
    # Infrared does not care.
    for field in ("frames", "visible", "box"):
        np.testing.assert_array_equal(
            getattr(render(dark, clip, "ir"), field),
            getattr(render(clean, world.stage(clean, name), "ir"), field),
        )


@pytest.mark.parametrize("name", NAMES[:3], ids=str)
def test_warm_background_is_as_warm_as_the_body(name):
    def contrast(settings):
        drawn = render(settings, world.stage(settings, name), "ir")
        differences = []
        for frame, box in zip(drawn.frames, drawn.box, strict=True):
            mask = inside(frame.shape, box)
            differences.append(frame[mask].mean() - frame[~mask].mean())
        return drawn, np.mean(differences)

    warm, small_contrast = contrast(config(warm_background=1.0))
    clean, contrast_there_is = contrast(config())
    assert not warm.visible.any() and clean.visible.all()
    assert abs(small_contrast) < 10 < 45 < contrast_there_is
    assert 170 < warm.frames.mean() < 200
    np.testing.assert_array_equal(
        render(config(), world.stage(config(), name), "rgb").frames,
        render(
            config(warm_background=1.0),
            world.stage(config(warm_background=1.0), name),
            "rgb",
        ).frames,
    )


def test_occluded_frames_hide_the_actor():
    hidden_in = set()
    for action in range(1, 13):
        name = ntu.NtuName(1, 1 + action % 3, 1 + action % 10, 1, action)
        quiet = {"rgb_noise": 0.0, "ir_noise": 0.0}
        settings, clean = config(occluded=1.0, **quiet), config(**quiet)
        clip = world.stage(settings, name)
        hidden_in.add(clip.occluded)
        assert clip.difficulties == ("occluded",) and clip.occluded
        for modality in ("rgb", "ir"):
            drawn = render(settings, clip, modality)
            usual = render(clean, world.stage(clean, name), modality)
            if modality not in clip.occluded:
                assert drawn.visible.all()
                np.testing.assert_array_equal(drawn.frames, usual.frames)
                continue
            gone = ~drawn.visible
            assert 0.25 < gone.mean() < 0.65
            # One run of frames.
            assert np.abs(np.diff(gone.astype(int))).sum() <= 2
            changed = drawn.frames != usual.frames
            changed = changed.any(-1) if changed.ndim == 4 else changed
            for t, mask in enumerate(inside(changed.shape[1:], b) for b in usual.box):
                share = changed[t][mask].mean()
                assert share > 0.45 if gone[t] else share < 0.6
            # For most of the time nothing at all of the actor is left.
            u = np.arange(len(gone)) / (len(gone) - 1)
            full = (u >= clip.occlusion[0]) & (u < clip.occlusion[1])
            assert 0.25 < full.mean() < 0.55 and gone[full].all()
            for t in np.flatnonzero(full):
                mask = inside(changed.shape[1:], usual.box[t])
                assert changed[t][mask].mean() > 0.9
    assert hidden_in == {("rgb",), ("ir",), ("rgb", "ir")}


def test_bystander_is_somebody_else_elsewhere():
    for name in NAMES:
        settings = config(bystander=1.0, ir_noise=0.0)
        clean = config(ir_noise=0.0)
        clip = world.stage(settings, name)
        actor, other = clip.players
        assert actor.is_actor and not other.is_actor
        assert other.action != clip.action and other.action not in TWO_PERSONS
        looks = [actor.look, other.look, *([actor.partner] if actor.partner else [])]
        assert len({tuple(look.shirt) for look in looks}) == len(looks)
        drawn = render(settings, clip, "ir")
        usual = render(clean, world.stage(clean, name), "ir")
        np.testing.assert_array_equal(drawn.box, usual.box)
        assert drawn.visible.all()
        outside = np.stack(
            [~inside(f.shape, b) for f, b in zip(usual.frames, usual.box, strict=True)]
        )
        assert (usual.frames[outside] < 165).all()
        assert (drawn.frames[outside] > 165).mean() > 0.01
        found = files.skeletons(settings, clip)
        assert len(found.ids) == (2 if clip.action in TWO_PERSONS else 1)
