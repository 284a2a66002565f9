"""The documentation site is built, strictly; what its pages are made of is in them."""

import os
import re
import subprocess
import sys

import pytest

from docs.making import hooks
from tests.paths import ROOT


def build(folder):
    """Builds the site into a folder, links and all checked; returns its folder."""
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
        + ["--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return build(tmp_path_factory.mktemp("site"))


def test_the_site_is_built(site):
    page = (site / "systems" / "stafusion.html").read_text(encoding="utf-8")
    assert "<math" in page and "arithmatex" not in page
    # Both tables of results.
    assert "<td>STAFusion</td>" in page and "<td>stafusion</td>" in page
    assert "<code>k1</code>" in page and "<code>0.25</code>" in page
    home = (site / "index.html").read_text(encoding="utf-8")
    assert "make demo" in home and 'href="live.html"' in home
    layers = (site / "api" / "layers.html").read_text(encoding="utf-8")
    assert "Scores all frames of both streams against each other" in layers
    assert not (site / "making").exists()


def test_nothing_is_fetched(site):
    """Neither fonts nor scripts nor styles of others: the site works offline."""
    asked = re.compile(r'<(?:script|link|img)[^>]+(?:src|href)="?(https?:[^"\s>]+)')
    found = {
        url
        for page in site.rglob("*.html")
        for url in asked.findall(page.read_text(encoding="utf-8"))
    }
    assert found == set()
    assert len(list(site.rglob("*.html"))) > 25


def test_no_comment_is_left(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<!-- (from|table|fields|backbones|fusions)\b", text)


def test_a_section_and_a_table_are_found_by_name():
    assert hooks.section("How data flows").startswith("```\nraw clips")
    assert "RBF-SVM" not in hooks.result("precog_hcn")
    assert hooks.result("precog_hcn").startswith("| | Top-1 % |")
    with pytest.raises(KeyError, match="no section 'Nothing'"):
        hooks.section("Nothing")
    with pytest.raises(KeyError, match="No page has a table .* 'nothing'"):
        hooks.result("nothing")


def test_pages_become_links_but_not_in_code():
    text = "see `docs/live.md`\n```\nless `docs/live.md`\n```\n"
    linked = "see [live](%s/live.md)\n```\nless `docs/live.md`\n```\n"
    assert hooks.linked(text, "") == linked % "."
    assert hooks.linked(text, "systems") == linked % ".."


def test_a_notebook_becomes_a_page():
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "words"]},
        {"cell_type": "code", "source": ["a = 1\n", "a"], "outputs": []},
    ]
    page = hooks.notebook({"cells": cells}, "one")
    assert page.startswith("# Title\nwords\n\n[The notebook itself](one.ipynb)")
    assert page.endswith("```python\na = 1\na\n```\n")
