"""The order of numbered files: by all numbers of a name, compared in turn.

"9_ir8" comes before "10_ir8" and "1611234567.99" before "1611234568.03". Where two
readings of the names give two orders, or none does, there is no order.
"""

import datetime
import fractions
import re
from collections.abc import Sequence

from input_pipeline.formats.errors import UnusableFile

_NUMBER = re.compile(r"\d+")
# With a sign, unless it joins a number to a word ("frame-1").
_SIGNED = re.compile(r"(?<![^\W_])([-+]?)(\d+(?:\.\d+)?)")
_DECIMAL = re.compile(r"(?<![\d.])(\d+)\.(\d+)(?![\d.])")
_DATE = re.compile(r"(?<!\d)(\d{1,2})[-_. ](\d{1,2})[-_. ]((?:19|20)\d\d)(?!\d)")


def natural(stems: Sequence[str]) -> list[int]:
    """Return the places of the names (without endings) in natural order.

    Raises UnusableFile with two of the names if the order is ambiguous: texts that
    differ, one number twice, decimals of several lengths, days before months.
    """
    if len(stems) < 2:
        return list(range(len(stems)))
    signed = _signs(stems)
    pattern = _SIGNED if signed else _NUMBER
    texts = [pattern.sub("#", stem).casefold() for stem in stems]
    for stem, text in zip(stems, texts, strict=True):
        if "#" not in text:
            raise _ambiguous(stem, stems[stems[0] == stem], "a name has no number")
        if text != texts[0]:
            raise _ambiguous(stems[0], stem, "their texts differ")
    keys = [_numbers(stem, signed) for stem in stems]
    order = sorted(range(len(stems)), key=keys.__getitem__)
    for a, b in zip(order, order[1:], strict=False):
        if keys[a] == keys[b]:
            raise _ambiguous(stems[a], stems[b], "their numbers are the same")
    if not signed:
        _check_decimals(stems, order)
    _check_dates(stems, order)
    return order


def _signs(stems: Sequence[str]) -> bool:
    """Whether a dash before a number is a minus: in some names, not in all."""
    found = {tuple(sign for sign, _ in _SIGNED.findall(stem)) for stem in stems}
    return len(found) > 1


def _numbers(stem: str, signed: bool) -> tuple[fractions.Fraction | int, ...]:
    if signed:
        found = _SIGNED.findall(stem)
        return tuple(fractions.Fraction(sign + digits) for sign, digits in found)
    return tuple(map(int, _NUMBER.findall(stem)))


def _check_decimals(stems: Sequence[str], order: Sequence[int]) -> None:
    """Refuse "0.5" beside "0.25": 5 is less than 25, and more than a quarter."""
    found = [_DECIMAL.findall(stem) for stem in stems]
    if len({len(digits) for pairs in found for _, digits in pairs}) < 2:
        return
    if all(len(pairs) == 1 for pairs in found) and counted([p[0] for p in found]):
        return
    values = [
        tuple((int(whole), digits.rstrip("0")) for whole, digits in pairs)
        for pairs in found
    ]
    for a, b in zip(order, order[1:], strict=False):
        if values[a] > values[b]:
            raise _ambiguous(
                stems[a], stems[b], "as decimals they stand the other way round"
            )


def counted(pairs: Sequence[tuple[str, str]]) -> bool:
    """Return whether what follows the point counts on, as in 1.1 to 1.12."""
    counts: dict[int, set[int]] = {}
    for whole, digits in pairs:
        counts.setdefault(int(whole), set()).add(int(digits))
    return all(max(seen) - min(seen) < len(seen) for seen in counts.values())


def _check_dates(stems: Sequence[str], order: Sequence[int]) -> None:
    """Refuse days that come before their months where it makes a difference."""
    found = [_DATE.search(stem) for stem in stems]
    dates = [tuple(map(int, match.groups())) for match in found if match]
    if len(dates) < len(stems) or len(set(dates)) < 2:
        return
    for turn in ((2, 1, 0), (2, 0, 1)):
        try:
            for date in dates:
                datetime.date(*(date[i] for i in turn))
        except ValueError:
            continue
        for a, b in zip(order, order[1:], strict=False):
            if [dates[a][i] for i in turn] > [dates[b][i] for i in turn]:
                raise _ambiguous(stems[a], stems[b], "as dates they stand otherwise")


def _ambiguous(first: str, second: str, why: str) -> UnusableFile:
    return UnusableFile(
        "undecodable",
        f"the order of the images is ambiguous: {first!r} and {second!r}, {why}. Name "
        "them by one counting number of a fixed width, as 0001, 0002, ...",
    )
