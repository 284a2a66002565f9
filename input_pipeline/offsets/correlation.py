"""The offset at which the motion of two streams agrees best.

Both curves are means over one frame of the slower stream, on one grid; rare peaks are
cut and slow changes removed. Their normalised cross-correlation is
r(d) = sum a(t) b(t - d) / sqrt(sum a(t)^2 sum b(t - d)^2), the sums over the time that
both have at the offset d; small overlaps count less, by the root of their length. Its
highest point, of the parabola through three, is proposed. A peak that another nearly
reaches, or that hardly leaves what unrelated curves give, says nothing.
"""

import dataclasses

import numpy as np

from input_pipeline.offsets.motion import Motion, NoMotion

WITHIN = 120.0  # seconds, of the offsets that are tried
STEPS = 4  # points of the grid in a frame of the slower stream
# Slower changes (the sun, how much goes on at all) fit at many offsets.
SLOW = 5.0
LEAST_OVERLAP = 0.25  # of the shorter stream
# A proposal is sure if the peak is so high over the noise, and the next one so much
# lower. Of pairs of unrelated recordings hardly any is (see the tests).
SURE_NOISE = 6.0
SURE_NEXT = 0.7


@dataclasses.dataclass(frozen=True)
class Proposal:
    """What is to be added to the second stream's clock to have the first one's.

    ``peak``: r there; ``second``: of the next highest peak, ``noise``: standard
    deviation of r elsewhere, both as the peak is counted; ``offsets`` and ``scores``:
    the whole curve; ``thirds``: the offset in each third of the time.
    """

    offset: float
    peak: float
    second: float
    noise: float
    offsets: np.ndarray
    scores: np.ndarray
    thirds: tuple[float, ...] = ()

    @property
    def doubt(self) -> str:
        """Why it cannot be told; empty if it can."""
        if self.second > SURE_NEXT * self.peak:
            return (
                f"another offset fits nearly as well (correlation {self.second:.2f}, "
                f"the best has {self.peak:.2f}), as when the same motion is repeated"
            )
        if self.peak <= SURE_NOISE * self.noise:
            return (
                f"the best correlation, {self.peak:.2f}, is too near to those of other "
                f"offsets ({self.noise:.3f})"
            )
        return ""


def propose(first: Motion, second: Motion, within: float = WITHIN) -> Proposal:
    """Return the offset of the second stream; raises NoMotion.

    ``within``: the largest offset that is tried, seconds; where the streams' clocks
    show no common time, as those of a video and of Unix time do, counted from the one
    at which both begin together. Clocks that drift apart show in the offsets of the
    thirds.
    """
    width = max(first.interval, second.interval)
    begins = max(first.times[0], second.times[0])
    apart = begins >= min(first.times[-1], second.times[-1])
    middle = float(first.times[0] - second.times[0]) if apart else 0.0
    found = _best(first, second, width, (middle - within, middle + within))
    spans = np.linspace(first.times[0], first.times[-1], 4)
    thirds = []
    for start, end in zip(spans[:-1], spans[1:], strict=True):
        try:
            near = (found.offset - 2, found.offset + 2)
            thirds.append(_best(first, second, width, near, (start, end)).offset)
        except NoMotion:
            return found
    return dataclasses.replace(found, thirds=tuple(thirds))


def curves(
    first: Motion, second: Motion, width: float, span: tuple[float, float] | None = None
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return the moments and the motion of both streams, as they are compared."""
    found = []
    for motion, limits in ((first, span), (second, None)):
        start, end = limits or (-np.inf, np.inf)
        start = max(start, motion.times[0] + width / 2)
        end = min(end, motion.times[-1] - width / 2)
        moments = np.arange(start, end, width / STEPS)
        if len(moments) < 16 * STEPS:
            raise NoMotion(
                f"{motion.times[-1] - motion.times[0]:.1f} s of motion; at least "
                f"{16 * width + width:.1f} s are needed"
            )
        found.append((moments, _standard(motion.curve(moments, width), width)))
    return found[0], found[1]


def _standard(curve: np.ndarray, width: float) -> np.ndarray:
    """Without rare peaks and slow changes, of mean 0 and deviation 1."""
    curve = np.minimum(curve, np.quantile(curve, 0.99))
    window = min(len(curve), 2 * round(SLOW / width * STEPS / 2) + 1)
    padded = np.pad(curve, (window // 2, window - 1 - window // 2), mode="reflect")
    total = np.concatenate([[0.0], np.cumsum(padded)])
    curve = curve - (total[window:] - total[:-window]) / window
    deviation = curve.std()
    return curve / deviation if deviation > 1e-12 else np.zeros_like(curve)


def _best(
    first: Motion,
    second: Motion,
    width: float,
    limits: tuple[float, float],
    span: tuple[float, float] | None = None,
) -> Proposal:
    (moments_a, a), (moments_b, b) = curves(first, second, width, span)
    step = width / STEPS
    size = 2 ** int(np.ceil(np.log2(len(a) + len(b))))

    def correlate(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        product = np.fft.rfft(x, size) * np.fft.rfft(y, size).conj()
        full = np.fft.irfft(product, size)
        return np.concatenate([full[size - len(b) + 1 :], full[: len(a)]])

    overlap = np.round(correlate(np.ones_like(a), np.ones_like(b)))
    power = correlate(a**2, np.ones_like(b)) * correlate(np.ones_like(a), b**2)
    scores = correlate(a, b) / np.sqrt(np.maximum(power, 1e-9))
    scores *= np.sqrt(overlap / overlap.max())
    lags = np.arange(1 - len(b), len(a))
    offsets = moments_a[0] - moments_b[0] + lags * step
    tried = (offsets >= limits[0]) & (offsets <= limits[1])
    tried &= overlap >= LEAST_OVERLAP * min(len(a), len(b))
    if tried.sum() < 3:
        raise NoMotion(
            "the streams share too little time at the offsets that are tried"
        )
    offsets, scores = offsets[tried], scores[tried]
    top = int(scores.argmax())
    peak, offset = float(scores[top]), float(offsets[top])
    if 0 < top < len(scores) - 1:
        left, middle, right = scores[top - 1 : top + 2]
        bend = left - 2 * middle + right
        if bend < 0:
            offset += 0.5 * float((left - right) / bend) * step
    low = np.flatnonzero(scores < peak / 2)
    before, after = low[low < top], low[low > top]
    elsewhere = np.concatenate(
        [
            scores[: before[-1] if len(before) else 0],
            scores[after[0] if len(after) else len(scores) :],
        ]
    )
    rest = elsewhere if len(elsewhere) else np.zeros(1)
    return Proposal(offset, peak, float(rest.max()), float(rest.std()), offsets, scores)
