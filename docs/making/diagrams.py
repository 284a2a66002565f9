"""Flow charts of the pages, in Mermaid's language, become pictures of the site.

A code host draws them itself. The site would have to fetch 3 MB of script for it; here
they are SVG in the page, in its colours, from top to bottom (``flowchart BT``: from
bottom to top), for a phone is higher than wide. Of Mermaid's language this reads
``A[text] --> B``, ``A -- words --> B``, ``A --> B --> C`` and the shapes of `_NODE`.
"""

import dataclasses
import html
import itertools
import re
import textwrap

CHART = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NODE = re.compile(r"(\w+)(?:\[\((?P<stored>[^)]*)\)\]|\[\"?(?P<plain>[^\]\"]*)\"?\])?")
_ARROW = re.compile(r"\s*--(?:\s+(?P<words>[^>-]+?)\s+--)?>\s*")
_LETTER, _LINE, _CHARACTERS = 6.6, 15.0, 20  # sizes of text; of a line in a node
_GAP, _RISE, _PAD = 14.0, 34.0, 8.0
_ARROW_HEAD = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
    'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
)


@dataclasses.dataclass
class Node:
    """What is drawn at one place, or (without a text) where a long arrow passes.

    Attributes:
      lines: of its text.
      stored: whether it is something on the disk.
      rank: how many arrows lead to it, at most.
      x: of its middle.
    """

    lines: list[str]
    stored: bool = False
    rank: int = 0
    x: float = 0.0

    @property
    def width(self) -> float:
        longest = max(map(len, self.lines), default=0)
        return longest * _LETTER + 2 * _PAD if self.lines else 2.0

    @property
    def height(self) -> float:
        return len(self.lines) * _LINE + _PAD


@dataclasses.dataclass
class Chart:
    """Nodes by name, arrows (from, to, what stands there), and the direction."""

    nodes: dict[str, Node]
    arrows: list[tuple[str, str, str]]
    upwards: bool


def drawn(markdown: str) -> str:
    """Returns a page with its charts drawn.

    Raises:
      ValueError: a line of a chart is not understood.
    """
    return CHART.sub(lambda found: svg(read(found[1])), markdown)


def read(code: str) -> Chart:
    """Reads a chart.

    Raises:
      ValueError: a line is not understood.
    """
    head, *lines = [line.strip() for line in code.strip().splitlines()]
    if not (found := re.fullmatch(r"flowchart (LR|TB|TD|BT)", head)):
        raise ValueError(f"A chart begins with {head!r}; expected flowchart LR or BT.")
    chart = Chart({}, [], found[1] == "BT")
    for line in filter(None, lines):
        place, last, words = 0, "", ""
        while place < len(line):
            node = _NODE.match(line, place)
            if not node:
                raise ValueError(f"A line of a chart is not understood: {line!r}")
            name, label = node[1], node["stored"] or node["plain"]
            if label or name not in chart.nodes:
                text = label or name
                wrapped = textwrap.wrap(text, _CHARACTERS, break_long_words=False)
                chart.nodes[name] = Node(wrapped, bool(node["stored"]))
            if last:
                chart.arrows.append((last, name, words))
            arrow = _ARROW.match(line, node.end())
            if not arrow and node.end() < len(line):
                raise ValueError(f"A line of a chart is not understood: {line!r}")
            last, words = name, (arrow and arrow["words"]) or ""
            place = arrow.end() if arrow else len(line)
    return chart


def ranked(chart: Chart) -> list[list[Node]]:
    """Gives nodes their ranks, and arrows over several of them places to pass.

    Returns the nodes of each rank. ``chart.arrows`` then lead from a rank to the next.

    Raises:
      ValueError: arrows lead round in a circle.
    """
    for _ in chart.nodes:
        for start, end, _words in chart.arrows:
            least = chart.nodes[start].rank + 1
            chart.nodes[end].rank = max(chart.nodes[end].rank, least)
    ranks = max(node.rank for node in chart.nodes.values()) + 1
    if ranks > len(chart.nodes):
        raise ValueError("The arrows of a chart lead round in a circle.")
    short: list[tuple[str, str, str]] = []
    for start, end, words in chart.arrows:
        last = start
        for rank in range(chart.nodes[start].rank + 1, chart.nodes[end].rank):
            name = f"{start} {end} {rank}"
            chart.nodes[name] = Node([], rank=rank)
            short.append((last, name, words))
            last, words = name, ""
        short.append((last, end, words))
    chart.arrows = short
    rows: list[list[Node]] = [[] for _ in range(ranks)]
    for node in chart.nodes.values():
        rows[node.rank].append(node)
    return rows


