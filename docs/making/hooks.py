"""What the site has beside the files of docs/; mkdocs calls these while it builds.

- ``<!-- from README.md: TITLE -->`` becomes that section of the README, and
  ``<!-- table: NAME -->`` the table of that name of README.md or a page of docs/;
- ``<!-- fields: MODULE.CLASS -->``, ``<!-- backbones -->`` and ``<!-- fusions -->``
  become tables made of the code, see `tables`;
- names of pages in the text, as in ``docs/live.md``, become links;
- equations become MathML, Mermaid's charts SVG, notebooks pages, docs/names.md the
  reference.

On a code host these comments are not seen; the sentence before each says where to look.
"""

import functools
import json
import pathlib
import posixpath
import re
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from docs.making import diagrams, equations, reference, tables

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIRECTIVE = re.compile(
    r"^<!-- (from README\.md|table|fields|backbones|fusions)"
    r"(?:: ([^\n]+?))? -->$",
    re.MULTILINE,
)
FENCE = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)
PAGE = re.compile(r"`docs/([\w/]+)\.(?:md|ipynb)`")


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages that nobody writes: the reference, and one a notebook."""
    for name, text in reference.pages(ROOT).items():
        files.append(File.generated(config, f"api/{name}.md", content=text))
    for file in list(files):
        if file.src_uri.endswith(".ipynb"):
            text = notebook(json.loads(file.content_string), file.name)
            uri = file.src_uri.removesuffix(".ipynb") + ".md"
            files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fills in what the comments of a page ask for, and links pages."""
    try:
        text = DIRECTIVE.sub(lambda found: filled(found[1], found[2]), markdown)
        text = diagrams.drawn(text)
    except (KeyError, ValueError) as error:
        raise PluginError(f"{page.file.src_uri}: {error}") from error
    return linked(text, posixpath.dirname(page.file.src_uri))


def on_page_content(html: str, **_: Any) -> str:
    """Sets the equations of a page."""
    return equations.typeset(html)


def filled(kind: str, what: str | None) -> str:
    """Returns what a comment stands for."""
    made = {"backbones": tables.backbones, "fusions": tables.fusions}
    if kind in made:
        return made[kind]()
    assert what, f"<!-- {kind} --> names nothing"
    if kind == "fields":
        return tables.fields(what)
    return section(what) if kind == "from README.md" else result(what)


@functools.cache
def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(title: str) -> str:
    """Returns a section of the README, without its title."""
    for part in re.split(r"^#{1,2} ", read("README.md"), flags=re.MULTILINE):
        if part.startswith(title + "\n"):
            return part.removeprefix(title).strip()
    raise KeyError(f"README.md has no section {title!r}.")


def result(name: str) -> str:
    """Returns a table of results, from wherever `results.tables` writes it."""
    pages = ["README.md", *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))]
    place = re.compile(rf"<!-- {name}: begin -->\n(.*?)<!-- {name}: end -->", re.DOTALL)
    for page in pages:
        if found := place.search(read(page)):
            return found[1].strip()
    raise KeyError(f"No page has a table of results called {name!r}.")


def linked(text: str, folder: str) -> str:
    """Makes links of the pages a text names, outside its blocks of code."""
    up = posixpath.relpath(".", folder or ".")
    parts = FENCE.split(text)
    parts[::2] = [
        PAGE.sub(lambda found: f"[{found[1]}]({up}/{found[1]}.md)", part)
        for part in parts[::2]
    ]
    return "".join(parts)


def notebook(content: dict[str, Any], name: str) -> str:
    """Returns a notebook's cells as a page: what it says and runs, no output."""
    parts = []
    for cell in content["cells"]:
        source = "".join(cell["source"])
        code = cell["cell_type"] == "code"
        parts.append(f"```python\n{source}\n```" if code else source)
    title, *rest = parts
    where = f"[The notebook itself]({name}.ipynb), to run here or in Colab."
    return "\n\n".join([title, where, *rest]) + "\n"
