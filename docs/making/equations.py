"""Equations in pages: LaTeX to MathML, which browsers set without scripts."""

import html
import re

from latex2mathml import converter

FOUND = re.compile(
    r'<(?P<tag>div|span) class="arithmatex">\\[\[(](?P<latex>.*?)\\[\])]</(?P=tag)>',
    re.DOTALL,
)


def typeset(page: str) -> str:
    """Replaces the equations of a page of HTML.

    Raises:
      ValueError: an equation is no LaTeX that can be set; it is named.
    """
    return FOUND.sub(lambda found: _set(found["latex"], found["tag"] == "div"), page)


def _set(escaped: str, block: bool) -> str:
    latex = html.unescape(escaped).strip()
    try:
        math = converter.convert(latex, display="block" if block else "inline")
    except Exception as error:  # the converter's own are of many kinds
        raise ValueError(f"{latex!r} is no LaTeX that can be set: {error}") from error
    if "\\" in math:
        raise ValueError(f"{latex!r} has a command that is not known: {math}")
    return f'<div class="equation">{math}</div>' if block else math