def placed(chart: Chart) -> tuple[list[list[Node]], float]:
    """Gives nodes their places: each near the middle of those that it is joined to.

    Returns the nodes of each rank, from left to right, and how wide it all is.
    """
    rows = ranked(chart)
    near: dict[int, list[Node]] = {id(node): [] for node in chart.nodes.values()}
    for start, end, _ in chart.arrows:
        near[id(chart.nodes[start])].append(chart.nodes[end])
        near[id(chart.nodes[end])].append(chart.nodes[start])
    widths = [sum(n.width for n in row) + _GAP * (len(row) - 1) for row in rows]
    whole = max(widths)

    def middle(node: Node) -> float:
        return sum(n.x for n in near[id(node)]) / max(1, len(near[id(node)]))

    for turn in range(12):
        for row, width in zip(rows, widths, strict=True):
            if turn:
                row.sort(key=middle)
            at = (whole - width) / 2
            for node in row:
                node.x = at + node.width / 2
                at += node.width + _GAP
    return rows, whole


def svg(chart: Chart) -> str:
    """Returns a chart as SVG."""
    rows, width = placed(chart)
    width += 2 * _PAD
    heights = [max(node.height for node in row) for row in rows]
    tops = list(itertools.accumulate([_PAD, *(h + _RISE for h in heights)]))
    total = tops[-1] - _RISE + _PAD
    y: dict[int, float] = {}
    for row, top, height in zip(rows, tops, heights, strict=False):
        at = top + height / 2
        y |= {id(node): total - at if chart.upwards else at for node in row}
    sign = -1 if chart.upwards else 1
    parts = [_ARROW_HEAD]
    for start, end, words in chart.arrows:
        a, b = chart.nodes[start], chart.nodes[end]
        y0 = y[id(a)] + sign * (a.height / 2 if a.lines else 0)
        y1 = y[id(b)] - sign * (b.height / 2 + 3 if b.lines else 0)
        half = (y0 + y1) / 2
        x0, x1 = a.x + _PAD, b.x + _PAD
        arrow = ' marker-end="url(#arrow)"' if b.lines else ""
        parts.append(
            f'<path d="M{x0:.1f} {y0:.1f}C{x0:.1f} {half:.1f} {x1:.1f} {half:.1f} '
            f'{x1:.1f} {y1:.1f}"{arrow}/>'
        )
        if words:
            place = f'x="{(x0 + x1) / 2 + 5:.1f}" y="{half + 4:.1f}"'
            parts.append(f'<text {place} class="words">{html.escape(words)}</text>')
    for node in chart.nodes.values():
        if node.lines:
            parts.append(_box(node, y[id(node)]))
    names = "; ".join(" ".join(n.lines) for n in chart.nodes.values() if n.lines)
    return (
        f'<div class="diagram"><svg viewBox="0 0 {width:.0f} {total:.0f}" '
        f'width="{width:.0f}" role="img" aria-label="{html.escape(names)}">'
        f"{''.join(parts)}</svg></div>"
    )


def _box(node: Node, y: float) -> str:
    left, top = node.x + _PAD - node.width / 2, y - node.height / 2
    first = y - (len(node.lines) - 1) * _LINE / 2 + 4
    text = "".join(
        f'<tspan x="{node.x + _PAD:.1f}" y="{first + i * _LINE:.1f}">'
        f"{html.escape(line)}</tspan>"
        for i, line in enumerate(node.lines)
    )
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{node.width:.1f}" '
        f'height="{node.height:.1f}" rx="{10 if node.stored else 3}"/>'
        f"<text>{text}</text>"
    )
