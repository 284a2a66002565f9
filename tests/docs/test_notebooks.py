"""The notebooks run from top to bottom, small; what they show is there."""

import json
import pathlib

import pytest

from tests.docs import notebooks
from tests.paths import ROOT

FOLDER = ROOT / "docs" / "notebooks"
SMALL = {
    "staged_set": {"CLIPS": "48", "EPOCHS": "1"},
    "own_cameras": {"PEOPLE": "4", "EPOCHS": "2"},
}


def test_every_notebook_is_run():
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_notebooks_are_committed_without_output(name):
    cells = json.loads((FOLDER / f"{name}.ipynb").read_text())["cells"]
    assert all(not c.get("outputs") and not c.get("execution_count") for c in cells)


@pytest.mark.long
@pytest.mark.parametrize("name", SMALL)
def test_a_notebook_runs(tmp_path, name):
    sizes = SMALL[name] | {"FOLDER": str(tmp_path / "made"), "JAX_PLATFORMS": "cpu"}
    page, picture = notebooks.run(FOLDER / f"{name}.ipynb", **sizes)
    assert "<title>" in page and "Confusion matrix of" in page
    assert pathlib.Path(picture).stat().st_size > 1000


def test_commands_are_filled_in_and_their_failure_is_seen(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": ["!no command"]},
        {
            "cell_type": "code",
            "source": [
                "import os\nWORD = os.environ['WORD']\n",
                "if WORD:\n    !echo {WORD} \\\n        $WORD > said\n",
                "import pathlib\nfrom IPython.display import display\n",
                "display(pathlib.Path('said').read_text())",
            ],
        },
    ]
    path = tmp_path / "one.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    assert notebooks.run(path, WORD="ja") == ["ja ja\n"]
    cells[1]["source"] = ["!echo why; exit 3"]
    path.write_text(json.dumps({"cells": cells}))
    with pytest.raises(AssertionError, match="why"):
        notebooks.run(path)
