"""Pages in a real browser: a quiet console, legible on a phone, dark and light."""

import pytest

from jaxact import report
from jaxact.report.timeline import SECOND, page
from tests.browser import NEEDED, PHONE, light_of, seen
from tests.report.test_report import whole_evaluation

pytestmark = NEEDED


def timeline(folder):
    segments = [
        {"start": 0, "end": 4 * SECOND, "class": "wave " * 20, "score": 0.5},
        {"start": 6 * SECOND, "end": 8 * SECOND, "class": "x" * 90, "score": 0.9},
    ]
    events = [{"at": 5 * SECOND, "stream": "ir", "text": "stalled: it ended"}]
    pixel = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
    facts = {"rgb": "/a/very/long/name/" + "of-a-file" * 12, "window": "2 s"}
    text = page.render(facts, segments, events, (0, 8 * SECOND), [(0, pixel)])
    path = folder / "timeline.html"
    path.write_text(text)
    return path


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("kind", ["report", "timeline"])
def test_a_page_in_a_browser(tmp_path, kind, dark):
    if kind == "report":
        path = report.write_report(tmp_path, whole_evaluation())
    else:
        path = timeline(tmp_path)
    console, found = seen(tmp_path, path.name, dark)
    assert console == [] and found["faint"] == []
    assert found["width"] <= PHONE
    assert found["dark"] == dark
    assert (light_of(found["page"]) < 60) == dark
    assert (light_of(found["ink"]) > 190) == dark
    if kind == "timeline":  # the piece that was chosen last is that of the event
        assert found["head"] == "62.5%"


def test_an_error_in_the_console_is_seen(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("<body style='width:500px'><script>nothing.there()</script>")
    console, found = seen(tmp_path, path.name, False)
    assert len(console) == 1 and "nothing is not defined" in console[0]
    assert found["width"] > PHONE


def test_ink_that_is_hardly_seen_is_found(tmp_path):
    text = "<p>well</p><div style='background:#222'><p style='color:#444'>hardly</p>"
    (tmp_path / "page.html").write_text(f"<body style='background:#fff'>{text}</div>")
    _, found = seen(tmp_path, "page.html", True)
    assert found["faint"] == [["hardly", 1.6]]
