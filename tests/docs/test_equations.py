"""LaTeX in pages becomes MathML, or the build ends."""

import pytest

from docs.making import equations


def test_an_equation_is_set():
    page = r'<p>with <span class="arithmatex">\(a_1 &lt; b\)</span></p>'
    found = equations.typeset(page)
    assert found.startswith("<p>with <math") and found.endswith("</math></p>")
    assert "<msub><mi>a</mi><mn>1</mn></msub>" in found
    assert "<mo>&#x0003C;</mo>" in found and 'display="inline"' in found


def test_one_on_lines_of_its_own_may_be_scrolled():
    found = equations.typeset('<div class="arithmatex">\\[\nx\n\\]</div>')
    assert found.startswith('<div class="equation"><math')
    assert 'display="block"' in found


def test_a_command_that_is_not_known_is_an_error():
    with pytest.raises(ValueError, match=r"nosuch.*command that is not known"):
        equations.typeset(r'<span class="arithmatex">\(\nosuch{x}\)</span>')
