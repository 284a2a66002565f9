"""When pictures were taken, where their names say it.

Names are time stamps where the number at the end of each is seconds with a decimal
point (1611234567.99, cam2_0.040) or a Unix time in milli-, micro- or nanoseconds (13,
16 or 19 digits). Counting numbers, and fractions that count (1.01, 1.02), are none.
"""

import re
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from input_pipeline.formats.order import counted

_STAMP = re.compile(r"(?:.*[^\d.])?(?:(\d+)\.(\d{2,})|(1\d{12}|1\d{15}|1\d{18}))")


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
