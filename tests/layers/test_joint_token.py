"""One class token of several streams' tokens, by hand."""

import jax
import numpy as np
import pytest

from jaxact.layers.joint_token import JointToken

TOKENS = np.array([[[1.0, 2.0], [3.0, 6.0]], [[5.0, 0.0], [7.0, 4.0]]], np.float32)
PRESENT = np.array([[True, True], [False, True]])


@pytest.mark.parametrize(
    ("kind", "all_there", "one_missing"),
    [
        ("mean", [[2, 4], [6, 2]], [[2, 4], [7, 4]]),
        # Of those that are there, as large as of both.
        ("sum", [[4, 8], [12, 4]], [[4, 8], [14, 8]]),
    ],
)
def test_mean_and_sum_of_the_streams_that_are_there(kind, all_there, one_missing):
    join = JointToken(kind)
    np.testing.assert_allclose(join.apply({}, TOKENS, None), all_there)
    np.testing.assert_allclose(join.apply({}, TOKENS, PRESENT), one_missing)


def test_a_linear_layer_over_all_of_which_a_missing_stream_is_zeros():
    join = JointToken("concat")
    start = join.init(jax.random.key(0), TOKENS, None)["params"]
    assert start["kernel"].shape == (4, 2) and not start["bias"].any()
    kernel = np.array([[1, 0], [0, 1], [0, 10], [100, 0]], np.float32)
    params = {"params": {"kernel": kernel, "bias": np.array([0.5, 0], np.float32)}}
    np.testing.assert_allclose(
        join.apply(params, TOKENS, None), [[601.5, 32], [405.5, 70]]
    )
    np.testing.assert_allclose(
        join.apply(params, TOKENS, PRESENT), [[601.5, 32], [400.5, 70]]
    )
