"""The pages of the reference: every name of docs/names.md with its docstring."""

import pathlib
import re

ROW = re.compile(r"^\| `([\w.]+)` \| ((?:`\w+` ?)+)\|", re.MULTILINE)
TITLES = {
    "jaxact": "The library and its contracts",
    "backbones": "Backbones and public weights",
    "layers": "Layers",
    "models": "Models and their configs",
    "export": "Models that leave",
    "report": "The report",
    "input_pipeline": "The input pipeline",
}


def group(module: str) -> str:
    """Returns the page on which the names of a module stand: its folder's."""
    package, *rest = module.split(".")
    return rest[0] if package == "jaxact" and rest and rest[0] in TITLES else package


def pages(root: pathlib.Path) -> dict[str, str]:
    """Returns the text of every page of the reference by its name.

    Args:
      root: the repository.
    """
    found: dict[str, list[str]] = {name: [f"# {t}\n"] for name, t in TITLES.items()}
    text = (root / "docs" / "names.md").read_text(encoding="utf-8")
    for module, names in ROW.findall(text):
        page = found[group(module)]
        page.append(f"## {module}\n")
        page += [f"::: {module}.{name.strip('`')}\n" for name in names.split()]
    return {name: "\n".join(parts) for name, parts in found.items()}
