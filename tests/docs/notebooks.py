"""Notebooks run from top to bottom without Jupyter, which the environment lacks.

Lines that begin with ``!`` are commands of a shell, with ``{name}`` and ``$name``
filled in as IPython does. What a notebook displays is kept.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import types
from typing import Any

COMMAND = re.compile(r"^( *)!((?:.*\\\n)*.*)$", re.MULTILINE)


def plain(cell: str) -> str:
    """Returns a cell as plain Python: commands become calls."""

    def call(found: re.Match[str]) -> str:
        command = re.sub(r"\$(\w+)", r"{\1}", found[2])
        return f"{found[1]}__command(f{command!r})"

    return COMMAND.sub(call, cell)


def run(path: pathlib.Path, **environment: str) -> list[Any]:
    """Runs a notebook where it lies; returns what it displays, in order.

    Raises:
      AssertionError: a command ends with another code than 0; its output is told.
    """
    shown: list[Any] = []

    def command(line: str) -> None:
        done = subprocess.run(line, shell=True, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"

    display = types.ModuleType("IPython.display")
    display.HTML = display.Image = str  # type: ignore[attr-defined]
    display.display = shown.append  # type: ignore[attr-defined]
    before, kept = pathlib.Path.cwd(), os.environ.copy()
    modules = {"IPython": types.ModuleType("IPython"), "IPython.display": display}
    sys.modules.update(modules)
    os.environ.update(environment)
    os.chdir(path.parent)
    try:
        names: dict[str, Any] = {"__command": command}
        for number, cell in enumerate(json.loads(path.read_text())["cells"]):
            if cell["cell_type"] == "code":
                source = plain("".join(cell["source"]))
                exec(compile(source, f"{path.name}, cell {number}", "exec"), names)
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(kept)
        for name in modules:
            del sys.modules[name]
    return shown
