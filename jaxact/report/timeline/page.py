"""The timeline as one HTML page: what was seen when, beside the video or stills of it.

Nothing is fetched but the video, where a link to one is given; the one script only
moves the video or the still to the moment that was chosen.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from jaxact.report import html
from jaxact.report.timeline import SECOND

SCRIPT = """
const video = document.querySelector("video");
const still = document.getElementById("still");
const stills = [...document.querySelectorAll("#stills i")];
const heads = [...document.querySelectorAll(".lane .head")];
const bar = document.querySelector(".lanes");
const first = Number(bar.dataset.first), last = Number(bar.dataset.last);
function show(at) {
  const place = 100 * Math.min(1, Math.max(0, (at - first) / (last - first || 1)));
  for (const head of heads) head.style.left = place + "%";
  const before = stills.filter(one => Number(one.dataset.at) <= at);
  const chosen = before[before.length - 1] || stills[0];
  if (still && chosen) still.src = chosen.dataset.src;
}
function go(at) {
  if (video && !video.hidden) video.currentTime = at - Number(video.dataset.offset);
  show(at);
}
if (video) {
  video.addEventListener("timeupdate",
    () => show(video.currentTime + Number(video.dataset.offset)));
  const gone = () => { video.hidden = true; if (still) still.hidden = false; };
  video.addEventListener("error", gone);
  if (video.error) gone();
}
document.addEventListener("click", event => {
  const chosen = event.target.closest("[data-at]");
  if (chosen) return go(Number(chosen.dataset.at));
  const lane = event.target.closest(".lane .track");
  if (!lane) return;
  const box = lane.getBoundingClientRect();
  go(first + (last - first) * (event.clientX - box.left) / box.width);
});
show(first);
"""

CSS = """
.seen { position: sticky; top: 0; background: var(--page); padding: .75rem 0;
  z-index: 1; }
.seen video, .seen img { display: block; width: 100%; max-height: 42vh;
  object-fit: contain; background: var(--plate); border-radius: 6px; }
[hidden] { display: none !important; }
.lane { display: grid; grid-template-columns: 12rem 1fr; gap: .25rem 1rem;
  align-items: center; padding: .2rem 0; }
.lane .name { overflow-wrap: anywhere; font-size: .9rem; }
.lane .name small { color: var(--quiet); font-size: .8125rem; white-space: nowrap; }
.track { position: relative; height: 1.5rem; background: var(--plate);
  border-radius: 3px; cursor: pointer; }
.track button { position: absolute; top: 0; bottom: 0; min-width: 3px; padding: 0;
  border: 0; border-radius: 2px; background: var(--right); cursor: pointer; }
.track button:focus-visible, td button:focus-visible { outline: 2px solid var(--key);
  outline-offset: 1px; }
.track .event { background: var(--wrong); }
.track .head { position: absolute; top: -2px; bottom: -2px; width: 2px;
  background: var(--ink); pointer-events: none; }
.axis { display: flex; justify-content: space-between; color: var(--quiet);
  font-size: .8125rem; font-variant-numeric: tabular-nums; }
td button { font: inherit; color: var(--right); background: none; border: 0;
  padding: .25rem 0; cursor: pointer; font-variant-numeric: tabular-nums; }
