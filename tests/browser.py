"""A page in a real browser, as wide as a phone: its console, and what it looks like.

A frame as wide as a phone holds the page; what its script finds stands in the DOM that
Chromium prints.
"""

import json
import pathlib
import re
import shutil
import subprocess
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
PHONE = 390
NEEDED = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here"),
]
# Contrast is that of WCAG 2: of a text's colour with what is behind it.
FRAME = """<!doctype html><title>frame</title>
<iframe id="phone" src="%s" style="width:390px;height:800px;border:0"></iframe>
<pre id="found"></pre>
<script>
const phone = document.getElementById("phone");
const numbers = text => text.match(/[\\d.]+/g).map(Number);
const over = (top, below) => {
  const share = top.length > 3 ? top[3] : 1;
  return [0, 1, 2].map(i => share * top[i] + (1 - share) * below[i]);
};
const light = colour => {
  const [r, g, b] = colour.slice(0, 3).map(x => x / 255).map(
    x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, two) => {
  const [a, b] = [light(one), light(two)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
};
const behind = (inside, node) => {
  const layers = [];
  for (let at = node; at; at = at.parentElement) {
    layers.push(numbers(inside.getComputedStyle(at).backgroundColor));
  }
  return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
};
const faint = inside => {
  const page = inside.document, found = [];
  const walk = page.createTreeWalker(page.body, 4);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement, style = inside.getComputedStyle(node);
    const box = node.getBoundingClientRect(), text = walk.currentNode.data.trim();
    if (!text || !box.width || !box.height || style.visibility !== "visible") continue;
    if (node.closest("svg, script, style, noscript") || !node.checkVisibility(
      {opacityProperty: true, visibilityProperty: true})) continue;
    const back = behind(inside, node), ink = over(numbers(style.color), back);
    const ratio = contrast(ink, back);
    if (ratio < 3) found.push([text.slice(0, 40), Math.round(ratio * 10) / 10]);
  }
  return found;
};
phone.onload = () => {
  const inside = phone.contentWindow, root = phone.contentDocument.documentElement;
  const style = inside.getComputedStyle(phone.contentDocument.body);
  const pieces = [...phone.contentDocument.querySelectorAll(".track button[data-at]")];
  if (pieces.length) pieces[pieces.length - 1].click();
  const head = phone.contentDocument.querySelector(".head");
  const dark = inside.matchMedia("(prefers-color-scheme: dark)").matches;
  const say = () => {
    inside.scrollTo(500, 0);
    document.getElementById("found").textContent = JSON.stringify({
      width: Math.max(root.scrollWidth, 390 + inside.scrollX), dark: dark,
      page: style.backgroundColor, ink: style.color, faint: faint(inside),
      words: phone.contentDocument.body.innerText.length,
      head: head && head.style.left});
  };
  say();
  setTimeout(say, 1500);  // what scripts and transitions have made of it by then
};
</script>
"""


def seen(
    folder: pathlib.Path, page: str, dark: bool, address: str = "", scratch: Any = None
) -> tuple[list[str], dict[str, Any]]:
    """Returns what a browser says of a page: its console's lines, and what was found.

    Args:
      folder: the frame is written there.
      page: by its address below ``folder``.
      dark: what the reader prefers.
      address: of the folder on a server; "": its files.
      scratch: folder of the browser's own; by default inside of ``folder``.
    """
    (folder / "frame.html").write_text(FRAME % page)
    assert CHROMIUM
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--allow-file-access-from-files", "--enable-logging=stderr"]
    command += [f"--user-data-dir={scratch or folder / 'profile'}"]
    command += ["--virtual-time-budget=5000"]
    command += [f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
    done = subprocess.run(
        [*command, f"{address or f'file://{folder}'}/frame.html"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    (found,) = re.findall(r'<pre id="found">(\{.*?\})</pre>', done.stdout, re.DOTALL)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return console, json.loads(found)


def light_of(colour: str) -> float:
    """Returns how light a CSS colour is, 0 to 255."""
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
