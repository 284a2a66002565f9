"""Tables of the site that are made of the code: config fields, backbones, fusions."""

import ast
import dataclasses
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from jaxact.backbones.public_weights import KINDS
from jaxact.backbones.table import NETWORKS, SharedConfig
from jaxact.layers.fusions.table import FUSIONS


@dataclasses.dataclass
class Field:
    """A field of a config as its source has it."""

    name: str
    kind: str
    default: str
    comment: str


def fields(path: str) -> str:
    """Returns a table of the fields of ``MODULE.CLASS``, inherited ones last.

    What a field is for is the comment beside it, or the one above it, which may be of
    several fields.
    """
    module, _, name = path.rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    rows = []
    seen: set[str] = set()
    for base in cls.__mro__:
        if dataclasses.is_dataclass(base) and base.__module__.startswith("jaxact"):
            for field in fields_of(inspect.getsource(base)):
                if field.name not in seen:
                    seen.add(field.name)
                    rows.append(field)
    return table(
        ("field", "default", "choices or type", "what"),
        [(code(f.name), code(f.default), code(f.kind), f.comment) for f in rows],
    )


def fields_of(source: str) -> Iterator[Field]:
    """Yields the annotated names of a class, with their comments."""
    source = textwrap.dedent(source)
    lines = source.splitlines()
    (cls,) = ast.parse(source).body
    assert isinstance(cls, ast.ClassDef)
    above = ""
    end = 0  # the last line of the statement before
    for node in cls.body:
        between = [line.strip() for line in lines[end : node.lineno - 1]]
        if said := [line[1:].strip() for line in between if line.startswith("#")]:
            above = " ".join(said)
        last = node.end_lineno or node.lineno
        beside = " ".join(
            found[1]
            for line in lines[node.lineno - 1 : last]
            if (found := re.search(r"  # (.*)$", line))
        )
        end = last
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        kind = ast.unparse(node.annotation)
        if kind.startswith("ClassVar"):
            continue
        default = ast.unparse(node.value) if node.value else ""
        comment = " ".join(filter(None, (above, beside)))
        yield Field(node.target.id, shown(kind), shown(default), comment)
        above = ""


def shown(text: str) -> str:
    """Returns a type or a default as one reads it."""
    if found := re.fullmatch(r"Literal\[(.*)\]", text):
        return found[1].replace("'", "").replace(", ", " | ")
    if found := re.fullmatch(r"one_of\(\w+, '(\w+)'\)", text):
        return found[1]
    if found := re.search(r"default_factory=(\w+)", text):
        return f"{found[1]}()"
    if found := re.search(r"\bdefault=([^,)]+)", text):
        return found[1]
    return text.strip("'")


def backbones() -> str:
    """Returns a table of all backbones by name: sizes, fields, public weights."""
    rows = []
    for kind in NETWORKS.values():
        for name, config in kind.items():
            if config is SharedConfig:  # which is no network
                continue
            sizes = getattr(inspect.getmodule(config), "VARIANTS", {})
            own = ", ".join(field.name for field in dataclasses.fields(config))
            words = (first_sentence(config), ", ".join(sizes) or "one", code(own))
            rows.append((code(name), *words))
    names = [(name,) for kind in KINDS for name in kind.NAMES]
    return "\n\n".join(
        [
            table(("`net=`", "what it is", "sizes published", "its fields"), rows),
            "Public files that fill them, whatever the names in them:",
            table(("names known",), names),
        ]
    )


def fusions() -> str:
    """Returns a table of all fusions: what each does, and its fields."""
    rows = []
    for name, config in FUSIONS.items():
        own = ", ".join(
            f"{field.name}={field.default}" for field in dataclasses.fields(config)
        )
        rows.append((code(name), first_sentence(config), code(own) if own else ""))
    return table(("`fusion=`", "what it does", "its fields"), rows)


def first_sentence(thing: Any) -> str:
    """Returns the first paragraph of a docstring, in one line."""
    return " ".join((thing.__doc__ or "").strip().split("\n\n")[0].split())


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table in Markdown; bars in its cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
        for line in lines
    )
