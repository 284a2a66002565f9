"""Charts of the pages become pictures: every node, every arrow, none of the source."""

import re

import pytest

from docs.making import diagrams
from tests.paths import ROOT

CHART = """flowchart LR
  a[first of all] --> b[(kept)] --> c
  a -- words here --> c
  d["with, commas"] --> b
"""


def test_a_chart_is_read():
    chart = diagrams.read(CHART)
    assert {k: (n.lines, n.stored) for k, n in chart.nodes.items()} == {
        "a": (["first of all"], False),
        "b": (["kept"], True),
        "c": (["c"], False),
        "d": (["with, commas"], False),
    }
    assert chart.arrows == [
        ("a", "b", ""),
        ("b", "c", ""),
        ("a", "c", "words here"),
        ("d", "b", ""),
    ]
    assert not chart.upwards and diagrams.read("flowchart BT\na --> b").upwards


def test_nodes_stand_below_all_that_leads_to_them():
    chart = diagrams.read(CHART)
    rows, width = diagrams.placed(chart)
    assert [sorted("".join(n.lines) for n in row) for row in rows] == [
        ["first of all", "with, commas"],
        ["", "kept"],  # the long arrow passes here
        ["c"],
    ]
    for row in rows:
        for left, right in zip(row, row[1:], strict=False):
            assert left.x + left.width / 2 < right.x - right.width / 2
        assert 0 <= row[0].x - row[0].width / 2
        assert row[-1].x + row[-1].width / 2 <= width + 1e-6


@pytest.mark.parametrize(("head", "order"), [("LR", 1), ("BT", -1)])
def test_it_is_drawn_downwards_or_upwards(head, order):
    picture = diagrams.svg(diagrams.read(f"flowchart {head}\na --> b[x & y]"))
    tops = [float(y) for y in re.findall(r'<rect x="[\d.]+" y="([\d.]+)"', picture)]
    assert (tops[1] - tops[0]) * order > 20
    assert "x &amp; y" in picture and picture.count("marker-end") == 1


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("pie\na", "begins with 'pie'"),
        ("flowchart LR\na ==> b", "not understood: 'a ==> b'"),
        ("flowchart LR\na --> b --> a", "round in a circle"),
    ],
)
def test_what_is_not_understood_is_an_error(code, message):
    with pytest.raises(ValueError, match=message):
        diagrams.svg(diagrams.read(code))


def test_the_charts_of_the_design_are_drawn():
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    page = diagrams.drawn(text)
    assert "```mermaid" in text and "mermaid" not in page and "flowchart" not in page
    assert page.count("<svg") == 2 and "input_pipeline.prepare" in page
