"""Charts as SVG text: confusion matrix and training curves.

Written by hand rather than through a plotting library: the pictures then take the
page's own type and its light and dark colours (CSS variables), carry a tooltip on every
cell, stay sharp in print and at any zoom, and keep the report one small file.
"""

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape

NAMED_CELLS = 24  # up to so many classes a cell has room for its figure
CHART_WIDTH, CHART_HEIGHT = 340, 210
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 30, 30
CURVE_POINTS = 300  # longer histories are averaged down to this


def _text(x: float, y: float, text: object, kind: str = "", extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" {extra}>{escape(text)}</text>'


def confusion_chart(confusion: np.ndarray, classes: Sequence[str]) -> Markup:
    """Draws the confusion matrix, each row (true class) as shares of its clips.

    Args:
      confusion: counts ``[y y]``, rows true, columns predicted.
      classes: names ``[y]``; a few are written at both sides, many at the rows, with
        their numbers at the columns.
    """
    size = len(classes)
    named = size <= NAMED_CELLS
    cell = 40 if size <= 16 else 34 if named else 14 if size <= 70 else 11
    type_size = 13 if named else cell - 2
    names = [name if len(name) <= 30 else f"{name[:29]}…" for name in classes]
    # Where the cells begin: a character is about 0.56 of the type size wide.
    gutter = 7 if named else 3 * type_size
    left = max(len(name) for name in names) * type_size * 0.56 + gutter + 7
    # Slanted names lean to the right of their column: room above and beside.
    top = left * 0.75 + 14 if named else 3.2 * type_size
    beside = left * 0.6 if named else 4
    width, height = left + size * cell + beside, top + size * cell + 26
    parts = [
        f'<svg class="confusion" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" style="min-width: {width * (1 if named else 0.8):.0f}px" '
        f'role="img" font-size="{type_size}" '
        f'aria-label="Confusion matrix of {size} classes">'
    ]
    for i, name in enumerate(names):
        x, y = left + (i + 0.5) * cell, top + (i + 0.5) * cell
        parts.append(_text(left - gutter, y, name, "end middle"))
        if not named:
            parts.append(_text(left - 5, y, i, "end middle quiet"))
        place = f'transform="rotate({-45 if named else -90} {x:.1f} {top - 6:.1f})"'
        kind = "middle" if named else "middle quiet"
        parts.append(_text(x, top - 6, name if named else i, kind, place))
    side = size * cell
    parts.append(
        f'<rect class="plate" x="{left:.1f}" y="{top:.1f}" width="{side}" '
        f'height="{side}"/>'
    )
    for i in range(0 if named else 10, 0 if named else size, 10):
        across, down = left + i * cell - 0.5, top + i * cell - 0.5
        parts.append(
            f'<path class="grid" d="M{across:.1f} {top:.1f}v{side}'
            f'M{left:.1f} {down:.1f}h{side}"/>'
        )
    for row in range(size):
        total = confusion[row].sum()
        for column in np.flatnonzero(confusion[row]).tolist():
            number = int(confusion[row, column])
            share = number / total
            x, y = left + column * cell, top + row * cell
            kind = "right" if row == column else "wrong"
            # A single clip among many must still be seen: never below 12 %.
            shade = 0.12 + 0.88 * share
            tip = (
                f"true: {classes[row]}\npredicted: {classes[column]}\n"
                f"{number} of {total} clips ({share:.0%})"
            )
            parts.append(
                f'<g><title>{escape(tip)}</title><rect class="{kind}" x="{x:.1f}" '
                f'y="{y:.1f}" width="{cell - 1}" height="{cell - 1}" '
                f'fill-opacity="{shade:.3f}"/>'
            )
            if named:
                over = "on" if shade > 0.55 else ""
                parts.append(
                    _text(
                        x + (cell - 1) / 2,
                        y + (cell - 1) / 2,
                        f"{100 * share:.0f}",
                        f"centre middle cell {over}",
                    )
                )
            parts.append("</g>")
    parts.append(
        _text(left + side / 2, top + side + 18, "predicted class", "centre quiet note")
    )
    return Markup("".join(parts) + "</svg>")


def shares_chart(title: str, shares: Sequence[float]) -> Markup:
    """Draws a column for each of some shares, 0 to 1, numbered from 1."""
    height, width = 90.0, 26.0
    parts = [
        f'<svg class="curve" viewBox="0 0 {len(shares) * width + 8:.0f} 140" '
        f'width="{len(shares) * width + 8:.0f}" role="img" font-size="11" '
        f'aria-label="{escape(title)}: share of clips in which each frame is kept">',
        _text(2, 13, title, "strong"),
    ]
    for i, share in enumerate(shares):
        x = 4 + i * width
        parts.append(
            f"<g><title>frame {i + 1}: kept in {share:.0%}</title>"
            f'<rect class="plate" x="{x:.1f}" y="24" width="{width - 4:.1f}" '
            f'height="{height:.0f}"/><rect class="right" x="{x:.1f}" '
            f'y="{24 + height * (1 - share):.1f}" width="{width - 4:.1f}" '
            f'height="{height * share:.1f}"/></g>'
        )
        parts.append(_text(x + (width - 4) / 2, 128, i + 1, "centre quiet"))
    return Markup("".join(parts) + "</svg>")


def difference_chart(difference: np.ndarray, classes: Sequence[str]) -> Markup:
    """Draws a difference of two confusion matrices' shares, rows true, ``[y y]``.

    Cells with more are blue, with less orange; figures are points of 100.
    """
    cell, type_size = 40, 13
    names = [name if len(name) <= 30 else f"{name[:29]}…" for name in classes]
    left = max(len(name) for name in names) * type_size * 0.56 + 14
    top, side = left * 0.75 + 14, len(names) * cell
    width, height = left * 1.6 + side, top + side + 8
    parts = [
        f'<svg class="confusion" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" role="img" font-size="{type_size}" '
        f'aria-label="Difference of two confusion matrices of {len(names)} classes">'
    ]
    strongest = max(float(np.abs(difference).max()), 1e-9)
    for i, name in enumerate(names):
        x, y = left + (i + 0.5) * cell, top + (i + 0.5) * cell
        parts.append(_text(left - 7, y, name, "end middle"))
        place = f'transform="rotate(-45 {x:.1f} {top - 6:.1f})"'
        parts.append(_text(x, top - 6, name, "middle", place))
        for j in np.flatnonzero(difference[i]).tolist():
            value = float(difference[i, j])
            kind, shade = "right" if value > 0 else "wrong", abs(value) / strongest
            tip = f"true: {classes[i]}\npredicted: {classes[j]}\n{100 * value:+.1f}"
            over = "on" if shade > 0.55 else ""
            parts.append(
                f"<g><title>{escape(tip)}</title>"
                f'<rect class="{kind}" x="{left + j * cell:.1f}" '
                f'y="{top + i * cell:.1f}" width="{cell - 1}" height="{cell - 1}" '
                f'fill-opacity="{0.12 + 0.88 * shade:.3f}"/>'
                + _text(
                    left + j * cell + (cell - 1) / 2,
                    top + i * cell + (cell - 1) / 2,
                    f"{100 * value:+.0f}",
                    f"centre middle cell {over}",
                )
                + "</g>"
            )
    return Markup("".join(parts) + "</svg>")


def nice_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Returns at most ``most`` round numbers (1, 2, 2.5, 5 x 10^k) in [low, high]."""
    span = high - low
    if span <= 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(span / most))
    for step in (1, 2, 2.5, 5, 10, 20, 25):
        first = math.ceil(low / (step * power) - 1e-9)
        last = math.floor(high / (step * power) + 1e-9)
        if last - first < most:
            return [i * step * power for i in range(first, last + 1)]
    raise AssertionError("a step of 25 powers always leaves few enough ticks")


def _thin(points: np.ndarray) -> np.ndarray:
    """Averages neighbours of ``[n 2]`` until at most CURVE_POINTS are left."""
    if len(points) <= CURVE_POINTS:
        return points
    return np.stack([part.mean(0) for part in np.array_split(points, CURVE_POINTS)])


def _number(value: float) -> str:
    if value and not 1e-2 <= abs(value) < 1e4:
        if 1e4 <= abs(value) < 1e6:
            return f"{value / 1000:g}k"
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e+")
    return f"{value:g}"


def curve_chart(
    title: str,
    curves: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    log: bool = False,
    limits: tuple[float, float] | None = None,
) -> Markup:
    """Draws lines over training steps; points that are not finite are left out.

    Args:
      title: what the vertical axis is.
      curves: (name, [(step, value), ...]), at most four.
      log: a logarithmic vertical axis (values that are not positive are left out).
      limits: the vertical axis' ends; found from the values if None.
    """
    drawn = []
    for name, points in curves:
        array = np.asarray(points, np.float64).reshape(-1, 2)
        array = array[np.isfinite(array).all(1) & ((array[:, 1] > 0) | (not log))]
        if len(array):
            drawn.append((name, _thin(array)))
    if not drawn:
        return Markup("")
    everything = np.concatenate([points for _, points in drawn])
    to_axis = math.log10 if log else float
    x0, x1 = float(everything[:, 0].min()), float(everything[:, 0].max())
    values = [to_axis(value) for value in everything[:, 1]]
    y0, y1 = limits or (min(values), max(values))
    margin = 0.0 if limits else 0.06 * (y1 - y0) or 0.5 * abs(y0) or 1.0
    y0, y1 = y0 - margin, y1 + margin
    inner_width = CHART_WIDTH - LEFT - RIGHT
    inner_height = CHART_HEIGHT - TOP - BOTTOM

    def across(step: float) -> float:
        return LEFT + inner_width * (step - x0) / ((x1 - x0) or 1.0)

    def down(value: float) -> float:
        return TOP + inner_height * (y1 - to_axis(value)) / (y1 - y0)

    parts = [
        f'<svg class="curve" viewBox="0 0 {CHART_WIDTH} {CHART_HEIGHT}" role="img" '
        f'font-size="11" aria-label="{escape(title)} over training steps">',
        _text(2, 13, title, "strong"),
    ]
    ticks = nice_ticks(y0, y1)
    if log:
        whole = [10.0**k for k in range(math.ceil(y0), math.floor(y1) + 1)]
        ticks = whole or [10 ** ((y0 + y1) / 2)]
    for tick in ticks:
        y = down(tick)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{CHART_WIDTH - RIGHT}" '
            f'y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(
            _text(LEFT - 6, y, _number(float(f"{tick:.6g}")), "end middle quiet")
        )
    for tick in nice_ticks(x0, x1, 4):
        label = _number(tick)
        parts.append(_text(across(tick), CHART_HEIGHT - 12, label, "centre quiet"))
    end = float(CHART_WIDTH - RIGHT)
    for index, (name, points) in reversed(list(enumerate(drawn))):
        path = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in points)
        if len(points) > 1:
            parts.append(f'<polyline class="line{index}" points="{path}"/>')
        if len(points) <= 12:
            parts.extend(
                f'<circle class="line{index}" cx="{across(x):.1f}" '
                f'cy="{down(y):.1f}" r="2.2"/>'
                for x, y in points
            )
        if len(drawn) > 1:
            parts.append(_text(end, 13, name, f"end name{index}"))
            end -= 6.2 * len(name) + 12
    return Markup("".join(parts) + "</svg>")
