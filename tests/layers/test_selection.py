import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.devices import platform
from jaxact.layers import selection
from jaxact.layers.selection import (
    FrameScorer,
    frame_counts,
    frame_weights,
    log_choice,
    perturbed_gather,
    perturbed_top_k,
    region_counts,
    select_frames,
    select_regions,
)


def test_counts_of_the_paper():
    assert frame_counts(16, 0.25, 0.25) == (4, 4)
    assert frame_counts(16, 0.375, 0.125) == (6, 2)
    assert region_counts(196, 0.60, 0.35) == (118, 69)
    assert 4 * 118 + 4 * 69 == 748


def test_marks_by_hand():
    scores = jnp.array([[0.1, 0.9, 0.5, 0.7, 0.2, 0.8, 0.0, 0.3]])
    marks = select_frames(scores, 0.25, 0.25)
    np.testing.assert_array_equal(marks, [[0, 2, 1, 1, 0, 2, 0, 0]])
    assert marks.dtype == jnp.int32


def test_ties_break_by_index():
    marks = select_frames(jnp.zeros((1, 8)), 0.25, 0.25)
    np.testing.assert_array_equal(marks, [[2, 2, 1, 1, 0, 0, 0, 0]])
    keep = select_regions(jnp.zeros((1, 3, 5)), jnp.array([[2, 1, 0]]), 0.6, 0.4)
    np.testing.assert_array_equal(
        keep[0], [[1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]]
    )


def test_regions_kept_are_the_best_of_their_frame():
    random = np.random.default_rng(0)
    scores = jnp.asarray(random.random((3, 16, 196)), jnp.float32)
    frame_scores = jnp.asarray(random.random((3, 16)), jnp.float32)
    marks = select_frames(frame_scores, 0.25, 0.25)
    keep = select_regions(scores, marks, 0.60, 0.35)
    kept = np.asarray(keep.sum(axis=-1))
    np.testing.assert_array_equal(kept, np.array([0, 69, 118])[np.asarray(marks)])
    assert kept.sum(axis=-1).tolist() == [748] * 3
    lowest_kept = jnp.where(keep, scores, 2.0).min(axis=-1)
    highest_dropped = jnp.where(keep, -1.0, scores).max(axis=-1)
    used = marks > 0
    assert bool(jnp.all(jnp.where(used, lowest_kept > highest_dropped, True)))


@pytest.mark.parametrize(("k1", "k2"), [(0.75, 0.5), (-0.25, 0.5)])
def test_impossible_fractions(k1, k2):
    with pytest.raises(ValueError, match=r"k1 \+ k2 must be"):
        frame_counts(16, k1, k2)
    with pytest.raises(ValueError, match=r"both must be in \[0, 1\]"):
        region_counts(16, 1.5, 0.5)


def test_scorer_normalises_over_all_frames_together():
    patches = jax.random.normal(jax.random.key(0), (3, 7, 5, 6))
    scorer = FrameScorer()
    variables = scorer.init(jax.random.key(1), patches)
    scores = scorer.apply(variables, patches)
    assert scores.shape == (3, 7) and scores.dtype == jnp.float32
    np.testing.assert_allclose(scores.min(axis=-1), 0.0, atol=1e-7)
    np.testing.assert_allclose(scores.max(axis=-1), 1.0, atol=1e-6)
    shapes = jax.tree.map(jnp.shape, variables["params"])
    assert shapes["fc1"]["kernel"] == (6, 3) and shapes["fc2"]["kernel"] == (6, 1)


@pytest.mark.parametrize(("weight", "bent"), [(0.0, 0.2425), (1.0, 0.3364)])
def test_the_printed_scorer_cannot_see_the_whole_clip_a_nonlinear_one_can(weight, bent):
    """Width 2, FC1 = the sum; frames with f_loc 1, -1 and 3, so f_glo = 1.

    Linear: f_loc + w f_glo is 0.5 between its ends whatever w is. With GELUs f_loc is
    .8413 -.1587 2.9960 and f_glo 1.2262; w = 1: GELU(2.0675, 1.0675, 4.2222) = 2.0275
    .9150 4.2221, and 2.0275 is .3364 between its ends; w = 0: .6730 -.0693 2.9919.
    """
    patches = jnp.broadcast_to(
        jnp.array([0.5, -0.5, 1.5])[None, :, None, None], (1, 3, 1, 2)
    )
    both = {"kernel": jnp.array([[1.0], [weight]]), "bias": jnp.zeros(1)}
    params = {
        "fc1": {"kernel": jnp.ones((2, 1)), "bias": jnp.zeros(1)},
        "fc2": both,
    }
    linear = FrameScorer().apply({"params": params}, patches)
    np.testing.assert_allclose(linear, [[0.5, 0.0, 1.0]], atol=1e-6)
    one = {"kernel": jnp.ones((1, 1)), "bias": jnp.zeros(1)}
    params |= {"hidden": both, "fc2": one}
    scores = FrameScorer(nonlinear=True).apply({"params": params}, patches)
    np.testing.assert_allclose(scores, [[bent, 0.0, 1.0]], atol=1e-4)


