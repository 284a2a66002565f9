import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact import errors
from jaxact.layers.chosen import Choice, everything, nearness, preference
from jaxact.metrics import patches_in_box


def choose(visible=None, box=None, present=None, rng=None, **fields):
    """Chooses 2 + 2 of 8 frames, and 4 and 2 of 4 x 4 regions."""
    fields = {"frame_fractions": (0.25, 0.25), "region_fractions": (0.25, 0.125)} | (
        fields
    )
    random = np.random.default_rng(0)
    batch = {"progress": 0.5}
    rows = 1
    if visible is not None:
        rows = len(visible)
        zeros = np.zeros((*visible.shape, 4), np.float32)
        batch |= {"actor_visible": visible, "actor_box": zeros if box is None else box}
    regions = jnp.asarray(random.random((rows, 8, 16), np.float32))
    return Choice(**fields)(
        jnp.zeros((rows, 8, 16, 3)),
        regions,
        batch,
        (32, 32),
        present=present,
        train=True,
        rng=rng,
    )


def test_without_looking_frames_are_spread_over_the_clip():
    """Half of 16, in two streams of 8: as many of each, and never three in a row."""
    values = preference(16)
    assert sorted(values.tolist()) == [x / 16 for x in range(1, 17)]
    first = np.sort(np.argsort(-values)[:8])
    assert first.tolist() == [1, 2, 4, 7, 9, 12, 14, 15]
    np.testing.assert_array_equal(np.argsort(-preference(8, (3, 0)))[:2], [3, 0])


@pytest.mark.parametrize("positions", [(1, 1), (0, 8)])
def test_positions_that_are_none(positions):
    with pytest.raises(ValueError, match=r"different numbers from 0 to 7"):
        preference(8, positions)


def test_positions_are_the_same_in_every_clip_and_key_frames_come_first():
    chosen = choose(
        np.zeros((2, 8), bool), frames_from="positions", positions=(5, 2, 7, 0)
    )
    np.testing.assert_array_equal(chosen.marks, [[1, 0, 2, 0, 0, 2, 0, 1]] * 2)
    assert chosen.keep.sum(-1).tolist() == [[2, 0, 4, 0, 0, 4, 0, 2]] * 2
    np.testing.assert_array_equal(chosen.weights, 1)


def test_what_is_kept_is_what_the_truth_shows():
    """Four or more of eight frames show the actor: no other is kept, by nobody."""
    random = np.random.default_rng(1)
    visible = np.array([random.permutation(8) < k for k in (4, 5, 6, 8)])
    marks = np.asarray(choose(visible, frames_from="truth").marks)
    assert (marks[~visible] == 0).all()
    assert ((marks > 0).sum(1) == 4).all() and ((marks == 2).sum(1) == 2).all()
    few = np.arange(8)[None] == 6  # one alone: it is the first key frame
    assert np.asarray(choose(few, frames_from="truth").marks)[0, 6] == 2


def test_the_truth_of_a_stream_that_is_missing_chooses_nothing():
    present = jnp.arange(8)[None] < 4
    chosen = choose(np.ones((1, 8), bool), present=present, frames_from="truth")
    # A quarter and a quarter of the four that there are.
    assert sorted(chosen.marks[0, :4].tolist()) == [0, 0, 1, 2]
    np.testing.assert_array_equal(chosen.marks[0, 4:], 0)
    np.testing.assert_array_equal(chosen.scores[0, 4:], 0)


def test_regions_on_the_actor_are_kept_before_all_others():
    """A box of 2 x 2 patches; where nobody is seen the rollout's best are kept."""
    visible = np.arange(8)[None] % 2 == 0
    box = np.tile(np.float32([0.25, 0.5, 0.75, 1.0]), (1, 8, 1)) * visible[..., None]
    fields = {"frames_from": "positions", "positions": (0, 1, 2, 3)}
    given = choose(visible, box, regions_from="truth", **fields)
    own = choose(visible, box, **fields)
    keep = np.asarray(given.keep)
    on_actor = patches_in_box(box, (4, 4))
    np.testing.assert_array_equal(np.flatnonzero(on_actor[0, 0]), [6, 7, 10, 11])
    np.testing.assert_array_equal(keep[0, 0], on_actor[0, 0])
    assert keep[0, 2].sum() == 2 and on_actor[0, 2][keep[0, 2]].all()
    np.testing.assert_array_equal(keep[0, 1::2], own.keep[0, 1::2])
    assert (keep[0, 0] != own.keep[0, 0]).any()


def test_nearness_falls_from_the_middle_of_the_box():
    """2 x 3 patches; the box's middle is the first patch's centre."""
    near = nearness(jnp.array([0.0, 0.0, 0.5, 1 / 3]), (2, 3))
    np.testing.assert_allclose(near, 1 / np.array([1, 3, 5, 3, 3, 5]), rtol=1e-5)


@pytest.mark.parametrize(
    "fields", [{"frames_from": "truth"}, {"regions_from": "truth"}]
)
def test_a_batch_without_truth_is_told(fields):
    fields = {"frames_from": "positions"} | fields
    with pytest.raises(errors.UserError, match=r"--config\.data\.truth=True"):
        choose(**fields)


