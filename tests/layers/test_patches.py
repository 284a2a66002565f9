"""Tokens of a clip, on numbers that one can follow."""

import jax.numpy as jnp
import numpy as np

from jaxact.layers.patches import PatchConvolution, patches


def test_a_clip_is_filled_up_and_cut():
    """1 frame of 1 x 3 pixels in patches of 1 x 1 x 2: the last one is half empty."""
    video = jnp.arange(1.0, 7.0).reshape(1, 1, 1, 3, 2)
    found = patches(video, (1, 1, 2))
    np.testing.assert_array_equal(found.reshape(2, 4), [[1, 2, 3, 4], [5, 6, 0, 0]])


def test_windows_overlap_and_begin_outside():
    """Pixels 1..5, window 3, stride 2: sums 0+1+2, 2+3+4 and 4+5+0, and a bias."""
    net = PatchConvolution(1, (1, 1, 3), (1, 1, 2))
    params = {"kernel": jnp.ones((1, 1, 3, 1, 1)), "bias": jnp.asarray([10.0])}
    video = jnp.arange(1.0, 6.0).reshape(1, 1, 1, 5, 1)
    found = net.apply({"params": params}, video)
    np.testing.assert_array_equal(found.reshape(-1), [13, 19, 19])
