"""The tables of the pages: equal to the data they are made from, all of them shown."""

import json

import pytest

from results import study, tables
from results.studies import nagoya

PAGES = tables.pages()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_of_a_page_are_those_of_the_data(page):
    text = page.read_text(encoding="utf-8")
    assert tables.filled(text) == text, "run: python -m results.tables"


def test_all_data_are_shown_once():
    shown = [name for page in PAGES for name in tables.names(page.read_text("utf-8"))]
    assert sorted(shown) == sorted(path.stem for path in study.DATA.glob("*.jsonl"))


def test_a_table_is_written_between_its_markers_only(monkeypatch):
    monkeypatch.setattr(tables, "TABLES", {"a": lambda: "| 1 |", "b": lambda: "| 2 |"})
    page = "| 9 |\n<!-- {0}: begin -->\n| old |\n<!-- {0}: end -->\n| 9 |\n"
    written = page.format("a").replace("old", "1") + page.format("b").replace(
        "old", "2"
    )
    assert tables.filled(page.format("a") + page.format("b")) == written
    assert tables.filled(written) == written


@pytest.mark.parametrize(
    "text",
    [
        "<!-- other: begin -->\n<!-- other: end -->",
        "<!-- a: begin -->\n| 1 |\n",
        "<!-- a: begin -->\n<!-- b: end -->",
    ],
)
def test_a_marker_without_a_table_or_its_other_half_is_named(text, monkeypatch):
    monkeypatch.setattr(tables, "TABLES", {"a": lambda: "| 1 |", "b": lambda: "| 2 |"})
    with pytest.raises(ValueError, match=r"Tables are \['a', 'b'\]"):
        tables.filled(text)


def test_days_by_hand(tmp_path, monkeypatch):
    """A seed of which a day is missing still has no mean."""
    monkeypatch.setattr(nagoya, "FILE", tmp_path / "nagoya.jsonl")
    found = [(nagoya.SVM, 0, 0.5, 0.75), (nagoya.NETWORK, 0, 0.75, 1.0)]
    found += [(nagoya.NETWORK, 1, 0.5, 0.75), (nagoya.NETWORK, 2, 0.5, None)]
    with nagoya.FILE.open("w") as file:
        for row, seed, *days in found:
            for day, top1 in zip(("one", "two"), days, strict=True):
                entry = {"row": row, "seed": seed, "day": day, "top1": top1}
                file.write(json.dumps(entry) + "\n" if top1 else "")
    assert nagoya.table().split("\n") == [
        "| | mean of the days % | one % | two % | seeds |",
        "|---|---|---|---|---|",
        "| linear SVM | 62.5 | 50.0 | 75.0 | 1 |",
        "| TimeSformer | 75.0 ± 17.7 | 58.3 ± 14.4 | 87.5 ± 17.7 | 2 |",
    ]
