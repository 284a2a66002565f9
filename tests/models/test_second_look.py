"""The student's second look: at what is kept, and at nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.models.second_look import indicator
from tests.models.test_stafusion import batch_of, gradients, run, small, variables_of

AGAIN = {"look": "again", "compete": "stream"}
# Of each stream's four frames the third and the first one.
GIVEN = {"frames_from": "positions", "positions": (2, 0, 6, 4)}
SHARED = pytest.mark.parametrize(
    "share", [True, pytest.param(False, marks=pytest.mark.long)]
)


def test_the_kept_frames_stand_in_order():
    kept = np.array([[[0, 1, 0, 1], [1, 0, 0, 0]]], bool)
    found = indicator(kept, 2)
    want = [[[0, 1, 0, 0], [0, 0, 0, 1]], [[1, 0, 0, 0], [0, 0, 0, 0]]]
    np.testing.assert_array_equal(found, [want])


def random_batch(config):
    random = np.random.default_rng(3)
    return {
        name: jnp.asarray(random.integers(0, 256, x.shape, np.uint8))
        if name in config.streams
        else x
        for name, x in batch_of(config).items()
    }


@SHARED
def test_where_all_frames_are_kept_it_sees_what_the_first_look_saw(share):
    fields = {"k1": 1.0, "k2": 0.0, "share_backbone": share, "class_token": "sum"}
    fields |= {"compete": "stream"}
    once, again = small(**fields), small(**fields, look="again")
    variables = variables_of(tuple(fields.items()))
    batch = random_batch(once)
    want, got = run(once, variables, batch), run(again, variables, batch)
    assert want.keys() == got.keys()
    for name in want:
        np.testing.assert_allclose(got[name], want[name], atol=2e-5, err_msg=name)


@SHARED
def test_nothing_of_a_dropped_frame_reaches_the_student(share):
    fields = AGAIN | GIVEN | {"share_backbone": share, "class_token": "sum"}
    variables = variables_of(tuple(fields.items()))
    for look, reaches in (("again", False), ("once", True)):
        config = small(**(fields | {"look": look}))
        batch, apply = random_batch(config), jax.jit(config.build().apply)
        one = apply(variables, batch)

        def moved(frame, one=one, batch=batch, apply=apply):
            changed = batch["ir"].at[:, frame].set(255 - batch["ir"][:, frame])
            two = apply(variables, {**batch, "ir": changed})
            names = ("logits", "teacher_logits")
            return [float(np.abs(one[name] - two[name]).max()) for name in names]

        student, teacher = moved(frame=1)  # dropped
        assert (student > 1e-3) == reaches and (student == 0) != reaches
        assert teacher > 1e-3
        assert moved(frame=2)[0] > 1e-3  # kept


def test_kept_frames_stand_at_their_own_times():
    fields = AGAIN | GIVEN
    config = small(**fields)
    params = variables_of(tuple(fields.items()))["params"]
    batch, apply = random_batch(config), jax.jit(config.build().apply)
    one = apply({"params": params}, batch)["logits"]

    way = np.linspace(-1, 1, config.width)  # a norm would take away one that is even

    def with_other_time(frame):
        changed = jax.tree_util.tree_map_with_path(
            lambda path, x: x.at[frame].add(way) if path[-1].key == "time" else x,
            params,
        )
        return apply({"params": changed}, batch)["logits"]

    for frame in range(4):  # the first and the third are seen
        moved = np.abs(with_other_time(frame) - one).max()
        assert (moved > 1e-4) == (frame in (0, 2))


def test_the_report_sees_the_frames_of_the_clip():
    config = small(**AGAIN)
    out = run(config, variables_of(tuple(AGAIN.items())), random_batch(config))
    assert out["keep"].shape == (2, 8, 25) and out["student_patches"].shape[1] == 8
    kept = np.asarray(out["keep"].sum(axis=-1))
    np.testing.assert_array_equal(kept, np.array([0, 9, 15])[out["frame_marks"]])
    dropped = np.asarray(out["frame_marks"]) == 0
    assert dropped.reshape(2, 2, 4).sum(axis=2).tolist() == [[2, 2], [2, 2]]
    assert not np.any(np.asarray(out["student_patches"])[dropped])
    # The best of the scores that are shown are those that were kept.
    scores = np.where(out["keep"], out["region_scores"], -1).max(axis=-1)
    best = np.asarray(out["region_scores"]).max(axis=-1)
    np.testing.assert_array_equal(scores[~dropped], best[~dropped])


@pytest.mark.long
def test_gradients_reach_every_parameter_with_a_ranking_loss():
    fields = AGAIN | {
        "class_token": "learned",
        "estimator": "none",
        "ranking_weight": 1.0,
    }
    config, names = small(**fields), tuple(fields.items())
    found = gradients(config, variables_of(names), train=True, rngs=RNGS)
    for name, grad in found.items():
        if name != "scorer/fc2/bias":
            assert np.any(grad != 0), f"no gradient reaches {name}"


@pytest.mark.long
def test_a_clip_that_lacks_a_stream_is_what_the_other_shows():
    config = small(**AGAIN, class_token="sum")
    variables = variables_of((*AGAIN.items(), ("class_token", "sum")))
    batch = random_batch(config)
    there = {**batch, "present": jnp.array([[True, True], [True, False]])}
    other = {**there, "ir": there["ir"].at[1].set(7)}
    one, two = (run(config, variables, each) for each in (there, other))
    np.testing.assert_array_equal(one["logits"], two["logits"])
    assert not np.any(one["keep"][1, 4:])


def test_both_answer_where_they_are_asked_to_but_not_in_training():
    config, alone = small(**AGAIN, answer="both"), small(**AGAIN)
    variables = variables_of(tuple(AGAIN.items()))
    batch = random_batch(config)
    out = run(config, variables, batch)
    one = run(alone, variables, batch)
    np.testing.assert_array_equal(out["student_logits"], one["logits"])
    scores = [
        jax.nn.softmax(out[name])
        for name in ("logits", "student_logits", "teacher_logits")
    ]
    np.testing.assert_allclose(scores[0], (scores[1] + scores[2]) / 2, atol=1e-6)
    assert np.abs(scores[1] - scores[2]).max() > 1e-3
    in_training = {"train": True, "rngs": RNGS}
    out, one = (run(x, variables, batch, **in_training) for x in (config, alone))
    assert "student_logits" not in out
    np.testing.assert_array_equal(out["logits"], one["logits"])


RNGS = {"dropout": jax.random.key(1), "selection": jax.random.key(2)}
