"""The template of the report's page; `jaxact.report.html` fills it."""

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{{ r.experiment }}: {{ r.top1 | percent }} Top-1</title>
<style>{{ css }}</style>
</head>
<body>
<main>
<header>
<p class="kind">Evaluation report</p>
<h1>{{ r.experiment }}</h1>
<dl class="facts">
{% for name, value in facts.items() %}
<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>
{% endfor %}
</dl>
</header>

<section class="headline" aria-label="Headline numbers">
<dl>
<div class="first"><dt>Top-1</dt><dd>{{ r.top1 | percent }}</dd>
<dd class="note">95 % interval {{ (100 * r.top1_interval[0]) | round(1) }} to
{{ (100 * r.top1_interval[1]) | round(1) }}</dd></div>
<div><dt>Top-5</dt><dd>{{ r.top5 | percent }}</dd></div>
<div><dt>Mean class accuracy</dt><dd>{{ r.mean_class_accuracy | percent }}</dd></div>
<div><dt>Loss</dt>
<dd>{{ "–" if r.loss is none else "%.3f" | format(r.loss) }}</dd></div>
<div><dt>Clips</dt><dd>{{ r.clips }}</dd>
<dd class="note">{{ r.classes | length }} classes</dd></div>
</dl>
</section>

{% if examples %}
<section id="pictures">
<h2>{{ "What was kept" if examples | selectattr("selected") | list else "Clips" }}</h2>
{% if examples | selectattr("selected") | list %}
<p>Bright regions are those the model kept; the rest is darkened.
<b class="key">Key frames</b> keep most, <b class="second">secondary ones</b> fewer
regions, dropped frames none. The number under a frame is its score.
{% if examples | selectattr("boxed") | list %}
The thin green box is the actor as the data set knows it; <i>hidden</i> means that the
frame does not show them.
{% endif %}</p>
{% endif %}
{% if examples | selectattr("joints") | list %}
<p>Lines are the skeleton as the data set has it{% if examples
| selectattr("overlaid") | list %}, drawn where the camera sees it{% endif %}.
Each person has a colour.</p>
{% endif %}
{% for kind in examples | map(attribute="maps") | sum(start=[])
| map(attribute="kind") | unique %}
<p>{{ {"activation": "Frames in grey glow where the model saw the class that it predicts
(class activation map).", "assignments": "Frames in grey and colours show NetVLAD's
clusters: places of one colour are assigned to one centre, the stronger the surer."
}[kind] }}</p>
{% endfor %}
{% for e in examples %}
<figure>
{% if e.picture %}
<div class="scroll" tabindex="0"><img class="sheet" src="{{ e.picture }}"
width="{{ e.size[0] }}" height="{{ e.size[1] }}" loading="lazy"
alt="Frames of {{ e.name }}, a row for each stream"></div>
{% endif %}
{% for m in e.maps %}
<div class="scroll" tabindex="0"><img class="sheet" src="{{ m.picture }}"
width="{{ m.size[0] }}" height="{{ m.size[1] }}" loading="lazy"
alt="{{ m.kind }} of {{ e.name }}, a row for each stream"></div>
{% endfor %}
<figcaption><span class="verdict {{ "good" if e.right else "bad" }}">
{{- "right" if e.right else "wrong" }}</span>
<span><span class="quiet">true</span> {{ e.true }}</span>
<span><span class="quiet">predicted</span> {% for g in e.guesses -%}
<span class="{{ "good" if g.true else "quiet" if not loop.first }}">
{{- g.name }} {{ g.p | percent(0) }}</span>
{%- if not loop.last %}, {% endif %}{% endfor %}</span>
{% if e.difficulties %}
<span class="quiet">{{ e.difficulties | join(", ") | replace("_", " ") }}</span>
{% endif %}<code>{{ e.name }}</code>
{% if e.not_shown %}<span class="quiet">not shown: {{ e.not_shown | join(", ") }}</span>
{% endif %}</figcaption>
</figure>
{% endfor %}
</section>
{% endif %}