def test_scores_are_float32_whatever_the_patches_are():
    """Frames whose scores differ by less than bfloat16 can tell stay in order."""
    steps = 1.0 + jnp.arange(5.0) / 4096
    patches = jnp.broadcast_to(steps[None, :, None, None], (1, 5, 3, 2))
    params = {
        "fc1": {"kernel": jnp.ones((2, 1)), "bias": jnp.zeros(1)},
        "fc2": {"kernel": jnp.ones((2, 1)), "bias": jnp.zeros(1)},
    }
    scores = FrameScorer().apply({"params": params}, patches)
    np.testing.assert_allclose(scores, [[0.0, 0.25, 0.5, 0.75, 1.0]], atol=1e-3)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_equal_frames_give_zeros_and_finite_gradients(dtype):
    patches = jnp.ones((2, 7, 5, 6), dtype)
    scorer = FrameScorer()
    variables = scorer.init(jax.random.key(1), patches)
    np.testing.assert_array_equal(scorer.apply(variables, patches), np.zeros((2, 7)))
    grads = jax.grad(lambda v, x: scorer.apply(v, x).sum(), argnums=(0, 1))(
        variables, patches
    )
    chex.assert_tree_all_finite(grads)


def test_straight_through_is_one_in_value_and_the_score_in_gradient():
    scores = jnp.array([[0.3, 0.123456, 1.0]])
    np.testing.assert_array_equal(frame_weights(scores, "straight_through"), 1.0)
    factors = jnp.array([[2.0, -3.0, 5.0]])
    grad = jax.grad(lambda s: (frame_weights(s, "straight_through") * factors).sum())
    np.testing.assert_array_equal(grad(scores), factors)
    none = jax.grad(lambda s: (frame_weights(s, "none") * factors).sum())
    np.testing.assert_array_equal(none(scores), 0.0)
    with pytest.raises(ValueError, match="Got estimator 'soft'"):
        frame_weights(scores, "soft")


def test_perturbed_inclusion_probabilities():
    # Two of three frames: with little noise the choice is hard ...
    scores = jnp.array([[0.9, 0.1, 0.5]])
    hard = perturbed_top_k(jax.random.key(0), scores, 2, sigma=1e-3)
    np.testing.assert_array_equal(hard, [[1, 0, 1]])
    # ... and with equal scores every frame is in with probability 2/3.
    soft = perturbed_top_k(jax.random.key(0), jnp.zeros((1, 3)), 2, 0.1, 20000)
    np.testing.assert_allclose(soft, 2 / 3, atol=0.015)
    np.testing.assert_allclose(soft.sum(), 2.0, rtol=1e-5)


def test_perturbed_gradient_is_that_of_the_expectation():
    # Two frames, one selected: P(first) = Phi((s1 - s2) / (sigma sqrt 2)), whose
    # derivative at equal scores is 1 / (sigma sqrt(4 pi)).
    sigma = 0.5

    def first(scores):
        return perturbed_top_k(jax.random.key(3), scores, 1, sigma, 200_000)[0, 0]

    grad = jax.grad(first)(jnp.zeros((1, 2)))[0]
    expected = 1 / (sigma * np.sqrt(4 * np.pi))
    np.testing.assert_allclose(grad, [expected, -expected], atol=0.02)


def test_gathering_by_hand():
    """Key frame 3, secondary 0 and 2 (in their order in time, not of their scores)."""
    scores = jnp.array([[0.4, 0.1, 0.5, 0.9]])
    places = perturbed_gather(jax.random.key(0), scores, (1, 2), 1e-4, 5)
    np.testing.assert_array_equal(places, [[[0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0]]])
    # Two of three equal ones: the first place is frame 0's in two of three cases.
    soft = perturbed_gather(jax.random.key(1), jnp.zeros((1, 3)), (2, 0), 1.0, 20_000)
    third = 1 / 3
    expected = [[[2 * third, third, 0], [0, third, 2 * third]]]
    np.testing.assert_allclose(soft, expected, atol=0.015)


def test_gathering_s_gradient_is_that_of_the_expectation():
    """One of three equal scores: dP_i/ds_i = E[max of three normals] / (3 sigma).

    E[max] = 3 / (2 sqrt pi), and another score's part is minus half of it.
    """
    sigma = 0.5

    def first(scores):
        return perturbed_gather(jax.random.key(3), scores, (1, 0), sigma, 200_000)[
            0, 0, 0
        ]

    own = 1 / (2 * np.sqrt(np.pi) * sigma)
    grad = jax.grad(first)(jnp.zeros((1, 3)))[0]
    np.testing.assert_allclose(grad, [own, -own / 2, -own / 2], atol=0.01)


