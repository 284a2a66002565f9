"""The evidence for an offset as one SVG file, which any browser shows.

Both streams' motion by their own clocks, the same with the offset, and the correlation
at every offset that was tried.
"""

import html
from collections.abc import Sequence

import numpy as np

from input_pipeline.offsets.correlation import Proposal, curves
from input_pipeline.offsets.motion import Motion

WIDTH, HEIGHT, LEFT, GAP = 1000, 150, 50, 60
COLOURS = ("#b3261e", "#1d4e89")
SHOWN = 60.0  # seconds of motion: of a longer recording those with most of it
_POINTS = 2000

Line = tuple[np.ndarray, np.ndarray, str]


def draw(
    first: Motion, second: Motion, names: tuple[str, str], found: Proposal, said: str
) -> str:
    """Return the text of an SVG file; ``names``: of the files, ``said``: the result."""
    width = max(first.interval, second.interval)
    (moments_a, a), (moments_b, b) = curves(first, second, width)
    ends = _busiest(moments_a, a)
    shifted = moments_b + found.offset
    panels = [
        _panel(
            f"Motion in {names[0]} (red) and {names[1]} (blue), each by its own clock: "
            "seconds",
            [(moments_a, a, COLOURS[0]), (moments_b, b, COLOURS[1])],
            ends,
        ),
        _panel(
            f"The same with {found.offset:+.2f} s added to the clock of {names[1]}",
            [(moments_a, a, COLOURS[0]), (shifted, b, COLOURS[1])],
            ends,
        ),
        _panel(
            f"Correlation at each offset: {found.peak:.2f} at {found.offset:.2f} s, "
            f"elsewhere at most {found.second:.2f}",
            [(found.offsets, found.scores, "#333333")],
            (float(found.offsets[0]), float(found.offsets[-1])),
            mark=found.offset,
        ),
    ]
    height = len(panels) * (HEIGHT + GAP) + 60
    body = "".join(
        f'<g transform="translate(0 {60 + i * (HEIGHT + GAP)})">{panel}</g>'
        for i, panel in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" '
        f'fill="white"/><text x="{LEFT}" y="24" font-size="15" font-weight="bold">'
        f"{html.escape(said)}</text>{body}</svg>\n"
    )


def _busiest(moments: np.ndarray, curve: np.ndarray) -> tuple[float, float]:
    """The SHOWN seconds in which a curve varies most."""
    step = float(moments[1] - moments[0])
    count = min(len(curve), round(SHOWN / step))
    total = np.concatenate([[0.0], np.cumsum(curve**2)])
    at = int((total[count:] - total[:-count]).argmax())
    return float(moments[at]), float(moments[at + count - 1])


def _panel(
    title: str,
    lines: Sequence[Line],
    ends: tuple[float, float],
    mark: float | None = None,
) -> str:
    start, end = ends
    shown = [(y[(x >= start) & (x <= end)]) for x, y, _ in lines]
    values = np.concatenate([*shown, [0.0, 1e-6]])
    low, high = float(values.min()), float(values.max())

    def across(x: np.ndarray | float) -> np.ndarray:
        return LEFT + (np.asarray(x) - start) / (end - start) * (WIDTH - 2 * LEFT)

    def down(y: np.ndarray | float) -> np.ndarray:
        return HEIGHT - (np.asarray(y) - low) / (high - low) * HEIGHT

    parts = [f'<text x="{LEFT}" y="-6">{html.escape(title)}</text>']
    for tick in np.linspace(start, end, 7):
        at = float(across(tick))
        parts.append(
            f'<path d="M{at:.1f} 0V{HEIGHT}" stroke="#dddddd"/><text x="{at:.1f}" '
            f'y="{HEIGHT + 16}" text-anchor="middle">{tick:.1f}</text>'
        )
    if mark is not None:
        parts.append(
            f'<path d="M{float(across(mark)):.1f} 0V{HEIGHT}" stroke="#2e7d32" '
            'stroke-width="2"/>'
        )
    for x, y, colour in lines:
        inside = (x >= start) & (x <= end)
        x, y = _thin(x[inside], y[inside])
        points = " ".join(
            f"{px:.1f},{py:.1f}" for px, py in zip(across(x), down(y), strict=True)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
    return "".join(parts)


def _thin(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """No more points than can be seen: of each stretch its lowest and its highest."""
    if len(x) <= _POINTS:
        return x, y
    stretches = np.array_split(np.arange(len(x)), _POINTS // 2)
    ends = ({s[y[s].argmin()], s[y[s].argmax()]} for s in stretches)
    kept = np.array([i for pair in ends for i in sorted(pair)])
    return x[kept], y[kept]
