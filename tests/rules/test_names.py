"""The public names of docs/names.md: each is there, and the face is listed whole."""

import importlib
import re

import pytest

import jaxact
from tests.paths import ROOT

PAGE = ROOT / "docs" / "names.md"
ROW = re.compile(r"^\| `([\w.]+)` \| ((?:`\w+` ?)+)\|", re.MULTILINE)


def listed() -> list[tuple[str, str]]:
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    return [
        (module, name.strip("`")) for module, names in rows for name in names.split()
    ]


LISTED = listed()


def test_every_row_is_read():
    rows = PAGE.read_text(encoding="utf-8").count("\n| `")
    assert len(ROW.findall(PAGE.read_text(encoding="utf-8"))) == rows > 30


@pytest.mark.parametrize(("module", "name"), LISTED, ids=str)
def test_a_listed_name_is_there(module, name):
    assert getattr(importlib.import_module(module), name) is not None


def test_the_face_of_the_library_is_listed():
    assert {name for module, name in LISTED if module == "jaxact"} == {*jaxact.__all__}


def unknown_files(text: str) -> list[str]:
    """Returns the files and folders a page names that are not there."""
    named = set(re.findall(r"`([\w.]+/(?:[\w.]+/)*[\w.]*)`", text))
    ours = {n for n in named if (ROOT / n.split("/")[0]).is_dir() and "NAME" not in n}
    made = ("data/", "runs/")  # by the commands
    return sorted(n for n in ours if not n.startswith(made) and not (ROOT / n).exists())


@pytest.mark.parametrize(
    "page",
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").glob("*.md")),
    ],
    ids=lambda page: page.name,
)
def test_pages_name_files_that_are_there(page):
    assert unknown_files(page.read_text(encoding="utf-8")) == []


def test_a_file_that_is_not_there_is_found():
    text = (
        "`jaxact/batch.py` `jaxact/layers/` `jaxact/pooling.py` `jaxact/NAME.py` `a/b`"
    )
    assert unknown_files(text) == ["jaxact/pooling.py"]
