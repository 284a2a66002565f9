"""Offsets of two cameras that see one world are found, others are not made up."""

import numpy as np
import pytest

from input_pipeline.offsets.correlation import propose
from input_pipeline.offsets.motion import Motion, NoMotion


def world(random, seconds: int) -> np.ndarray:
    """How much moves in each millisecond: now and then somebody, as he likes."""
    on = np.repeat(random.random(seconds // 2 + 1) < 0.4, 2000)[: seconds * 1000]
    return np.repeat(random.random(seconds * 2), 500) ** 2 * on


def seen(random, moves: np.ndarray, rate: float, offset: float, gain: float) -> Motion:
    """What a camera makes of it that was started at ``offset``, with noise."""
    total = np.concatenate([[0.0], np.cumsum(moves) / 1000])
    times = np.arange(int((len(moves) / 1000 - offset) * rate)) / rate
    amount = np.diff(np.interp(times + offset, np.arange(len(total)) / 1000, total))
    return Motion(times, gain * amount + 0.5 * random.random(len(amount)) / rate)


@pytest.mark.parametrize("offset", [2.7, 0.0, 31.13])
@pytest.mark.parametrize("seed", range(4))
def test_offsets_are_found_to_a_fraction_of_a_frame(seed, offset):
    random = np.random.default_rng(seed)
    moves = world(random, 300)
    rgb, ir = seen(random, moves, 25, 0, 1), seen(random, moves, 8, offset, 0.3)
    found = propose(rgb, ir)
    assert abs(found.offset - offset) < 0.04 and not found.doubt  # a frame lasts 0.125
    assert abs(propose(ir, rgb).offset + offset) < 0.04
    np.testing.assert_allclose(found.thirds, offset, atol=0.1)


def test_clocks_of_no_common_time_are_compared_from_their_beginnings():
    random = np.random.default_rng(0)
    moves = world(random, 300)
    rgb, ir = seen(random, moves, 25, 0, 1), seen(random, moves, 8, 2.7, 0.3)
    unix = Motion(ir.times + 1611234567.99, ir.amount)
    assert abs(propose(rgb, unix, 20).offset + 1611234567.99 - 2.7) < 0.04


@pytest.mark.parametrize("seed", range(8))
def test_unrelated_recordings_have_no_offset(seed):
    random = np.random.default_rng(seed)
    rgb = seen(random, world(random, 300), 25, 0, 1)
    ir = seen(random, world(random, 300), 8, 0, 1)
    assert propose(rgb, ir).doubt


def test_what_is_repeated_fits_at_several_offsets():
    random = np.random.default_rng(0)
    moves = np.tile(world(random, 10), 30)
    found = propose(seen(random, moves, 25, 0, 1), seen(random, moves, 8, 2.7, 1))
    assert "another offset fits nearly as well" in found.doubt


def test_where_nothing_moves_there_is_no_offset():
    still = Motion(np.arange(1000) / 25, np.zeros(999))
    assert "too near to those of other" in propose(still, still).doubt


def test_clocks_that_drift_show_in_the_thirds():
    random = np.random.default_rng(0)
    moves = world(random, 900)
    rgb, ir = seen(random, moves, 25, 0, 1), seen(random, moves, 8, 2.7, 1)
    slow = Motion(ir.times * 0.9995, ir.amount)  # 0.45 s in 15 minutes
    thirds = propose(rgb, slow).thirds
    np.testing.assert_allclose(np.diff(thirds), 0.15, atol=0.06)


def test_seconds_are_too_short():
    long, short = (Motion(np.arange(n) / 8, np.ones(n - 1)) for n in (80, 9))
    with pytest.raises(NoMotion, match=r"1.0 s of motion; at least 2.1 s are needed"):
        propose(long, short)
