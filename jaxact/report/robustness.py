"""The failure report: what a model does when one of its streams fails, as a page."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from PIL import Image

from jaxact.metrics import BINS, SURE
from jaxact.report import html, maps, numbers, output, overlays

FORMAT = "jaxact-robustness/1"
SHOWN, HEIGHT = 4, 72  # frames of an example, and their height
ROW, GAP, NAMES, WIDTH = 18, 10, 190, 420
# Of a row: key, heading, digits of the percentage.
COLUMNS = (
    ("top1", "Top-1"),
    ("confidence", "mean confidence"),
    ("calibration_error", "calibration error"),
    ("sure_and_wrong", "sure and wrong"),
)
CHANGE = "Top-1 against nothing failing (95 % interval)"
# Of models that tell.
OF_ITSELF = (("uncertainty", "own uncertainty"), ("expected_cost", "streams run"))


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Returns keys and headings of what there is of these rows."""
    more = [(k, title) for k, title in OF_ITSELF if any(k in row for row in rows)]
    return [*COLUMNS, *more]


def name_of(row: Mapping[str, Any]) -> str:
    """Returns what happens in a row: "ir noisy 0.3"."""
    if not row["stream"]:
        return "nothing fails"
    strength = "" if row["failure"] == "missing" else f" {row['strength']:g}"
    return f"{row['stream']} {row['failure']}{strength}"


def change_of(row: Mapping[str, Any]) -> str:
    """Returns what a failure changes, in points: "-12.5 (-15.0 to -10.1)"."""
    if "change" not in row:
        return ""
    low, high = (100 * x for x in row["interval"])
    return f"{100 * row['change']:+.1f} ({low:+.1f} to {high:+.1f})"


def text(found: Mapping[str, Any]) -> str:
    """Returns the table in plain text."""
    width = max(len(name_of(row)) for row in found["rows"])
    columns = columns_of(found["rows"])
    head = "  ".join(f"{title:>17}" for _, title in columns)
    lines = [f"{'':<{width}}  {'clips':>6}  {head}  {CHANGE}"]
    for row in found["rows"]:
        cells = row.get("refused")
        if cells is None:
            cells = "  ".join(f"{row[key]:>17.1%}" for key, _ in columns)
            cells = f"{row['clips']:>6}  {cells}  {change_of(row)}"
        lines.append(f"{name_of(row):<{width}}  {cells}".rstrip())
    return "\n".join(lines)


def chart(rows: Sequence[Mapping[str, Any]]) -> Markup:
    """Draws a bar of Top-1 for each row, and of the clips that are sure and wrong."""
    rows = [row for row in rows if "top1" in row]
    height = len(rows) * (ROW + GAP) + 24
    parts = [
        f'<svg class="curve" viewBox="0 0 {NAMES + WIDTH + 60} {height}" '
        f'width="{NAMES + WIDTH + 60}" role="img" font-size="12" '
        'aria-label="Top-1, and clips that are sure and wrong, for each failure">'
    ]
    for index, row in enumerate(rows):
        y = 4 + index * (ROW + GAP)
        tip = "\n".join(
            [name_of(row), *(f"{title}: {row[key]:.1%}" for key, title in COLUMNS)]
        )
        parts.append(
            f"<g><title>{escape(tip)}</title>"
            f'<text x="{NAMES - 8}" y="{y + ROW / 2:.1f}" class="end middle">'
            f"{escape(name_of(row))}</text>"
            f'<rect class="plate" x="{NAMES}" y="{y}" width="{WIDTH}" height="{ROW}"/>'
            f'<rect class="right" x="{NAMES}" y="{y}" '
            f'width="{WIDTH * row["top1"]:.1f}" height="{ROW * 0.62:.1f}"/>'
            f'<rect class="wrong" x="{NAMES}" y="{y + ROW * 0.68:.1f}" '
            f'width="{WIDTH * row["sure_and_wrong"]:.1f}" height="{ROW * 0.32:.1f}"/>'
            f"{_before(row, y)}"
            f'<text x="{NAMES + WIDTH + 6}" y="{y + ROW / 2:.1f}" class="middle">'
            f"{row['top1']:.1%}</text></g>"
        )
    return Markup("".join(parts) + "</svg>")


def _before(row: Mapping[str, Any], y: int) -> str:
    """Returns a line where Top-1 of the same clips is while nothing fails."""
    x = NAMES + WIDTH * (row["top1"] - row.get("change", 0.0))
    return f'<path class="grid" d="M{x:.1f} {y - GAP / 2:g}v{ROW + GAP}"/>'


