"""What devices tell one another in a compiled program: read from its optimised HLO."""

import dataclasses
import math
import re

KINDS = (
    "all-reduce",
    "all-gather",
    "reduce-scatter",
    "all-to-all",
    "collective-permute",
)
# name = SHAPE kind(operands), attributes; SHAPE may be a tuple. Of an asynchronous pair
# only the start is counted.
_LINE = re.compile(
    rf"= (?P<shape>.*?) (?P<kind>{'|'.join(KINDS)})(?P<start>-start)?\((?P<rest>.*)"
)
_ARRAY = re.compile(r"\b(?P<type>pred|[a-z]+(?P<bits>\d+)\w*)\[(?P<sizes>[\d,]*)\]")
_GROUPS = re.compile(r"replica_groups=(?:\[\d+,(\d+)\]|\{\{([\d,]+)\})")


@dataclasses.dataclass(frozen=True)
class Collective:
    """All exchanges of one kind in a step.

    Attributes:
      count: how many there are.
      bytes: of the whole arrays that each device takes part in exchanging: results of
        all-gather and all-reduce, operands of reduce-scatter.
    """

    count: int
    bytes: int


def collectives(text: str) -> dict[str, Collective]:
    """Counts the exchanges of a compiled program, by kind.

    What is in the body of a loop is counted once.

    Args:
      text: of ``compiled.as_text()``, after partitioning.
    """
    found: dict[str, Collective] = {}
    for line in text.splitlines():
        match = _LINE.search(line)
        if match is None:
            continue
        kind, shape = match["kind"], match["shape"]
        scatters, times = kind == "reduce-scatter", 1
        if match["start"] and kind != "all-reduce":
            # The tuple of a start holds operands, results and, of some kinds, more;
            # operands and results are tuples themselves where several are combined.
            operands, *results = _elements(shape)
            shape = operands if scatters or not results else results[0]
        elif scatters:
            times = _group_size(match["rest"])
        size = times * sum(map(_bytes, _ARRAY.finditer(shape)))
        before = found.get(kind, Collective(0, 0))
        found[kind] = Collective(before.count + 1, before.bytes + size)
    return {kind: found[kind] for kind in KINDS if kind in found}


def _elements(shape: str) -> list[str]:
    """Splits a tuple at those commas that are in none of its elements."""
    depth, elements = 0, [""]
    for letter in shape.strip()[1:-1]:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            elements.append("")
        else:
            elements[-1] += letter
    return elements


def _bytes(array: re.Match[str]) -> int:
    bits = 8 if array["type"] == "pred" else int(array["bits"])
    sizes = [int(size) for size in array["sizes"].split(",") if size]
    return math.prod(sizes) * bits // 8


def _group_size(text: str) -> int:
    match = _GROUPS.search(text)
    if match is None:
        return 1
    return int(match[1]) if match[1] else match[2].count(",") + 1
