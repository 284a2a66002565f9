"""The timeline's page: what stands where, nothing fetched, everything escaped."""

import base64
import hashlib
import html.parser
import re

import pytest

from jaxact.report.timeline import page

NASTY = "</script><img src=x onerror=alert(1)>\"'"


class Tags(html.parser.HTMLParser):
    """The tags of a page, and what they load."""

    def __init__(self, text):
        super().__init__()
        self.names, self.sources = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]


def render(**options):
    segments = [
        {"start": 10_000_000, "end": 12_500_000, "class": "wave", "score": 0.5},
        {"start": 15_000_000, "end": 20_000_000, "class": NASTY, "score": 1.0},
    ]
    events = [{"at": 15_000_000, "stream": "ir", "text": NASTY}]
    facts = {"rgb": NASTY}
    return page.render(facts, segments, events, (10_000_000, 20_000_000), **options)


def test_pieces_lie_where_they_were():
    text = render()
    style = 'data-at="10.0" title="wave, 10.0 s to 12.5 s, 50%"'
    assert style in text
    assert "left:0.0%;width:25.0%;opacity:0.68" in text
    assert "left:50.0%;width:50.0%;opacity:1.0" in text
    assert text.index("5.0 s</small>") < text.index("2.5 s</small>")  # fullest first
    assert 'data-first="10.0" data-last="20.0"' in text


def test_nothing_is_fetched_and_everything_escaped():
    stills = [(10_000_000, "data:image/webp;base64,AAAA")]
    text = render(stills=stills, video="a%20b.mp4", offset=2.7)
    assert NASTY not in text
    tags = Tags(text)
    assert tags.sources == ["a%20b.mp4", "data:image/webp;base64,AAAA"]
    assert tags.names.count("script") == 1 and "link" not in tags.names
    assert 'data-offset="2.7"' in text
    (policy,) = re.findall(r"script-src 'sha256-([^']+)'", text)
    (script,) = re.findall(r"<script>(.*)</script>", text, re.S)
    digest = hashlib.sha256(script.encode()).digest()
    assert policy == base64.b64encode(digest).decode()


def test_a_timeline_of_nothing_is_a_page():
    text = page.render({"rgb": "a"}, [], [], (0, 0))
    assert "Nothing scored above the threshold." in text


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [(4_320_000, "4.3 s"), (127_450_000, "2:07.4"), (3_723_000_000, "1:02:03.0")],
)
def test_times_as_a_person_writes_them(microseconds, text):
    assert page.short(microseconds) == text
