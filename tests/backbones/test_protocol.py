"""Streams that run as one batch: their order, their stems, and what cannot be one."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.backbones.protocol import run_stems, stem_name


def test_rows_stand_clip_by_clip_and_a_stem_serves_its_channels():
    made = []

    def stem(channels):
        made.append(channels)
        return lambda video: video.sum(axis=-1, keepdims=True)

    def clips(channels, *values):
        rows = jnp.array(values, jnp.float32)[:, None, None, None, None]
        return jnp.broadcast_to(rows, (len(values), 1, 1, 1, channels))

    out = run_stems([clips(3, 1, 2), clips(1, 10, 20), clips(3, 5, 6)], stem)
    assert made == [3, 1]
    np.testing.assert_array_equal(out.ravel(), [3, 10, 15, 6, 20, 18])


def test_streams_of_other_sizes_are_refused():
    videos = [jnp.zeros((2, 4, 8, 8, 3)), jnp.zeros((2, 4, 6, 6, 3))]
    with pytest.raises(ValueError, match="layout='unshared'"):
        run_stems(videos, lambda channels: lambda video: video)


def test_names_of_stems():
    assert stem_name("stem", 3, 3) == "stem" and stem_name("stem", 1, 3) == "stem_1"