def strip(clip: np.ndarray) -> str:
    """Returns four frames of ``[t h w c]``, first to last, as a data URI."""
    clip = clip[np.linspace(0, len(clip) - 1, SHOWN).round().astype(int)]
    if clip.dtype == np.int16:
        clip = maps.difference_frames(clip)
    elif clip.dtype == np.uint16:
        clip = maps.depth_frames(clip)
    frames = [Image.fromarray(overlays.colour(frame)) for frame in clip]
    width = max(1, round(HEIGHT * frames[0].width / frames[0].height))
    sheet = Image.new("RGB", (SHOWN * (width + 2) - 2, HEIGHT), "white")
    for index, frame in enumerate(frames):
        sheet.paste(frame.resize((width, HEIGHT)), (index * (width + 2), 0))
    return html.data_uri(sheet)


def write(folder: pathlib.Path | str, found: Mapping[str, Any]) -> pathlib.Path:
    """Writes ``robustness.html`` and ``robustness.json``; returns the page's path.

    Args:
      folder: made if it is missing.
      found: experiment, checkpoint, dataset, protocol, split, clips, classes (their
        number), share_of_frames, share_of_clips, and rows, see
        `jaxact.run.robustness.measure`.

    Raises:
      UserError: the folder cannot be written to.
    """
    unwritten = ("example", "examples")
    rows = [
        {k: v for k, v in row.items() if k not in unwritten} for row in found["rows"]
    ]
    pictures = []
    for row in found["rows"]:
        for stream, clip in row.get("examples", {}).items():
            pictures.append((f"{stream} as it is", strip(clip)))
        if "example" in row:
            pictures.append((name_of(row), strip(row["example"])))
    page = html.fill(
        PAGE,
        r=found,
        chart=chart(rows),
        pictures=pictures,
        columns=columns_of(rows),
        name_of=name_of,
        change=CHANGE,
        change_of=change_of,
        sure=SURE,
        bins=BINS,
    )
    plain = numbers.plain({"format": FORMAT, **found, "rows": rows})
    return output.write_page(pathlib.Path(folder), "robustness", page, plain)


PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{{ r.experiment }}: failing streams</title>
<style>{{ css }}</style>
</head>
<body>
<main>
<header>
<p class="kind">What the model does when one of its streams fails</p>
<h1>{{ r.experiment }}</h1>
<dl class="facts">
{% for key in ("dataset", "protocol", "split", "checkpoint", "clips",
  "classes") %}
<div><dt>{{ key }}</dt><dd>{{ r[key] }}</dd></div>
{% endfor %}
<div><dt>frames of a clip</dt><dd>{{ r.share_of_frames | percent(0) }}</dd></div>
<div><dt>clips concerned</dt><dd>{{ r.share_of_clips | percent(0) }}</dd></div>
</dl>
</header>
<section>
<h2>Top-1, and how often it is sure and wrong</h2>
<div class="scroll">{{ chart }}</div>
<p class="note">Blue: right. Orange: wrong, with a probability of {{ sure }} or more.
The line: right where nothing fails, of the same clips.</p>
</section>
<section>
<h2>All figures</h2>
<div class="scroll"><table class="wide">
<thead><tr><th>What happens</th><th class="n">clips</th>
{% for _, title in columns %}
<th class="n">{{ title }}</th>
{% endfor %}
<th class="n">{{ change }}</th>
</tr></thead>
<tbody>
{% for row in r.rows %}
<tr><th scope="row">{{ name_of(row) }}</th>
{% if "refused" in row %}
<td colspan="{{ columns | length + 2 }}">{{ row.refused }}</td>
{% else %}
<td class="n">{{ row.clips }}</td>
{% for key, _ in columns %}
<td class="n">{{ row[key] | percent }}</td>
{% endfor %}
<td class="n">{{ change_of(row) }}</td>
{% endif %}
</tr>
{% endfor %}
</tbody></table></div>
<p class="note">A stream fails on the clips that have it, and is missing where there is
another one, too; these are counted, and the change is that of the same clips, in
points, by bootstrap over them. Calibration error: the mean difference of confidence and
accuracy, over {{ bins }} ranges of confidence, by their clips.
{% if columns | length > 4 %}Own uncertainty: K / S of the evidence, 1 where the model
knows nothing; streams run: the share of their cost that the chosen experts need.
{% endif %}</p>
</section>
{% if pictures %}
<section>
<h2>What it looks like</h2>
<p class="note">Four frames of one clip, from the first to the last.</p>
<div class="pair">
{% for name, picture in pictures %}
<figure><img src="{{ picture }}" alt="{{ name }}"><figcaption>{{ name }}</figcaption>
</figure>
{% endfor %}
</div>
</section>
{% endif %}
<section>
<h2>What the strengths are of</h2>
<dl>
{% for name, about in r.failures.items() %}
<div><dt><strong>{{ name }}</strong></dt><dd>{{ about }}</dd></div>
{% endfor %}
</dl>
</section>
</main>
</body>
</html>
"""