def test_log_choice_by_hand():
    """Of weights 1, 2, 5: first 5 of 8, then 1 of the 3 that are left."""
    scores = 0.5 * jnp.log(jnp.array([[1.0, 2.0, 5.0]]))
    noisy, marks = jnp.array([[0.7, 0.1, 0.9]]), jnp.array([[1, 0, 2]])
    likely = log_choice(scores, noisy, marks, 0.5)
    np.testing.assert_allclose(np.exp(likely), 5 / 8 * 1 / 3, rtol=1e-5)
    there = jnp.array([[True, False, True]])  # then 5 of 6, and the one that is left
    likely = log_choice(scores, noisy, marks, 0.5, there)
    np.testing.assert_allclose(np.exp(likely), 5 / 6, rtol=1e-5)


def test_the_score_function_is_unbiased():
    """Two frames, one drawn: over both draws, each as likely as it is, the estimates'
    mean is the gradient of the expected cost, with any baseline.
    """
    scores, costs, sigma = jnp.array([[0.3, 0.1]]), (2.0, -1.0), 0.4
    draws = [(jnp.array([[1.0, 0.0]]), jnp.array([[2, 0]]))]
    draws += [(x[:, ::-1], marks[:, ::-1]) for x, marks in draws]

    def likely(scores, draw):
        return log_choice(scores, *draw, sigma)[0]

    first = 1 / (1 + np.exp(-0.2 / sigma))
    np.testing.assert_allclose(np.exp(likely(scores, draws[0])), first, rtol=1e-5)
    expected = (costs[0] - costs[1]) * first * (1 - first) / sigma
    for baseline in (0.0, 1.7):
        estimate = sum(
            p * (cost - baseline) * jax.grad(likely)(scores, draw)[0]
            for p, cost, draw in zip((first, 1 - first), costs, draws, strict=True)
        )
        np.testing.assert_allclose(estimate, [expected, -expected], rtol=1e-4)


def test_gumbel_noise_draws_as_often_as_log_choice_says():
    scores, sigma = jnp.log(jnp.array([[1.0, 2.0, 5.0]])) * 0.5, 0.5
    noise = jax.random.gumbel(jax.random.key(5), (20_000, 3))
    marks = select_frames(scores + sigma * noise, 1 / 3, 0.0)
    np.testing.assert_allclose(
        (marks > 0).mean(axis=0), [1 / 8, 2 / 8, 5 / 8], atol=0.01
    )


def test_portable_ranks_are_those_of_sorting():
    scores = jnp.array(
        [[0.5, 0.25, 0.5, 1.0, -jnp.inf, -jnp.inf], [3.0, 1, 2, 1, 1, 0]]
    )
    with platform.compiling_for(platform.PORTABLE):
        rank = selection._descending_rank(scores)
    assert rank.tolist() == [[1, 3, 2, 0, 4, 5], [0, 2, 1, 3, 4, 5]]
    np.testing.assert_array_equal(rank, selection._descending_rank(scores))


def test_a_centred_scorer_reads_where_frames_differ_from_their_group_s_mean():
    """Features 1 + (3 0), 1 - (3 0) and (1 1), then twice as far apart elsewhere: LN
    makes (1 -1), (-1 1) and zeros of either, and FC1 = (1 0), FC2 = (1 0) reads the
    first: 1, -1 and 0, which are 1, 0 and .5 between their ends."""
    steps = jnp.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 0.0]])
    streams = jnp.concatenate([1.0 + steps, 40.0 + 2 * steps])
    patches = jnp.broadcast_to(streams[None, :, None], (1, 6, 4, 2))
    zero = jnp.zeros(1)
    params = {
        "norm": {"scale": jnp.ones(2), "bias": jnp.zeros(2)},
        "fc1": {"kernel": jnp.array([[1.0], [0.0]]), "bias": zero},
        "fc2": {"kernel": jnp.array([[1.0], [0.0]]), "bias": zero},
    }
    scorer = FrameScorer(groups=2, centred=True)
    apply = jax.jit(scorer.apply)
    expected = np.array([[1.0, 0.0, 0.5] * 2])
    np.testing.assert_allclose(apply({"params": params}, patches), expected, atol=1e-4)
    missing = jnp.arange(6)[None] < 3
    expected[:, 3:] = 0
    some = apply({"params": params}, patches, missing)
    np.testing.assert_allclose(some, expected, atol=1e-4)
