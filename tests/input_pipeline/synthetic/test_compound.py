"""Compound classes: what each stream tells of them."""

import dataclasses

import numpy as np
import pytest

from input_pipeline.formats import ntu
from input_pipeline.synthetic import (
    SyntheticConfig,
    clip_names,
    compound,
    files,
    world,
)
from input_pipeline.synthetic.actions import Style
from input_pipeline.synthetic.render import render
from tests.input_pipeline.synthetic.test_render import config


def carrying(names: str, **changes) -> SyntheticConfig:
    return config(actions=compound.SETS[names], subjects=20, **changes)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_pictures_hide_the_legs_and_joints_hide_the_colour(number):
    settings = carrying("xor")
    clip = world.stage(settings, ntu.NtuName(1, number, 3 * number, 1, 1))

    def told(color, legs):
        player = clip.players[0]
        one = dataclasses.replace(player, carried=compound.Carried(color, legs))
        staged = dataclasses.replace(clip, players=(one,))
        pictures = [render(settings, staged, m).frames for m in ("rgb", "ir")]
        return (*pictures, files.skeletons(settings, staged).points)

    red, warmth, march = told("red", "march")
    same_red, same_warmth, step = told("red", "step")
    blue, no_colour, same_march = told("blue", "march")
    # Byte for byte: neither camera sees the legs, neither warmth nor joints the colour.
    np.testing.assert_array_equal(red, same_red)
    np.testing.assert_array_equal(warmth, same_warmth)
    np.testing.assert_array_equal(warmth, no_colour)
    np.testing.assert_array_equal(march, same_march)
    # And each shows its own: feet that rise by 10 cm against feet that go aside.
    ankle = ntu.JOINTS.index("ankle_left")
    ranges = [np.ptp(points[0, :, ankle], axis=0) for points in (march, step)]
    assert ranges[0][1] > 0.1 > 0.06 > ranges[1][1]
    assert ranges[1][0] > 1.5 * ranges[0][0] or ranges[1][2] > 1.5 * ranges[0][2]
    gap = np.abs(red.astype(int) - blue).max(-1).max((1, 2))
    assert gap.min() > 80


def test_exclusive_or_is_told_by_neither_alone():
    settings = carrying("xor", replications=5)
    names = clip_names(settings)[::3]
    table = np.zeros((2, 2, 2))  # class, colour, legs
    for name in names:
        clip = world.stage(settings, name)
        shown = clip.players[0].carried
        color, legs = shown.color == "blue", shown.legs == "step"
        table[name.action - 1, int(color), int(legs)] += 1
        assert name.action - 1 == color ^ legs
    # Given the colour alone, or the legs alone, either class is as likely: 400 draws,
    # three standard deviations are 0.11.
    for alone in (table.sum(2), table.sum(1)):
        share = alone[0] / alone.sum(0)
        assert np.abs(share - 0.5).max() < 0.11
    # The same take seen by three cameras shows the same.
    takes = [
        world.stage(settings, names[0]._replace(camera=camera)).players[0].carried
        for camera in (1, 2, 3)
    ]
    assert len(set(takes)) == 1


def test_complementary_classes_are_half_known_to_each_stream():
    shown = {name: compound.CARRYING[name] for name in compound.SETS["complementary"]}
    assert sorted(one.color for (one,) in shown.values()) == [
        "blue", "green", "green", "red",
    ]  # fmt: skip
    assert sorted(one.legs for (one,) in shown.values()) == [
        "march", "step", "still", "still",
    ]  # fmt: skip
    product = [compound.CARRYING[name][0] for name in compound.SETS["product"]]
    assert len(set(product)) == 4 == len({one.color for one in product}) ** 2


def test_orders_of_the_same_parts_are_the_same_frames():
    style = Style(phase=0.7, delay=0.02, rest=0.04)
    u = (np.arange(120) + 0.5) / 120  # 40 frames a part
    names = compound.SETS["orders"]
    assert len(names) == 6 and len(compound.SETS["orders4"]) == 24
    curves = {}
    for name in names:
        pose = compound.motion(name, u, style, None)
        values = [getattr(pose, field.name) for field in dataclasses.fields(pose)]
        curves[name] = np.concatenate([v.reshape(120, -1) for v in values], 1)
    for name, other in zip(names, names[1:], strict=False):
        blocks = [set(map(bytes, np.round(curves[n], 6) + 0.0)) for n in (name, other)]
        assert blocks[0] == blocks[1] and len(blocks[0]) > 60
        assert np.abs(curves[name] - curves[other]).max() > 0.5
    # Part by part in the order of the name, and no jump where two meet.
    one = curves["wave then clap then kick"]
    two = curves["clap then kick then wave"]
    np.testing.assert_allclose(one[40:], two[:80], atol=1e-9)
    np.testing.assert_allclose(one[:40], two[80:], atol=1e-9)
    assert np.abs(np.diff(one, axis=0))[[39, 79]].max() < 0.02
