"""Worlds in which it matters where one looks: each does what it says, in numbers."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest
import tensorflow as tf

from input_pipeline import records
from input_pipeline.dataset import PreparedDataset
from input_pipeline.prepare import __main__ as command
from input_pipeline.synthetic import (
    Sensor,
    clip_names,
    files,
    world,
)
from input_pipeline.synthetic.__main__ import main
from input_pipeline.synthetic.config import DIFFICULTIES, WORLDS
from input_pipeline.synthetic.render import render
from tests.input_pipeline.synthetic.test_files import SMALL
from tests.input_pipeline.synthetic.test_render import NAMES, config


def drawn(settings, name, modality="rgb"):
    return render(settings, world.stage(settings, name), modality)


def test_where_all_worlds_are_off_nothing_has_changed():
    # The digest was taken from the code before there were such worlds.
    digest = hashlib.sha256()
    for name in clip_names(SMALL)[::5]:
        clip = world.stage(SMALL, name)
        for modality in ("rgb", "ir"):
            seen = render(SMALL, clip, modality)
            digest.update(seen.frames.tobytes() + seen.visible.tobytes())
            digest.update(np.round(seen.box, 5).tobytes())
        found = files.skeletons(SMALL, clip)
        digest.update(np.round(found.points, 4).tobytes() + found.tracked.tobytes())
    assert digest.hexdigest() == DIGEST
    assert not set(WORLDS) & set(files.plain(SMALL))
    assert files.plain(config(delay=0.3))["delay"] == 0.3


DIGEST = "6e9f2938539edf916c2b280f460732b0f62a751332dd0d43ac3598ce0fec3a89"


@pytest.mark.parametrize(("share", "moments"), [(0.5, 8), (0.25, 8), (0.5, 6)])
def test_intruders_take_their_share_of_moments_and_others_in_the_other_stream(
    share, moments
):
    settings = config(intruding=share, moments=moments)
    places = np.zeros(moments)
    for name in clip_names(config(clips=64)):
        clip = world.stage(settings, name)
        gone = clip.intruded
        assert gone["rgb"].sum() == gone["ir"].sum() == share * moments
        assert not (gone["rgb"] & gone["ir"]).any()
        places += gone["rgb"]
        assert clip.intruder.action != clip.action
        assert clip.intruder.action in settings.actions
        assert (clip.intruder.partner is None) == (
            clip.intruder.action not in ("handshake", "push", "hug", "high five")
        )
    # No moment is intruded much more often than another.
    assert np.abs(places / 64 - share).max() < 0.25


@pytest.mark.parametrize("name", NAMES[:3], ids=str)
def test_intruded_frames_show_somebody_else_and_the_others_what_they_showed(name):
    usual, settings = config(), config(intruding=0.5)
    for modality in ("rgb", "ir"):
        before = drawn(usual, name, modality)
        after = drawn(settings, name, modality)
        gone = after.intruded
        assert (after.visible == ~gone).all() and before.intruded is None
        assert 0.4 <= gone.mean() <= 0.6
        np.testing.assert_array_equal(after.box, before.box)
        np.testing.assert_array_equal(after.frames[~gone], before.frames[~gone])
        changed = (after.frames != before.frames).reshape(len(gone), -1)
        assert (changed[gone].mean(1) > 0.02).all()
        if modality == "rgb":  # the vest, which no actor wears
            new = (_vest(after.frames) & ~_vest(before.frames)).sum((1, 2))
            assert new[gone].min() > 80 and not new[~gone].any()
        else:  # and its coolness
            hot = (after.frames > 165).reshape(len(gone), -1).mean(1)
            assert hot[gone].mean() < 0.6 * hot[~gone].mean()


def _vest(frames):
    red, green, blue = np.moveaxis(frames.astype(int), -1, 0)
    return (green > 150) & (green - blue > 90) & (red - blue > 60)


def test_each_moment_is_blind_in_one_stream_alone():
    settings = config(blinding=1.0)
    halves = []
    for name in clip_names(config(clips=48)):
        blind = world.stage(settings, name).blind
        assert (blind["rgb"] == ~blind["ir"]).all() and blind["rgb"].sum() == 4
        halves.append(tuple(blind["rgb"]))
    assert len(set(halves)) > 30
    usual = config()
    for modality, dull in (("rgb", (0, 10)), ("ir", (170, 200))):
        after = drawn(settings, NAMES[0], modality)
        before = drawn(usual, NAMES[0], modality)
        assert 0.4 <= after.visible.mean() <= 0.6 and before.visible.all()
        lit = after.frames[after.visible].astype(int)
        # Nothing but the noise, drawn after one more texture in the infrared.
        most = 0 if modality == "rgb" else 12 * 8
        assert np.abs(lit - before.frames[after.visible]).max() <= most
        means = after.frames[~after.visible].mean(
            axis=tuple(range(1, after.frames.ndim))
        )
        assert (dull[0] <= means).all() and (means <= dull[1]).all()
    assert world.stage(settings, NAMES[0]).difficulties == ("blinded",)
    some = [
        "blinded" in world.stage(config(blinding=0.3), name).difficulties
        for name in clip_names(config(clips=200))
    ]
    assert abs(np.mean(some) - 0.3) < 0.1


def test_twice_as_far_is_half_as_high():
    for name in NAMES:
        near, far = (
            drawn(config(), name, "ir").box,
            drawn(config(distance=2.0), name, "ir").box,
        )
        ratio = (far[:, 2] - far[:, 0]) / (near[:, 2] - near[:, 0])
        assert 0.42 < ratio.mean() < 0.56


def test_larger_pictures_show_the_same_more_finely():
    quiet = {"rgb_noise": 0.0, "ir_noise": 0.0}
    sizes = {"rgb": Sensor(200, 112, 53.8, 15), "ir": Sensor(134, 112, 60.0, 12)}
    half = {
        name: sensor._replace(width=sensor.width // 2, height=56)
        for name, sensor in sizes.items()
    }
    half["ir"] = half["ir"]._replace(width=66)
    sizes["ir"] = sizes["ir"]._replace(width=132)
    for modality in ("rgb", "ir"):
        large = drawn(config(**quiet, **sizes), NAMES[0], modality).frames
        small = drawn(config(**quiet, **half), NAMES[0], modality).frames
        frames, height, width = small.shape[:3]
        halved = large.reshape(frames, height, 2, width, 2, -1).mean((2, 4))
        gap = np.abs(halved - small.reshape(halved.shape))
        assert gap.mean() < 2.5
        # Finer: twice the size holds edges that the small picture cannot.
        blown = np.repeat(np.repeat(small, 2, 1), 2, 2).astype(float)
        assert np.abs(large - blown).mean() > 1.2 * gap.mean()


def test_a_late_infrared_camera_shows_what_was():
    settings = config(delay=0.4)
    delays = [
        world.stage(settings, name).delay for name in clip_names(config(clips=99))
    ]
    assert 0 <= min(delays) < 0.05 and 0.35 < max(delays) <= 0.4
    clip = dataclasses.replace(world.stage(settings, NAMES[0]), seconds=2.0, delay=0.0)
    frames = 24  # 2 seconds at 12 a second
    late = dataclasses.replace(clip, delay=3 * 2.0 / (frames - 1))
    before, after = render(settings, clip, "ir"), render(settings, late, "ir")
    assert len(before.box) == frames and np.ptp(before.box, axis=0).max() > 0.1
    np.testing.assert_allclose(after.box[3:], before.box[:-3], atol=1e-9)
    for field in ("frames", "box"):
        np.testing.assert_array_equal(
            getattr(render(settings, late, "rgb"), field),
            getattr(render(settings, clip, "rgb"), field),
        )


def test_a_crowd_are_different_people_in_different_places():
    for name in NAMES:
        clip = world.stage(config(bystander=1.0, bystanders=4), name)
        few = world.stage(config(bystander=1.0), name)
        assert len(clip.players) == 5 and len(few.players) == 2
        assert len({player.look.height for player in clip.players}) == 5
        np.testing.assert_array_equal(clip.players[1].place, few.players[1].place)
        places = np.array([player.place for player in clip.players])
        gaps = np.linalg.norm(places[:, None] - places[None], axis=-1)
        assert gaps[~np.eye(5, dtype=bool)].min() > 0.15
        assert sum(player.is_actor for player in clip.players) == 1


# Classes of two things, told by colour and by joints.


# Longer ordered actions.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"intruding": 1.5}, "intruding: got 1.5"),
        ({"moments": 0}, "moments, bystanders: got 0 and 1"),
        ({"bystanders": 5}, "moments, bystanders: got 8 and 5"),
        ({"intruding": 0.5, "moments": 5}, "2.5; expected a whole number"),
        ({"intruding": 0.0001}, "expected a whole number"),
        ({"blinding": 0.5, "moments": 3}, "expected an even number"),
        ({"actions": ("wave", "kick", "wave")}, "names one twice"),
        ({"guess_seconds": float("nan")}, "guess_seconds: got nan"),
        ({"joint_noise": float("inf")}, "joint_noise: got inf"),
        ({"delay": -0.1}, "delay, distance: got -0.1"),
        ({"distance": 0.5}, "delay, distance: got 0.0 and 0.5"),
        ({"actions": ("wave then drink",)}, "order some of wave, clap"),
        ({"actions": ("alike", "unalike")}, r"unknown \['unalike'\]"),
    ],
)
def test_impossible_worlds_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        config(**changes)


def test_flags_stage_a_world_that_prepares_with_its_truth(tmp_path, capsys):
    raw, out = tmp_path / "raw", tmp_path / "data" / "intruding"
    flags = ["--intruding", "0.5", "--delay", "0.2", "--blinding", "1"]
    flags += ["--actions", "xor", "--seconds", "1.0-1.2", "--subjects", "2"]
    flags += ["--rgb", "64x36", "--ir", "48x40", "--clips", "4", "--workers", "1"]
    flags += [word for name in DIFFICULTIES for word in (f"--{name}", "0")]
    main(["--out", str(raw), *flags])
    about = json.loads((raw / "world.json").read_text())
    assert about["config"]["intruding"] == 0.5 and "distance" not in about["config"]
    assert about["classes"] == ["alike", "unlike"]
    command.main(
        ["synthetic", "--raw", str(raw), "--out", str(out), "--short_side", "32",
         "--workers", "1"]
    )  # fmt: skip
    data = PreparedDataset.open(out, "synthetic")
    assert data.difficulties == [*DIFFICULTIES, "blinded"]
    assert (data.index["difficulty"] == 1 << len(DIFFICULTIES)).all()
    shown = {stream: [] for stream in ("rgb", "ir")}
    for path in data.shard_paths:
        for serialized in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            record = records.decode(serialized)
            truth = json.loads((raw / "truth" / f"{record.name}.json").read_text())
            assert 0 <= truth["delay"] <= 0.2
            assert set(truth["carried"]) == {"color", "legs"}
            assert truth["intruder"] != truth["action"]
            for stream, seen in shown.items():
                visible = record.streams[stream].actor_visible
                assert visible.tolist() == truth[stream]["visible"]
                assert not (visible & truth[stream]["intruded"]).any()
                seen.append(visible.mean())
    # Half of the moments are intruded, another half is blind: a quarter is left.
    assert 0.05 < np.mean(shown["rgb"]) < 0.45 and 0.05 < np.mean(shown["ir"]) < 0.45
    with pytest.raises(SystemExit, match="2"):
        main(["--out", str(raw), *flags, "--intruding", "0.25"])
    assert "another config (intruding: there 0.5" in capsys.readouterr().err
