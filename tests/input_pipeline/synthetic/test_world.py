"""What is staged: who is where in the picture, and how often which difficulty."""

import dataclasses

import numpy as np
import pytest

from input_pipeline.synthetic import (
    SyntheticConfig,
    clip_names,
    files,
    world,
)
from input_pipeline.synthetic.config import DIFFICULTIES
from input_pipeline.synthetic.render import render
from tests.input_pipeline.synthetic.test_render import NAMES, config, inside


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
