"""The pages in a real browser: a quiet console, no wider than a phone, dark and light.

A frame as wide as a phone holds the page; what its script finds stands in the DOM that
Chromium prints.
"""

import json
import re
import shutil
import subprocess

import pytest

from jaxact import report
from jaxact.report.timeline import SECOND, page
from tests.report.test_report import whole_evaluation

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
PHONE = 390
FRAME = """<!doctype html><title>frame</title>
<iframe id="phone" src="%s" style="width:390px;height:800px;border:0"></iframe>
<pre id="found"></pre>
<script>
const phone = document.getElementById("phone");
phone.onload = () => {
  const inside = phone.contentWindow, root = phone.contentDocument.documentElement;
  const style = inside.getComputedStyle(phone.contentDocument.body);
  const pieces = [...phone.contentDocument.querySelectorAll(".track button[data-at]")];
  if (pieces.length) pieces[pieces.length - 1].click();
  const head = phone.contentDocument.querySelector(".head");
  const dark = inside.matchMedia("(prefers-color-scheme: dark)").matches;
  document.getElementById("found").textContent = JSON.stringify({
    width: root.scrollWidth, dark: dark, page: style.backgroundColor, ink: style.color,
    head: head && head.style.left});
};
</script>
"""

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here"),
]


def seen(folder, path, dark):
    """What a browser says of a page: its console's lines, and the frame's findings."""
    (folder / "frame.html").write_text(FRAME % path.name)
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--allow-file-access-from-files", "--enable-logging=stderr"]
    command += [f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=5000"]
    command += [f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
    done = subprocess.run(
        [*command, f"file://{folder / 'frame.html'}"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    (found,) = re.findall(r'<pre id="found">(\{.*?\})</pre>', done.stdout)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return console, json.loads(found)


def light_of(colour):
    """How light a CSS colour is, 0 to 255."""
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


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
    console, found = seen(tmp_path, path, dark)
    assert console == []
    assert found["width"] <= PHONE
    assert found["dark"] == dark
    assert (light_of(found["page"]) < 60) == dark
    assert (light_of(found["ink"]) > 190) == dark
    if kind == "timeline":  # the piece that was chosen last is that of the event
        assert found["head"] == "62.5%"


def test_an_error_in_the_console_is_seen(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("<body style='width:500px'><script>nothing.there()</script>")
    console, found = seen(tmp_path, path, False)
    assert len(console) == 1 and "nothing is not defined" in console[0]
    assert found["width"] > PHONE
