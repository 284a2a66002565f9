"""When the frames of a file were taken, by what its container or names say.

Names are time stamps where the number at the end of each is seconds with a decimal
point (1611234567.99, cam2_0.040) or a Unix time in milli-, micro- or nanoseconds (13,
16 or 19 digits). Counting numbers, and fractions that count (1.01, 1.02), are none.
"""

import re
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from input_pipeline.formats import notes
from input_pipeline.formats.order import counted

_STAMP = re.compile(r"(?:.*[^\d.])?(?:(\d+)\.(\d{2,})|(1\d{12}|1\d{15}|1\d{18}))")


def span(starts: Sequence[float | None], last: float) -> np.ndarray | None:
    """Return when each frame starts and, last, when the video ends, int64 [t + 1] us.

    None if the container does not say, or says that time runs backwards. ``starts`` in
    seconds; ``last``: duration of the last frame, 0 if that is not known.
    """
    if len(starts) < 2 or any(start is None for start in starts):
        return None
    times = np.array(starts, float)
    steps = np.diff(times)
    if not np.isfinite(times).all() or np.abs(times).max() > 1e11:
        return None
    if (steps < 0).any():
        notes.note(
            "frame times run backwards",
            f"after frame {int(np.argmax(steps < 0))}; frames are sampled by number",
        )
        return None
    # Some containers give every frame the duration of the fastest rate.
    end = times[-1] + max(last, float(np.median(steps)))
    return np.round(np.append(times, end) * 1e6).astype(np.int64)


def stamps(stems: Sequence[str]) -> np.ndarray | None:
    """Return the times of names (without endings), int64 [t] us; None: no stamps."""
    found = [_STAMP.fullmatch(stem) for stem in stems]
    matches = [match for match in found if match is not None]
    if len(matches) < max(2, len(found)):
        return None
    pairs = [(m[1], m[2]) for m in matches if m[1]]
    unix = all(len(seconds) == 10 for seconds, _ in pairs)
    if pairs and (len(pairs) < len(matches) or counted(pairs) and not unix):
        return None
    times = np.array([_microseconds(match) for match in matches], np.int64)
    return times if (np.diff(times) > 0).all() else None


def _microseconds(match: re.Match[str]) -> int:
    if match[1]:
        return round(Fraction(f"{match[1]}.{match[2]}") * 10**6)
    return round(Fraction(match[3]) / 10 ** (len(match[3]) - 16))
