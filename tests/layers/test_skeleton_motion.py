import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.layers.skeleton_motion import positions_and_motion, present_joints


def people(b=2, m=2, t=5, v=7):
    random = np.random.default_rng(3)
    return random.normal(size=(b, m, t, v, 3)).astype(np.float32)


def treated(skeleton, **fields):
    return jax.tree.map(
        np.asarray,
        jax.jit(lambda x: positions_and_motion(x, **fields))(skeleton),
    )


def test_origin_and_motion_by_hand():
    skeleton = np.zeros((1, 2, 3, 2, 3), np.float32)
    skeleton[0, 0, :, 0] = [[1, 0, 2], [2, 0, 2], [4, 0, 2]]
    skeleton[0, 0, :, 1] = [[0, 0, 1], [0, 0, 1], [0, 0, 1]]
    skeleton[0, 1] = skeleton[0, 0] + 1.0
    positions, motion = treated(skeleton)
    np.testing.assert_array_equal(
        positions[0, 0, :, 0], [[1, 0, 1], [2, 0, 1], [4, 0, 1]]
    )
    np.testing.assert_array_equal(positions[0, 1, :, 1], np.ones((3, 3)))
    np.testing.assert_array_equal(motion[0, 0, :, 0], [[0, 0, 0], [1, 0, 0], [2, 0, 0]])
    np.testing.assert_array_equal(motion[0, :, :, 1], 0)
    between = treated(skeleton, origin=(0, 1))[0]
    np.testing.assert_array_equal(between[0, 0, 0], [[0.5, 0, 0.5], [-0.5, 0, -0.5]])


def test_where_people_stand_and_how_they_wander_does_not_count():
    skeleton = people()
    path = np.random.default_rng(5).normal(size=(2, 1, 5, 1, 3)).astype(np.float32)
    for a, b in zip(treated(skeleton), treated(skeleton + path), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_an_absent_person_is_zero_and_stays_so():
    skeleton = people()
    skeleton[:, 1] = 0.0
    alone = treated(skeleton[:, :1])
    for both, one in zip(treated(skeleton), alone, strict=True):
        np.testing.assert_array_equal(both[:, 1], 0)
        np.testing.assert_array_equal(both[:, :1], one)


def test_the_next_person_s_origin_where_the_first_is_absent():
    skeleton = people()
    skeleton[:, 0, 2] = 0.0
    positions, motion = treated(skeleton)
    np.testing.assert_allclose(positions[:, 1, 2, 1], 0, atol=1e-6)
    np.testing.assert_allclose(positions[:, 0, 1, 1], 0, atol=1e-6)
    # Nobody jumps to the origin and back, nor with it.
    np.testing.assert_array_equal(motion[:, :, 2:4], 0)
    assert np.all(motion[:, 1, 1] != 0) and np.all(motion[:, 1, 4] != 0)


def test_an_empty_frame_is_zero_in_positions_and_motion():
    skeleton = people()
    skeleton[:, :, 3] = 0.0
    positions, motion = treated(skeleton)
    np.testing.assert_array_equal(positions[:, :, 3], 0)
    np.testing.assert_array_equal(motion[:, :, 3:5], 0)
    nothing = treated(np.zeros_like(skeleton))
    assert not np.any(nothing[0]) and not np.any(nothing[1])


@pytest.mark.parametrize("lost", [np.inf, 0.0])
def test_a_missing_joint_is_zero_and_moves_no_other(lost):
    skeleton = people()
    whole = treated(skeleton)
    skeleton[:, 0, 2, 4, 1] = np.nan
    skeleton[:, 1, 3, 5] = lost
    positions, motion = treated(skeleton)
    assert np.isfinite(positions).all() and np.isfinite(motion).all()
    gone = np.zeros(skeleton.shape, bool)
    gone[:, 0, 2, 4] = gone[:, 1, 3, 5] = True
    np.testing.assert_array_equal(positions[gone], 0)
    np.testing.assert_array_equal(positions[~gone], whole[0][~gone])
    still = gone | np.roll(gone, 1, axis=2)
    np.testing.assert_array_equal(motion[still], 0)
    np.testing.assert_array_equal(motion[~still], whole[1][~still])


@pytest.mark.parametrize("lost", [np.nan, 0.0])
def test_a_missing_origin_gives_way_to_the_middle_of_what_was_seen(lost):
    skeleton = people()
    skeleton[:, 0, 2, 1] = lost
    positions, motion = treated(skeleton)
    seen = np.delete(positions[:, 0, 2], 1, axis=1)
    np.testing.assert_allclose(seen.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_array_equal(motion[:, :, 2:4], 0)


def test_present_joints():
    skeleton = people(1)
    skeleton[0, 0, 0, 3] = np.nan
    skeleton[0, 0, 1, 3] = 0.0  # no joint is in the camera
    skeleton[0, 0, 3, 3, 1:] = 0.0  # on its axis, it is one
    skeleton[0, 1, 2] = 0.0
    seen = np.asarray(present_joints(jnp.asarray(skeleton)))
    expected = np.ones((1, 2, 5, 7), bool)
    expected[0, 0, :2, 3] = expected[0, 1, 2] = False
    np.testing.assert_array_equal(seen, expected)


def test_gradients_of_missing_joints_are_finite():
    skeleton = people()
    skeleton[:, 0, 2] = np.nan
    grads = jax.jit(
        jax.grad(lambda x: sum(jnp.sin(y).sum() for y in positions_and_motion(x)))
    )(skeleton)
    assert np.isfinite(grads).all()
    np.testing.assert_array_equal(grads[:, 0, 2], 0)


@pytest.mark.parametrize("origin", [(7,), (-1,), ()])
def test_an_origin_that_is_no_joint(origin):
    with pytest.raises(ValueError, match="one or more joints of the 7"):
        positions_and_motion(people(), origin)
