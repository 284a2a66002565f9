"""The staged world: files, truth, difficulties, motion."""

import dataclasses
import json
from pathlib import Path

import av
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
from input_pipeline.synthetic.__main__ import main
from input_pipeline.synthetic.actions import (
    ACTIONS,
    TWO_PERSONS,
)
from input_pipeline.synthetic.config import DIFFICULTIES
from input_pipeline.synthetic.render import render

CLEAN = dict.fromkeys(DIFFICULTIES, 0.0)
SMALL = SyntheticConfig(
    actions=("wave", "sit down", "stand up", "hug"),
    subjects=2,
    replications=1,
    setups=1,
    rgb=Sensor(64, 36, 53.8, 8),
    ir=Sensor(48, 40, 60.0, 6),
)
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


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


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


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("small")
    generate(out, SMALL, workers=1, progress=False)
    return out


# Names and protocols.


def test_default_world_has_what_the_protocols_need():
    default = SyntheticConfig()
    names = clip_names(default)
    assert len(names) == len(set(names)) == 2 * 3 * 10 * 2 * 16
    assert len(ACTIONS) >= 12 and default.subjects >= 8
    for protocol in ("xsub", "xview"):
        for train in (True, False):
            half = [n for n in names if ntu.is_training(n, protocol) is train]
            assert {name.action for name in half} == set(range(1, 17))


def test_subset_is_spread_over_the_classes():
    names = clip_names(SyntheticConfig(clips=40))
    assert len(set(names)) == 40 and names == sorted(names)
    counts = np.bincount([name.action for name in names], minlength=17)[1:]
    assert set(counts.tolist()) == {2, 3}
    with pytest.raises(ValueError, match="got 99999, .* only 1920"):
        clip_names(SyntheticConfig(clips=99999))


# Files.


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"actions": ("wave", "dance")}, "unknown \\['dance'\\]"),
        ({"cameras": 4}, "cameras: got 4"),
        ({"subjects": 0}, "subjects: got 0"),
        ({"occluded": 1.5}, "occluded: got 1.5"),
        ({"dark_rgb": 0.6, "warm_background": 0.6}, "no clip may be both"),
        ({"rgb": Sensor(65, 36, 50.0, 8)}, "rgb: got 65 x 36"),
        ({"seconds": (2.0, 1.0)}, "seconds"),
        ({"seed": -1}, "seed: got -1"),
    ],
)
def test_impossible_config_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        SyntheticConfig(**changes)


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
    with pytest.raises(SystemExit, match="error: .* another config"):
        main([*flags, "--clips", "3", "--seed", "7"])
    (tmp_path / "file").touch()
    with pytest.raises(
        SystemExit, match="error: The raw files cannot be kept in .*--o"
    ):
        main(["--out", str(tmp_path / "file" / "below")])


# Truth.


@pytest.mark.parametrize("name", NAMES, ids=str)
def test_box_holds_the_joints_and_what_is_bright(name):
    settings = config(rgb_noise=0.0, ir_noise=0.0)
    clip = world.stage(settings, name)
    found = files.skeletons(settings, clip)
    rgb, ir = (render(settings, clip, modality) for modality in ("rgb", "ir"))
    assert rgb.visible.all() and ir.visible.all()
    size = np.array([settings.rgb.width, settings.rgb.height])
    joints = (found.color_xy / size).transpose(1, 0, 2, 3).reshape(len(rgb.box), -1, 2)
    joints = joints.clip(0, 1)
    assert (joints >= rgb.box[:, None, [1, 0]] - 1e-4).all()
    assert (joints <= rgb.box[:, None, [3, 2]] + 1e-4).all()
    # In infrared nothing but the actors is as warm as skin, and the box ends where
    # they do: its upper, left and right edges are within three pixels of warmth.
    height, width = ir.frames.shape[1:]
    for frame, box in zip(ir.frames, ir.box, strict=True):
        warm = frame > 165
        assert not (warm & ~inside(frame.shape, box)).any()
        rows, columns = np.nonzero(warm)
        assert rows.min() <= box[0] * height + 3
        assert columns.min() <= box[1] * width + 3
        assert columns.max() >= box[3] * width - 4
        # Feet are cooler than skin, but warmer than the floor.
        assert box[2] == 1 or np.nonzero(frame > 100)[0].max() >= box[2] * height - 4


def test_actor_fills_a_good_part_of_the_frame():
    heights = []
    for name in clip_names(config(clips=48)):
        clip = world.stage(config(), name)
        box = render(config(), clip, "ir").box
        heights.append((box[:, 2] - box[:, 0]).max())
        center = (box[:, 1] + box[:, 3]) / 2
        assert ((center > 0.25) & (center < 0.75)).all()
    assert min(heights) > 0.45 and np.mean(heights) > 0.6


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


def test_difficulties_come_as_often_as_asked_and_only_where_they_belong():
    settings = SyntheticConfig(
        occluded=0.3,
        dark_rgb=0.2,
        warm_background=0.2,
        bystander=0.1,
        noisy_skeleton=0.4,
    )
    names = clip_names(SyntheticConfig(clips=600))
    drawn = [set(world.stage(settings, name).difficulties) for name in names]
    for kind in DIFFICULTIES:
        share = np.mean([kind in one for one in drawn])
        assert abs(share - getattr(settings, kind)) < 0.05
    assert not any({"dark_rgb", "warm_background"} <= one for one in drawn)
    # Changing one fraction changes nothing else about any clip.
    other = dataclasses.replace(settings, occluded=0.0)
    for name, before in zip(names[:100], drawn, strict=False):
        after = world.stage(other, name)
        assert set(after.difficulties) == before - {"occluded"}
        assert after.occluded == ()
        assert after.gain == world.stage(settings, name).gain