def test_truth_of_one_view_of_several_is_told():
    visible, box = np.ones((2, 8), bool), np.zeros((2, 8, 4), np.float32)
    batch = {"actor_visible": visible[:1], "actor_box": box[:1]}
    choice = Choice((0.25, 0.25), (0.25, 0.125), frames_from="truth")
    with pytest.raises(errors.UserError, match="eval_views_at_once=1"):
        choice(
            jnp.zeros((2, 8, 16, 3)),
            jnp.zeros((2, 8, 16)),
            batch,
            (32, 32),
            present=None,
            train=False,
            rng=lambda: jax.random.key(0),
        )


def test_everything_is_all_that_is_there():
    present = jnp.array([[True, False]])
    chosen = everything(jnp.zeros((1, 2, 3)), present)
    assert chosen.marks.tolist() == [[2, 0]]
    assert chosen.keep.tolist() == [[[True] * 3, [False] * 3]]


def scorer_of(patches, **fields):
    """What a choice by scores gives of patches, in a module with random parameters."""
    choice = Choice((0.25, 0.25), (0.25, 0.125), **fields)

    class Module(nn.Module):
        @nn.compact
        def __call__(self, patches, present=None, train=False):
            return choice(
                patches,
                patches[..., 0],
                {"progress": 0.5},
                (32, 32),
                present=present,
                train=train,
                rng=lambda: self.make_rng("selection"),
            )

    return Module(), Module().init({"params": jax.random.key(0)}, patches)


def two_streams():
    """Two streams of 8 frames; all of the second have larger features by far."""
    patches = jax.random.normal(jax.random.key(3), (3, 16, 16, 4))
    return patches + jnp.where(jnp.arange(16) < 8, 0.0, 50.0)[None, :, None, None]


def test_frames_of_a_stream_compete_with_each_other_alone():
    """Of two streams of which one has all the high scores: all of the clip's best are
    of one; the best of each stream are as many of each, and each has a best of 1."""
    patches = two_streams()
    model, variables = scorer_of(patches)
    marks = np.asarray(model.apply(variables, patches).marks) > 0
    assert sorted(marks[0].reshape(2, 8).sum(1).tolist()) == [0, 8]
    model, _ = scorer_of(patches, groups=2)
    chosen = model.apply(variables, patches)
    marks, scores = np.asarray(chosen.marks), np.asarray(chosen.scores)
    for mark in (1, 2):
        assert ((marks.reshape(3, 2, 8) == mark).sum(-1) == 2).all()
    np.testing.assert_allclose(scores.reshape(3, 2, 8).max(-1), 1, atol=1e-6)
    np.testing.assert_allclose(scores.reshape(3, 2, 8).min(-1), 0, atol=1e-6)
    # Within a stream the order is that of the raw scores, as without groups.
    one = Choice((0.25, 0.25), (0.25, 0.125)).frame_counts(8)
    assert Choice((0.25, 0.25), (0.25, 0.125), groups=2).frame_counts(16) == tuple(
        2 * x for x in one
    )


def test_of_streams_that_compete_apart_one_may_be_missing():
    patches = two_streams()
    model, variables = scorer_of(patches, groups=2)
    every = model.apply(variables, patches).marks
    present = jnp.broadcast_to(jnp.arange(16) < 8, (3, 16))
    chosen = model.apply(variables, patches, present)
    np.testing.assert_array_equal(chosen.marks[:, 8:], 0)
    np.testing.assert_array_equal(chosen.scores[:, 8:], 0)
    np.testing.assert_array_equal(chosen.marks[:, :8], every[:, :8])


@pytest.mark.parametrize("estimator", ["perturbed", "gathered", "score_function"])
def test_estimators_of_streams_that_compete_apart(estimator):
    """Each stream's share of what is kept is a half, whatever the noise."""
    patches = two_streams()
    model, variables = scorer_of(patches, groups=2, estimator=estimator, sigma=0.5)
    rngs = {"selection": jax.random.key(1)}
    chosen = model.apply(variables, patches, train=True, rngs=rngs)
    if estimator == "gathered":
        shares = np.asarray(chosen.places).reshape(3, 2, 4, 2, 8).sum((2, 4))
        np.testing.assert_allclose(shares, np.broadcast_to(4 * np.eye(2), (3, 2, 2)))
        np.testing.assert_array_equal(chosen.marks, [[2, 2, 1, 1] * 2] * 3)
    else:
        kept = np.asarray(chosen.marks > 0).reshape(3, 2, 8).sum(-1)
        np.testing.assert_array_equal(kept, 4)
    if estimator == "perturbed":
        each = np.asarray(chosen.weights).reshape(3, 2, 8).sum(-1)
        np.testing.assert_allclose(each, 4, rtol=1e-5)
    if estimator == "score_function":
        # 4 of 8 in either stream: at equal scores 1 / (8 7 6 5), twice.
        assert chosen.more["log_choice"].shape == (3,)
        equal = model.apply(variables, jnp.zeros((1, 16, 16, 4)), train=True, rngs=rngs)
        np.testing.assert_allclose(
            equal.more["log_choice"], [-2 * np.log(8 * 7 * 6 * 5)], rtol=1e-5
        )
