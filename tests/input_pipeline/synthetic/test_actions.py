"""The staged world's actions: ordered pairs, bones, feet and hands; noisy joints."""

import dataclasses

import numpy as np
import pytest

from input_pipeline.formats import ntu
from input_pipeline.synthetic import (
    body,
    files,
    world,
)
from input_pipeline.synthetic.actions import (
    ACTIONS,
    REVERSALS,
    Duet,
    Style,
    perform,
)
from input_pipeline.synthetic.render import render
from tests.input_pipeline.synthetic.test_render import NAMES, config


@pytest.mark.parametrize("pair", REVERSALS, ids="/".join)
def test_ordered_pairs_are_reversals(pair):
    u = np.linspace(0, 1, 41)
    style = Style(delay=0.03, rest=0.11, left_handed=True)
    first, second = (perform(action, u, style) for action in pair)
    backwards = perform(pair[1], 1 - u, style)
    for field in dataclasses.fields(first):
        there, here = (getattr(pose, field.name) for pose in (first, backwards))
        np.testing.assert_allclose(there, here, atol=1e-12)
    # And neither is its own reversal: order is what tells them apart.
    place, yaw = np.zeros((41, 3)), np.zeros(41)
    one, two = (body.joints(pose, 1.7, place, yaw) for pose in (first, second))
    assert np.abs(one - two).max() > 0.25
    np.testing.assert_allclose(one, two[::-1], atol=1e-9)


def test_every_pair_of_actions_differs_in_its_motion():
    u = np.linspace(0, 1, 30)
    shapes = {}
    for action in ACTIONS:
        motion = perform(action, u, Style())
        pose = motion.first if isinstance(motion, Duet) else motion
        shapes[action] = body.joints(pose, 1.7, np.zeros((30, 3)), np.zeros(30))
    for one in ACTIONS:
        for two in ACTIONS:
            if one < two:
                gap = np.linalg.norm(shapes[one] - shapes[two], axis=-1).max()
                assert gap > 0.2, (one, two, gap)


def test_three_cameras_see_one_take():
    settings = config()
    takes = [
        files.skeletons(settings, world.stage(settings, NAMES[2]._replace(camera=c)))
        for c in (1, 2, 3)
    ]
    distances = []
    for take in takes:
        points = take.points.astype(np.float64).reshape(-1, 3)[:150]
        distances.append(np.linalg.norm(points[:, None] - points[None], axis=-1))
        assert 1 < take.points[..., 2].min() and take.points[..., 2].max() < 4
    np.testing.assert_allclose(distances[0], distances[1], atol=1e-5)
    np.testing.assert_allclose(distances[0], distances[2], atol=1e-5)
    assert np.abs(takes[0].points - takes[1].points).max() > 0.3


def test_subjects_and_takes_differ():
    settings = config()
    looks = [world.subject(settings, number) for number in range(1, 11)]
    assert np.ptp([look.height for look in looks]) > 0.15
    assert len({tuple(look.shirt) for look in looks}) == 10
    assert 0 < sum(look.left_handed for look in looks) < 10
    styles = {
        world.stage(settings, NAMES[0]._replace(subject=s, replication=r))
        .players[0]
        .style
        for s in (1, 2)
        for r in (1, 2)
    }
    assert len(styles) == 4


def test_a_noisy_skeleton_shakes_and_guesses_in_spells_and_changes_no_picture():
    for name in NAMES[:3]:
        clip = world.stage(config(), name)
        noisy_config = config(noisy_skeleton=1.0)
        noisy_clip = world.stage(noisy_config, name)
        assert noisy_clip.difficulties == ("noisy_skeleton",)
        clean = files.skeletons(config(), clip)
        noisy = files.skeletons(noisy_config, noisy_clip)
        guessed = noisy.tracked == ntu.INFERRED
        assert 0.5 < guessed.mean() < 0.7 and (clean.tracked == ntu.TRACKED).all()
        off = noisy.points - clean.points
        far = np.linalg.norm(off, axis=-1)
        assert 0.06 < far[~guessed].mean() / np.sqrt(3) < 0.09
        assert 0.3 < far[guessed].mean() / np.sqrt(3) < 0.5
        # Half a second is 7 or 8 frames at 15 a second: all of a spell are off alike.
        assert (guessed[:, 0] == guessed[:, 7]).all()
        assert (guessed[:, 7] != guessed[:, 8]).any()
        alike = (off[:, 0] - off[:, 7])[guessed[:, 0]]
        assert 0.06 < alike.std() / np.sqrt(2) < 0.1  # the shaking alone
        # The joints are where the pictures show the noisy ones, and nothing else moved.
        assert not np.allclose(noisy.depth_xy, clean.depth_xy, atol=1)
        one, other = (
            render(config(), clip, "ir"),
            render(noisy_config, noisy_clip, "ir"),
        )
        np.testing.assert_array_equal(one.frames, other.frames)
