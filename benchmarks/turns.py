"""Sides timed by turns in one run, so that a busy machine slows all alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax


def timed(
    call: Callable[[], Any], clock: Callable[[], float] = time.perf_counter
) -> Callable[[], float]:
    """Returns a call that waits for what another computes, and returns its seconds."""

    def seconds() -> float:
        start = clock()
        jax.block_until_ready(call())
        return clock() - start

    return seconds


def by_turns(
    sides: Mapping[str, Callable[[], float]], turns: int
) -> dict[str, list[float]]:
    """Returns each side's seconds: each is called once to compile, then by turns."""
    for call in sides.values():
        call()
    rounds = [[call() for call in sides.values()] for _ in range(turns)]
    return dict(zip(sides, map(list, zip(*rounds, strict=True)), strict=True))


def row(name: str, seconds: Mapping[str, Sequence[float]]) -> str:
    """Returns a line of medians and, of two sides, how much faster the second is.

    The ratio is the median of the turns' ratios, its extremes in brackets.
    """
    text = f"  {name:22}" + "".join(
        f"  {side} {statistics.median(times) * 1e3:9.1f} ms"
        for side, times in seconds.items()
    )
    if len(seconds) == 2:
        ratios = sorted(a / b for a, b in zip(*seconds.values(), strict=True))
        text += f"  ratio {statistics.median(ratios):.2f} "
        text += f"({ratios[0]:.2f}..{ratios[-1]:.2f})"
    return text
