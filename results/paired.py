"""Two rows of a study, seed by seed and clip by clip: how far apart, and how surely.

A row's line keeps which clips it had right, so that the figures can be made again from
``data/`` alone.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

RIGHT = "right"  # of a line: one bit a clip in the order of their numbers, as hex
Run = Mapping[str, Any]


def packed(right: np.ndarray, ids: np.ndarray) -> str:
    """Returns which clips were right, bool [N], as text; ``ids`` [N] give the order."""
    return np.packbits(right[np.argsort(ids)]).tobytes().hex()


def unpacked(text: str) -> np.ndarray:
    """Returns what `packed` wrote, float [N rounded up to 8]; what is added is 0."""
    bits = np.frombuffer(bytes.fromhex(text), np.uint8)
    return np.unpackbits(bits).astype(float)


class Difference(NamedTuple):
    """A row's accuracy minus another's, in fractions.

    Attributes:
      mean: over seeds.
      half: of the 95 % interval, which is ``mean - half .. mean + half``.
      p: of the two-sided paired t-test over seeds.
      seeds, clips: their numbers.
    """

    mean: float
    half: float
    p: float
    seeds: int
    clips: int


def difference(runs: Sequence[Run], others: Sequence[Run]) -> Difference | None:
    """Compares two rows by the seeds that both have, of as many clips.

    None where these are fewer than 2.

    The interval has two parts, added in squares: what another seed would change, t of
    the seeds' differences, and what other clips would, from each clip's difference,
    the mean of its seeds. The first holds some of the second: it is on the safe side.
    """
    of_others = {(run["seed"], run["clips"]): run for run in others if RIGHT in run}
    pairs = [
        (run, of_others[run["seed"], run["clips"]])
        for run in runs
        if RIGHT in run and (run["seed"], run["clips"]) in of_others
    ]
    if len(pairs) < 2:
        return None
    clips = pairs[0][0]["clips"]
    apart = np.stack([unpacked(a[RIGHT]) - unpacked(b[RIGHT]) for a, b in pairs])
    apart = apart[:, :clips]
    seeds = apart.mean(axis=1)
    count = len(seeds)
    of_seeds = statistics.stdev(seeds) / math.sqrt(count)
    of_clips = apart.mean(axis=0).std(ddof=1) / math.sqrt(clips)
    half = math.hypot(
        stats.t.ppf(0.975, count - 1) * of_seeds, stats.norm.ppf(0.975) * of_clips
    )
    mean = float(seeds.mean())
    if of_seeds:
        p = float(2 * stats.t.sf(abs(mean) / of_seeds, count - 1))
    else:
        p = float(mean == 0)
    return Difference(mean, float(half), p, count, clips)


def cell(found: Difference | None) -> str:
    """Returns a difference as a table says it: points, interval, p."""
    if found is None:
        return ""
    low, high = found.mean - found.half, found.mean + found.half
    p = "p < 0.001" if found.p < 0.001 else f"p = {found.p:.3f}"
    return f"{100 * found.mean:+.1f} ({100 * low:+.1f} to {100 * high:+.1f}; {p})"
