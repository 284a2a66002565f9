"""The figures of `results.frame_evidence`, of what is known."""

import numpy as np

from results.frame_evidence import auc, linear, log_chances, report


def test_auc_is_the_chance_that_a_positive_one_is_larger():
    values = np.array([[1.0, 2.0], [3.0, 2.0]])
    positive = np.array([[False, True], [True, False]])
    # Pairs: 2 > 1, 2 = 2, 3 > 1, 3 > 2.
    assert auc(values, positive) == 3.5 / 4


def test_a_linear_head_finds_the_shares_of_labels():
    """Two kinds of features: of the one a quarter is class 1, of the other all."""
    features = np.repeat([[1.0], [-1.0]], 400, axis=0)
    labels = np.concatenate([np.arange(400) % 4 == 0, np.ones(400)]).astype(int)
    chances = np.exp(log_chances(np.array([[1.0], [-1.0]]), linear(features, labels)))
    np.testing.assert_allclose(chances[:, 1], [0.25, 1.0], atol=0.02)


def test_what_single_frames_tell_and_mixed_ones_do_not():
    """The actor's frames, alone, are at one of two places, by the label; an intruder's
    at either. Where all frames of a clip are alike no label says who is who."""
    random = np.random.default_rng(0)
    clips, times = 200, 4
    label = np.arange(clips) % 2
    visible = np.tile(np.arange(2 * times) % 2 == 0, (clips, 1))
    other = random.integers(0, 2, visible.shape)
    alone = np.where(visible, label[:, None], other)[..., None] * 2.0 - 1
    noise = random.normal(size=(*visible.shape, 2))
    mixed = np.concatenate([visible[..., None] + 0.01 * noise[..., :1]], axis=-1)
    kept = random.integers(0, 5, (clips, 8))
    found = {
        "visible": visible,
        "label": label,
        "scores": np.where(visible, 0.0, 1.0),
        "alone": alone + 0.01 * noise[..., 1:],
        "mixed": mixed,
        "loss": 2.0 - 0.25 * kept,
        "actors": kept,
    }
    rgb, ir, loss = report(found)
    for line in (rgb, ir):
        assert "scorer 0.000, probe 1.000, label by mixed frames" in line
        assert float(line.split("alone frames ")[1]) > 0.7
    assert "changes a clip's loss by -0.2500" in loss
