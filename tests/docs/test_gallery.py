"""The pictures of the gallery are those of a report, and small."""

import io
import re

from PIL import Image

from docs.making import gallery
from jaxact import report
from tests.paths import ROOT
from tests.report.test_report import whole_evaluation

PAGE = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")


def test_pictures_and_charts_are_found_in_a_report(tmp_path):
    page = report.write_report(tmp_path, whole_evaluation()).read_text()
    found = gallery.sheets(page)
    assert len(found) == page.count('class="sheet"') > 0
    assert Image.open(io.BytesIO(found[0])).format == "WEBP"
    charts = gallery.charts(page)
    (confusion,) = (x for x in charts if 'class="confusion"' in x)
    assert confusion.startswith('<svg xmlns="http://www.w3.org/2000/svg" class=')
    assert "prefers-color-scheme: dark" in confusion
    assert confusion.count("<svg") == 1 and confusion.endswith("</svg>")


def test_the_page_shows_what_the_script_writes():
    shown = set(re.findall(r"\(gallery/([\w.]+)\)", PAGE))
    written = {f"{s}_{n}.webp" for s in gallery.SHEETS for n in gallery.SHEETS[s]}
    assert shown == written | {"confusion.svg", "accuracy.svg"}
    there = {path.name: path.stat().st_size for path in gallery.OUT.iterdir()}
    assert set(there) == shown and sum(there.values()) < 1e6
