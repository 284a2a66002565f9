"""The rules about files: short, free of one machine's paths, configs that explain."""

import ast
import pathlib
import re
from collections.abc import Iterator

import pytest

from tests.paths import ROOT

FOLDERS = (
    "jaxact",
    "input_pipeline",
    "configs",
    "tests",
    "benchmarks",
    "examples",
    "results",
    "docs",
    ".ci",
    ".github",
)
TEXT = {".py", ".md", ".toml", ".txt", ".yml", ".yaml", ".cff", ".html", ".csv", ""}
SCRIPTS = ("train.py", "evaluate.py", "predict.py", "crossvalidate.py", "export.py")
MAX_LINES = 400
MAX_SCRIPT_LINES = 150
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/")


def text_files(root: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields the files people write: no data, no environment, no output of a tool."""
    # In a worktree .git is a file, written by git.
    candidates = [p for p in root.iterdir() if p.is_file() and p.name != ".git"]
    for folder in FOLDERS:
        candidates += (root / folder).rglob("*")
    for path in sorted(candidates):
        if path.is_file() and path.suffix in TEXT and "__pycache__" not in path.parts:
            yield path


def long_files(root: pathlib.Path) -> list[str]:
    found = []
    for path in text_files(root):
        name = str(path.relative_to(root))
        limit = MAX_SCRIPT_LINES if name in SCRIPTS else MAX_LINES
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if path.suffix == ".py" and lines > limit:
            found.append(f"{name} has {lines} lines; at most {limit}")
    return found


def machine_paths(root: pathlib.Path) -> list[str]:
    found = []
    for path in text_files(root):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if match := MACHINE_PATH.search(line):
                found.append(f"{path.relative_to(root)}:{number} names {match[0]}")
    return found


def unexplained_configs(root: pathlib.Path) -> list[str]:
    """Lists what each config's docstring lacks of command, hardware and metric."""
    wanted = {
        "its command": r"python train\.py --config configs/{name}\.py",
        "its hardware": r"(?m)^Hardware: +\S",
        "its metric": r"(?m)^Metric: +\S",
    }
    found = []
    for path in sorted((root / "configs").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
        if "get_config" not in functions:
            continue  # what several configs share
        text = ast.get_docstring(tree) or ""
        for what, pattern in wanted.items():
            if not re.search(pattern.replace("{name}", re.escape(path.stem)), text):
                found.append(f"{path.relative_to(root)} does not state {what}")
    return found


def test_files_are_short():
    assert long_files(ROOT) == []


def test_no_file_names_a_path_of_one_machine():
    assert machine_paths(ROOT) == []


def test_every_config_states_command_hardware_and_metric():
    assert unexplained_configs(ROOT) == []


@pytest.mark.parametrize(
    ("file", "lines", "found"),
    [
        ("jaxact/long.py", 401, ["jaxact/long.py has 401 lines; at most 400"]),
        ("jaxact/long.py", 400, []),
        ("train.py", 151, ["train.py has 151 lines; at most 150"]),
        ("README.md", 999, []),
    ],
)
def test_a_long_file_is_found(tmp_path, file, lines, found):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("\n" * lines)
    assert long_files(tmp_path) == found


def test_a_machine_path_is_found(tmp_path):
    (tmp_path / "docs").mkdir()
    private = "/".join(["", "home", "ada", "data"])
    (tmp_path / "docs" / "a.md").write_text(f"fine: a/home/x\nraw = {private}\n")
    assert machine_paths(tmp_path) == [
        f"docs/a.md:2 names {private.removesuffix('data')}"
    ]


def test_a_config_that_explains_nothing_is_found(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "common.py").write_text("CLASSES = 60\n")
    docstring = "Hardware: 1 GPU\nCommand:  python train.py --config configs/b.py\n"
    (tmp_path / "configs" / "a.py").write_text(
        f'"""Short.\n\n{docstring}"""\ndef get_config(): ...\n'
    )
    assert unexplained_configs(tmp_path) == [
        "configs/a.py does not state its command",
        "configs/a.py does not state its metric",
    ]
