import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.layers.temporal_shift import shifted_channels, temporal_shift
from tests.paths import GOLDEN


def line(*frames):
    """A video [1 t 1 1 c] from its frames' channels."""
    return jnp.asarray(frames, jnp.float32)[None, :, None, None, :]


def test_by_hand():
    video = line(
        [11, 12, 13, 14, 15, 16, 17, 18],
        [21, 22, 23, 24, 25, 26, 27, 28],
        [31, 32, 33, 34, 35, 36, 37, 38],
    )
    expected = line(
        [21, 0, 13, 14, 15, 16, 17, 18],  # the next frame, the previous one, itself
        [31, 12, 23, 24, 25, 26, 27, 28],
        [0, 22, 33, 34, 35, 36, 37, 38],
    )
    np.testing.assert_array_equal(temporal_shift(video), expected)
    expected = line(
        [21, 22, 0, 0, 15, 16, 17, 18],
        [31, 32, 13, 14, 25, 26, 27, 28],
        [0, 0, 23, 24, 35, 36, 37, 38],
    )
    np.testing.assert_array_equal(temporal_shift(video, fraction=1 / 4), expected)
    np.testing.assert_array_equal(temporal_shift(video, fraction=0.0), video)


def test_one_frame_loses_what_would_move():
    np.testing.assert_array_equal(
        temporal_shift(line([1, 2, 3, 4]), fraction=1 / 4), line([0, 0, 3, 4])
    )


def test_places_and_clips_do_not_mix():
    video = np.random.default_rng(0).normal(size=(2, 3, 5, 7, 11)).astype(np.float32)
    whole = temporal_shift(jnp.asarray(video), 0.2)
    for b, h, w in np.ndindex(2, 5, 7):
        one = temporal_shift(
            jnp.asarray(video[b : b + 1, :, h : h + 1, w : w + 1]), 0.2
        )
        np.testing.assert_array_equal(whole[b, :, h, w], one[0, :, 0, 0])


def test_numbers_of_channels():
    # ResNet-50's: the stem's, and the outputs of its stages.
    numbers = [shifted_channels(c, 1 / 8) for c in (64, 256, 512, 1024, 2048)]
    assert numbers == [8, 32, 64, 128, 256]
    assert [shifted_channels(c, 1 / 8) for c in (7, 8, 15, 16)] == [0, 1, 1, 2]
    assert shifted_channels(30, 0.1) == 3 and shifted_channels(100, 0.29) == 29
    for fraction in (-0.1, 0.6):
        with pytest.raises(ValueError, match=r"it must be in \[0, 1/2\]"):
            shifted_channels(8, fraction)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_dtype_is_kept(dtype):
    assert temporal_shift(jnp.ones((1, 2, 1, 1, 8), dtype)).dtype == dtype


@pytest.mark.parametrize(
    ("name", "fraction"), [("eighth", 1 / 8), ("quarter", 1 / 4), ("half", 1 / 2)]
)
def test_equals_torch_convolutions(name, fraction):
    golden = np.load(GOLDEN / "temporal_shift.npz")
    shifted, pull = jax.vjp(lambda x: temporal_shift(x, fraction), golden["video"])
    np.testing.assert_array_equal(shifted, golden[name])
    np.testing.assert_array_equal(pull(golden["towards"])[0], golden[f"{name}_grad"])