{% if r.folds %}
<section id="folds">
<h2>Fold by fold</h2>
<table>
<thead><tr><th>Fold</th><th class="n">Clips</th><th class="n">Classes</th>
<th class="n">Top-1</th><th class="n">Mean class</th><th class="bar"></th></tr></thead>
<tbody>
{% for row in r.folds.rows %}
<tr><th scope="row">{{ row.fold }}</th><td class="n">{{ row.clips }}</td>
<td class="n">{{ row.tested }}</td><td class="n">{{ row.top1 | percent }}</td>
<td class="n">{{ row.mean_class_accuracy | percent }}</td>
<td class="bar">{{ bar(row.top1) }}</td></tr>
{% endfor %}
</tbody>
</table>
<p class="note">Mean and standard deviation over folds: Top-1
{{ r.folds.top1.mean | percent }} ± {{ r.folds.top1.deviation | percent }}, mean class
{{ r.folds.mean_class_accuracy.mean | percent }} ±
{{ r.folds.mean_class_accuracy.deviation | percent }}, of the classes that a fold tests.
All other figures are of the clips of all folds together; each was tested once.</p>
</section>
{% endif %}
{% if selection or r.difficulties or branches %}
<section class="pair">
{% if branches %}
<div id="branches">
<h2>Each branch alone</h2>
<table>
<thead><tr><th>Prediction of</th><th class="n">Top-1</th><th class="n">Top-5</th>
<th class="n">Mean class</th><th class="bar"></th></tr></thead>
<tbody>
{% for row in branches %}
<tr><th scope="row">{{ row.name }}</th><td class="n">{{ row.top1 | percent }}</td>
<td class="n">{{ row.top5 | percent }}</td>
<td class="n">{{ row.mean_class_accuracy | percent }}</td>
<td class="bar">{{ bar(row.top1) }}</td></tr>
{% endfor %}
</tbody>
</table>
<p class="note">The same network, read at its other outputs: a branch was trained
together with the rest, so alone and trained for itself it may do better or worse.</p>
</div>
{% endif %}
{% if selection %}
<div id="selection">
<h2>Selection against chance</h2>
<table>
<thead><tr><th>Share of</th><th class="n">Model</th><th class="n">Chance</th></tr>
</thead>
<tbody>
{% for row in selection %}
<tr><th scope="row">{{ row.what }}</th><td class="n">{{ row.value | percent }}</td>
<td class="n quiet">{{ row.chance | percent if row.compared }}</td></tr>
{% endfor %}
</tbody>
</table>
<p class="note">Chance keeps as many frames and regions, drawn at random. Above it, the
model looks where the actor is; at it, its choice is no better than drawing lots. How
many frames are kept is fixed: where the actor is in every frame, model and chance agree
whatever is chosen.</p>
</div>
{% endif %}
{% if frames %}
<div id="frames">
<h2>Kept frames that show the actor</h2>
<div class="scroll"><table>
<thead><tr><th></th><th class="n">Kept</th><th class="n">Model</th>
<th class="n">Chance</th><th class="n">Fixed</th><th class="n">Best</th></tr></thead>
<tbody>
{% for row in frames.rows %}
<tr><th scope="row">{{ row.name }}</th>
<td class="n">{{ "%.1f" | format(row.kept) }}</td>
<td class="n">{{ row.precision | percent }}</td>
<td class="n quiet">{{ row.chance | percent }}</td>
<td class="n quiet">{{ row.blind | percent }}</td>
<td class="n quiet">{{ row.ceiling | percent }}</td></tr>
{% endfor %}
</tbody>
</table></div>
<p class="note">Chance draws as many frames of each clip. Fixed are the best positions,
the same in every clip, chosen with the truth of these clips: a model that is no better
does not look. Best is what the truth itself would keep. Below: in which share of the
clips each frame is kept.</p>
{% for chart in frames.charts %}
<div class="scroll">{{ chart }}</div>
{% endfor %}
</div>
{% endif %}
{% if r.difficulties %}
<div id="difficulties">
<h2>By difficulty</h2>
<table>
<thead><tr><th>Clips</th><th class="n">n</th><th class="n">Top-1</th>
<th class="bar"></th></tr></thead>
<tbody>
{% for row in r.difficulties %}
<tr><th scope="row">
{{- "none of these" if row.name == "none" else row.name | replace("_", " ") }}</th>
<td class="n">{{ row.clips }}</td><td class="n">{{ row.top1 | percent }}</td>
<td class="bar">{{ bar(row.top1) if row.clips }}</td></tr>
{% endfor %}
</tbody>
</table>
<p class="note">A clip may have several difficulties and then counts in each row.</p>
</div>
{% endif %}
</section>
{% endif %}