td.what { overflow-wrap: anywhere; }
@media (max-width: 40rem) { .lane { grid-template-columns: 1fr; } }
"""

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';
  img-src data:; media-src 'self' file:; style-src 'unsafe-inline';
  script-src 'sha256-{{ digest }}'">
<title>Timeline: {{ facts.values() | first }}</title>
<style>{{ css }}{{ more }}</style>
</head>
<body>
<main>
<header>
<p class="kind">Timeline</p>
<h1>What was seen when</h1>
<dl class="facts">
{% for name, value in facts.items() %}
<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>
{% endfor %}
</dl>
</header>

<section class="seen" aria-label="Picture">
{% if video %}
<video controls preload="metadata" src="{{ video }}" data-offset="{{ offset }}"></video>
{% endif %}
{% if stills %}
<img id="still" alt="The picture at the chosen moment" src="{{ stills[0].source }}"
{{- " hidden" if video }}>
{% endif %}
</section>

<section aria-label="Timeline">
<div class="lanes" data-first="{{ first }}" data-last="{{ last }}">
{% for lane in lanes %}
<div class="lane"><span class="name">{{ lane.name }} <small>{{ lane.total }}</small>
</span>
<div class="track"><span class="head"></span>
{% for s in lane.parts %}
<button type="button" data-at="{{ s.at }}" title="{{ s.text }}"
aria-label="{{ s.text }}"{{ ' class="event"' | safe if lane.events }}
style="left:{{ s.left }}%;width:{{ s.width }}%;opacity:{{ s.opacity }}"></button>
{% endfor %}
</div></div>
{% else %}
<p>Nothing scored above the threshold.</p>
<div class="lane"><span></span><div class="track"><span class="head"></span></div></div>
{% endfor %}
<div class="lane"><span></span><div class="axis"><span>{{ begin }}</span>
<span>{{ end }}</span></div></div>
</div>
<p class="note">A row is a class that was seen, the fullest first; paler pieces are less
sure. Choose a piece, a place or a line below to see it.</p>
</section>

{% if rows %}
<section>
<h2>Segments</h2>
<table>
<thead><tr><th>From</th><th>To</th><th>Class</th><th class="n">Score</th></tr></thead>
<tbody>
{% for row in rows %}
<tr><td><button type="button" data-at="{{ row.at }}">{{ row.from_ }}</button></td>
<td>{{ row.to }}</td><td class="what">{{ row.name }}</td>
<td class="n">{{ row.score | percent(0) }}</td></tr>
{% endfor %}
</tbody>
</table>
</section>
{% endif %}

{% if events %}
<section>
<h2>What happened</h2>
<table>
<thead><tr><th>At</th><th>Stream</th><th>What</th></tr></thead>
<tbody>
{% for e in events %}
<tr><td><button type="button" data-at="{{ e.at }}">{{ e.when }}</button></td>
<td>{{ e.stream or "all" }}</td><td class="what">{{ e.text }}</td></tr>
{% endfor %}
</tbody>
</table>
</section>
{% endif %}

<footer><p class="note">All of it is in <code>timeline.json</code>, the segments in
<code>timeline.csv</code> and as subtitles in <code>timeline.srt</code>.</p></footer>
<div id="stills" hidden>
{% for s in stills %}<i data-at="{{ s.at }}" data-src="{{ s.source }}"></i>
{% endfor %}</div>
</main>
<script>{{ script }}</script>
</body>
</html>
"""


def render(
    facts: Mapping[str, Any],
    segments: Sequence[Mapping[str, Any]],
    events: Sequence[Mapping[str, Any]],
    span: tuple[int, int],
    stills: Sequence[tuple[int, str]] = (),
    video: str = "",
    offset: float = 0.0,
) -> str:
    """Returns the page.

    Args:
      facts: what stands at its top.
      segments: ``start`` and ``end`` in us, ``class``, ``score``.
      events: ``at`` in us, ``stream``, ``text``.
      span: from when to when the timeline is, us.
      stills: pictures, as data URIs, and from when on they are shown, us.
      video: a link; "": there is none.
      offset: seconds that the recording's clock is ahead of the video's.
    """
    first, last = span
    length = max(last - first, 1)

    def part(start: int, end: int, text: str, opacity: float) -> dict[str, Any]:
        place = {"left": start - first, "width": max(0, end - start)}
        shares = {name: round(100 * us / length, 3) for name, us in place.items()}
        opaque = round(0.35 + 0.65 * opacity, 2)
        return {"at": start / SECOND, "text": text, "opacity": opaque, **shares}

    rows = [
        {
            "at": s["start"] / SECOND,
            "from_": short(s["start"]),
            "to": short(s["end"]),
            "name": s["class"],
            "score": s["score"],
        }
        for s in segments
    ]
    lanes = []
    for name in dict.fromkeys(s["class"] for s in segments):
        own = [s for s in segments if s["class"] == name]
        total = sum(s["end"] - s["start"] for s in own)
        parts = []
        for s in own:
            times = f"{short(s['start'])} to {short(s['end'])}"
            text = f"{name}, {times}, {s['score']:.0%}"
            parts.append(part(s["start"], s["end"], text, s["score"]))
        told = f"{total / SECOND:.1f} s"
        lanes.append({"name": name, "total": told, "us": total, "parts": parts})
    lanes.sort(key=lambda lane: -lane["us"])
    if events:
        parts = [
            part(e["at"], e["at"], f"{e['stream']} {e['text']}", 1.0) for e in events
        ]
        lanes.append({"name": "events", "total": "", "parts": parts, "events": True})
    return html.fill(
        PAGE,
        more=Markup(CSS),
        script=Markup(SCRIPT),
        digest=base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode(),
        facts=facts,
        lanes=[{"events": False} | lane for lane in lanes],
        rows=rows,
        events=[
            dict(e) | {"when": short(e["at"]), "at": e["at"] / SECOND} for e in events
        ],
        stills=[{"at": at / SECOND, "source": source} for at, source in stills],
        video=video,
        offset=offset,
        first=first / SECOND,
        last=last / SECOND,
        begin=short(first),
        end=short(last),
    )


def short(microseconds: int) -> str:
    """Returns a time as a person writes it: "4.3 s", "2:07.5", "1:02:03.0"."""
    tenths = round(microseconds / (SECOND / 10))
    seconds, tenth = divmod(tenths, 10)
    if seconds < 60:
        return f"{seconds}.{tenth} s"
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    start = f"{hours}:{minute:02d}" if hours else f"{minute}"
    return f"{start}:{second:02d}.{tenth}"
