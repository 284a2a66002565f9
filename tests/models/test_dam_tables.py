"""The counts printed next to the papers' tables."""

import pytest

from jaxact.models import dam_tables


@pytest.mark.long
def test_dam_x_12_next_to_the_paper_s(monkeypatch):
    monkeypatch.setattr(dam_tables, "DAM_COUNTS", {12: ()})
    header, *_, row = (
        line
        for line in dam_tables.table_6().splitlines()
        if "24,327" in line or "x 12" in line
    )
    assert "24,327,632 parameters (the paper: 24.18 M), 20.44 GMAC" in header
    name, parameters, _, theirs, _, *gmacs = row.replace("DAM x 12", "x12").split()
    assert (name, parameters, theirs) == ("x12", "10.69", "16.20")
    small, large, quadratic, paper = map(float, gmacs)
    assert small < large < quadratic and paper == 10.17


@pytest.mark.long
def test_the_relations_of_table_3_next_to_the_paper_s():
    """By hand on c = 1024, n = 4 x 16 x 16: 1.25 c^2, c^2 + (c/4)^2, 3 c^2; 2 c each.

    DA-NL-2's scale is one number, or n^2.
    """
    c, n = 1024, 1024
    directed, poly = 1.25 * c**2 + 2 * c, 1.0625 * c**2 + 2 * c
    expected = [directed, poly, 3 * c**2 + 2 * c, directed, directed + 1]
    expected.append(directed + n**2)
    theirs = ["1.38", "1.15", "1.15", "1.35", "1.39", "1.39"]
    rows = [r for r in dam_tables.table_3().splitlines() if r.count(" M ") == 2]
    for row, name, number, paper in zip(
        rows, dam_tables.TABLE_3, expected, theirs, strict=True
    ):
        words = row.removeprefix(name).split()
        assert row.startswith(name) and words[2] == paper
        assert words[0] == f"{number / 1e6:.2f}"
    # What is reachable by config comes near the paper's sizes.
    assert abs(poly / 1e6 - 1.15) < 0.04 and abs(directed / 1e6 - 1.35) < 0.04


@pytest.mark.long
def test_directed_attention_at_the_first_stage_next_to_the_paper_s(monkeypatch):
    monkeypatch.setattr(dam_tables, "TABLE_4", {1: {"da_nl": (24.27, 237.92)}})
    row = next(r for r in dam_tables.table_4().splitlines() if r.startswith("Res1"))
    small, large, quadratic, paper = map(float, row.split()[-4:])
    assert (small, paper) == (0.82, 211.73) and small < 1 and large < 1.1
    assert quadratic > 170