<section id="confusion">
<h2>Confusion matrix</h2>
<p>A row is a true class, its cells the share of its clips given to each class:
<b class="right">right</b> on the diagonal, <b class="wrong">wrong</b> beside it.
{% if numbered %}Columns carry the class numbers written at the rows.
{% endif %}</p>
<div class="scroll broad" tabindex="0">{{ confusion }}</div>
</section>

<section id="classes">
<h2>Classes, hardest first</h2>
<div class="scroll">
<table class="wide">
<thead><tr><th class="n">No.</th><th>Class</th><th class="n">Clips</th>
<th class="n">Accuracy</th><th class="bar"></th><th>Most confused with</th></tr></thead>
<tbody>
{% for row in hardest %}
<tr><td class="n quiet">{{ row.index }}</td><th scope="row">{{ row.name }}</th>
<td class="n">{{ row.clips }}</td><td class="n">{{ row.accuracy | percent }}</td>
<td class="bar">{{ bar(row.accuracy) }}</td>
<td>{% if row.most_confused_with %}{{ row.most_confused_with.name }}
<span class="quiet">{{ row.most_confused_with.clips }}×</span>{% else %}
<span class="quiet">–</span>{% endif %}</td></tr>
{% endfor %}
</tbody>
</table>
</div>
{% if unseen %}
<p class="note">No clips of: {{ unseen | join(", ") }}.</p>
{% endif %}
</section>

{% if r.mistakes %}
<section id="mistakes">
<h2>Most confident mistakes</h2>
<div class="scroll">
<table class="wide">
<thead><tr><th>Clip</th><th>True</th><th>Predicted</th><th class="n">Probability</th>
<th class="n">of the true</th>{% if r.difficulties %}<th>Difficulties</th>{% endif %}
</tr></thead>
<tbody>
{% for row in r.mistakes %}
<tr><th scope="row"><code>{{ row.name }}</code></th><td>{{ row.true }}</td>
<td>{{ row.predicted }}</td><td class="n">{{ row.probability | percent }}</td>
<td class="n quiet">{{ row.probability_of_true | percent }}</td>
{% if r.difficulties %}
<td class="quiet">{{ row.difficulties | join(", ") | replace("_", " ") }}</td>
{% endif %}</tr>
{% endfor %}
</tbody>
</table>
</div>
</section>
{% endif %}

{% if curves %}
<section id="training">
<h2>Training</h2>
<div class="curves">
{% for chart in curves %}
<figure>{{ chart }}</figure>
{% endfor %}
</div>
<p class="note">Over training steps. The training loss has all its terms; that of the
evaluation is the cross-entropy of the scores.</p>
</section>
{% endif %}

<footer>
{% if r.config %}
<details><summary>Config</summary><pre>{{ r.config }}</pre></details>
{% endif %}
<p class="note">Every number of this page is in <code>report.json</code>; the scores of
every clip are in <code>predictions.npz</code>.</p>
</footer>
</main>
</body>
</html>
"""
