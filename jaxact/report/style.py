"""The look of the report: one style sheet, light and dark, screen, phone and print."""

CSS = """\
:root {
  --page: #fbfbfa; --ink: #1c2126; --quiet: #69727d; --rule: #e3e5e8;
  --plate: #f1f3f5; --right: #1f6fb2; --wrong: #cf5c1a; --on: #fff;
  --good: #1d7a46; --key: #9a6700; --second: #1f6fb2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #101317; --ink: #e2e6ec; --quiet: #8d97a5; --rule: #2a3038;
    --plate: #181d23; --right: #4c9fe6; --wrong: #f08a4b; --on: #0b0e12;
    --good: #4fc483; --key: #ffb300; --second: #56aaff;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue",
    "DejaVu Sans", sans-serif;
}
main { max-width: 74rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .75rem; overflow-wrap: anywhere;
  font-weight: 650; letter-spacing: -.015em; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 0 0 .6rem; font-weight: 650; }
p { margin: 0 0 1rem; max-width: 46rem; }
section, footer { margin-top: 3rem; }
code, pre { font: .86em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas,
  "DejaVu Sans Mono", monospace; }
.quiet, .note, .kind { color: var(--quiet); }
.note { font-size: .875rem; margin-top: .75rem; }
.kind { margin: 0 0 .25rem; font-size: .875rem; }

dl, dd { margin: 0; }
.facts { display: flex; flex-wrap: wrap; gap: .25rem 1.75rem; font-size: .9rem; }
.facts div { display: flex; gap: .5rem; }
.facts dt { color: var(--quiet); }
.facts dd { overflow-wrap: anywhere; }
.headline { margin-top: 1.75rem; padding: 1.25rem 0; border: solid var(--rule);
  border-width: 1px 0; }
.headline dl { display: grid; gap: 1.25rem 2rem;
  grid-template-columns: 1.5fr 1fr 1.4fr 1fr 1fr; }
.headline dt { color: var(--quiet); font-size: .875rem; }
.headline dd { font-size: 1.65rem; line-height: 1.25; font-weight: 600;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
.headline .first dd { color: var(--right); }
.headline .first dd:nth-of-type(1) { font-size: 2.4rem; line-height: 1; }
.headline dd.note, .headline .first dd.note { font-size: .8125rem; font-weight: 400;
  color: var(--quiet); margin-top: .3rem; }

figure { margin: 0 0 1.75rem; break-inside: avoid; }
figcaption { margin-top: .5rem; font-size: .9rem; display: flex; flex-wrap: wrap;
  gap: .15rem .8rem; align-items: baseline; }
figcaption code { color: var(--quiet); }
.verdict { font-weight: 650; }
.good { color: var(--good); } .bad, .wrong { color: var(--wrong); }
b.right { color: var(--right); } b.key { color: var(--key); }
b.second { color: var(--second); }
.scroll { overflow-x: auto; }
.broad { width: max(100%, min(100vw - 3rem, 96rem)); position: relative; left: 50%;
  transform: translateX(-50%); }
.sheet { display: block; height: auto; width: 100%; min-width: 44rem;
  border-radius: 6px; }

.pair { display: grid; gap: 2.5rem 3.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { padding: .38rem 1rem .38rem 0; text-align: left; vertical-align: baseline;
  border-bottom: 1px solid var(--rule); }
tr > :last-child { padding-right: 0; }
thead th { color: var(--quiet); font-weight: 400; font-size: .8125rem;
  white-space: nowrap; }
tbody th { font-weight: 500; }
tr { break-inside: avoid; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar { width: 22%; min-width: 5rem; vertical-align: middle; }
.bar div { background: var(--plate); height: .5rem; border-radius: 2px;
  overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--right); }

svg { display: block; fill: var(--ink); }
svg.confusion { max-width: 100%; height: auto; margin: 0 auto; }
svg .quiet { fill: var(--quiet); } svg .strong { font-weight: 600; font-size: 12px; }
svg .note { font-size: 13px; }
svg .centre { text-anchor: middle; } svg .end { text-anchor: end; }
svg .middle { dominant-baseline: central; }
svg .plate { fill: var(--plate); }
svg rect.right { fill: var(--right); } svg rect.wrong { fill: var(--wrong); }
svg .cell { font-variant-numeric: tabular-nums; font-size: 12px; }
svg .on { fill: var(--on); }
svg .grid { stroke: var(--rule); }
svg polyline { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
svg polyline.line0 { stroke: var(--right); }
svg polyline.line1 { stroke: var(--wrong); }
svg circle.line0, svg .name0 { fill: var(--right); }
svg circle.line1, svg .name1 { fill: var(--wrong); }
.curves { display: grid; gap: 1.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); }
.curves figure { margin: 0; }
pre { overflow-x: auto; padding: 1rem; background: var(--plate); border-radius: 6px; }
summary { cursor: pointer; }

@media (max-width: 40rem) {
  main { padding: 1.5rem 1rem 3rem; }
  h1 { font-size: 1.5rem; }
  section, footer { margin-top: 2.25rem; }
  .headline dl { grid-template-columns: 1fr 1fr; }
  .headline .first { grid-column: 1 / -1; }
  .wide .bar, #branches .bar { display: none; }
  .wide thead th { white-space: normal; vertical-align: bottom; }
  #mistakes table { min-width: 38rem; }
}
@media print {
  :root {
    --page: #fff; --ink: #000; --quiet: #555; --rule: #ccc; --plate: #f3f3f3;
    --right: #1f6fb2; --wrong: #cf5c1a; --on: #fff; --good: #1d7a46;
    --key: #9a6700; --second: #1f6fb2;
  }
  body { font-size: 10pt; print-color-adjust: exact;
    -webkit-print-color-adjust: exact; }
  main { max-width: none; padding: 0; }
  .scroll { overflow: visible; }
  .broad { width: auto; position: static; transform: none; }
  .sheet { min-width: 0; }
  svg.confusion { min-width: 0 !important; max-height: 24cm; break-inside: avoid; }
  .bar div { border: 1px solid var(--rule); }
  section { margin-top: 1.75rem; }
  h2 { break-after: avoid; }
  .pair > div { break-inside: avoid; }
  .curves { grid-template-columns: repeat(3, 1fr); }
}
"""
