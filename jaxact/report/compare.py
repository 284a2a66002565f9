"""Two models on the same clips: how much better is one, and where?

Both saw every clip, so what counts is on which clips they differ: the difference of the
accuracies has a far smaller interval than either of them.
"""

import json
import math
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxact import metrics
from jaxact.errors import UserError
from jaxact.report import figures, html, numbers, output
from jaxact.report.predictions import Predictions, aligned_scores

DRAWS = 20_000
# Names of clips listed where one model is right and the other wrong.
SHOWN = 40
OTHERS = "others"


def mcnemar(first_only: int, second_only: int) -> float:
    """Returns the exact two-sided p value of McNemar's test (1947).

    Of the clips that one model alone has right, as many should be the first's as the
    second's: p = min(1, 2 sum_{i <= min(a, b)} C(n, i) / 2^n), n = a + b.
    """
    n = first_only + second_only
    logs = [
        math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1)
        for i in range(min(first_only, second_only) + 1)
    ]
    return min(1.0, 2 * sum(math.exp(log - n * math.log(2)) for log in logs))


def bootstrap(
    first_only: int, second_only: int, clips: int, seed: int = 0
) -> tuple[float, float]:
    """Returns the 95 % interval of the second accuracy minus the first.

    Percentiles over clips drawn again with replacement. A clip counts +1, -1 or 0, so
    that drawing clips is drawing how many there are of each: a multinomial.
    """
    shares = np.array([first_only, second_only, clips - first_only - second_only])
    drawn = np.random.default_rng(seed).multinomial(clips, shares / clips, DRAWS)
    low, high = np.percentile((drawn[:, 1] - drawn[:, 0]) / clips, [2.5, 97.5])
    return float(low), float(high)


def compare(
    first: Predictions, second: Predictions, classes: Sequence[str] = ()
) -> dict[str, Any]:
    """Compares two models' predictions of the same clips.

    Args:
      first, second: read with `predictions.read`.
      classes: whose confusion is shown; the rest is one class, "others". None: all.

    Returns:
      names, clips, top1 (of both), difference (second minus first) and its interval,
      right (both, first_only, second_only, neither), p of McNemar's test, classes,
      their confusion (counts, of both) and its difference (of the rows' shares, second
      minus first), accuracy by class, and the clips that one alone has right, by name.

    Raises:
      UserError: they are not of the same clips, or a class is unknown.
    """
    scores = [first.scores, aligned_scores(first, second)]
    predicted = [values.argmax(axis=1) for values in scores]
    right = [values == first.labels for values in predicted]
    only = [right[0] & ~right[1], right[1] & ~right[0]]
    clips = len(first.labels)
    counts = [int(one.sum()) for one in only]
    names = [part.facts["experiment"] for part in (first, second)]
    if names[0] == names[1]:
        names = [part.path for part in (first, second)]
    shown, groups = _groups([str(name) for name in first.classes], classes)
    confusions = [
        metrics.confusion_matrix(groups[first.labels], groups[one], len(shown))
        for one in predicted
    ]
    shares = [
        matrix / np.maximum(matrix.sum(1, keepdims=True), 1) for matrix in confusions
    ]
    by_class = _by_class(first, right)
    return {
        "names": names,
        **{key: first.facts[key] for key in ("dataset", "protocol", "split")},
        "clips": clips,
        "top1": [float(one.mean()) for one in right],
        "difference": (counts[1] - counts[0]) / clips,
        "interval": bootstrap(counts[0], counts[1], clips),
        "p": mcnemar(*counts),
        "right": {
            "both": int((right[0] & right[1]).sum()),
            "first_only": counts[0],
            "second_only": counts[1],
            "neither": int((~right[0] & ~right[1]).sum()),
        },
        "classes": shown,
        "confusion": [matrix.tolist() for matrix in confusions],
        "confusion_difference": (shares[1] - shares[0]).tolist(),
        "class_accuracy": [
            {"name": str(name), "top1": [float(one[i]) for one in by_class]}
            for i, name in enumerate(first.classes)
            if (first.labels == i).any()
        ],
        "one_right": {
            key: [_clip(first, predicted, int(i)) for i in np.flatnonzero(one)]
            for key, one in zip(("first_only", "second_only"), only, strict=True)
        },
    }


def _by_class(first: Predictions, right: Sequence[np.ndarray]) -> list[np.ndarray]:
    size = len(first.classes)
    clips = np.maximum(np.bincount(first.labels, minlength=size), 1)
    return [np.bincount(first.labels, one, size) / clips for one in right]


def _clip(
    first: Predictions, predicted: Sequence[np.ndarray], row: int
) -> dict[str, Any]:
    classes = [str(name) for name in first.classes]
    return {
        "id": int(first.ids[row]),
        "name": str(first.names[row]),
        "true": classes[first.labels[row]],
        "predicted": [classes[one[row]] for one in predicted],
    }


def _groups(classes: list[str], chosen: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Returns the classes shown, and which of them each class belongs to."""
    unknown = [name for name in chosen if name not in classes]
    if unknown:
        raise UserError(
            f"There are no classes {', '.join(unknown)}; the classes are "
            f"{', '.join(classes)}."
        )
    if not chosen:
        return classes, np.arange(len(classes))
    shown = list(dict.fromkeys(chosen))
    rest = [] if len(shown) == len(classes) else [OTHERS]
    places = [shown.index(n) if n in shown else len(shown) for n in classes]
    return shown + rest, np.array(places)


def text(found: dict[str, Any]) -> str:
    """Returns the comparison in a few lines."""
    a, b = found["names"]
    low, high = found["interval"]
    right = found["right"]
    return "\n".join(
        [
            f"{found['clips']} clips of {found['split'] or 'the split'}",
            f"{found['top1'][0]:7.2%}  {a}",
            f"{found['top1'][1]:7.2%}  {b}",
            f"{100 * found['difference']:+.2f} points, 95 % interval "
            f"{100 * low:+.2f} to {100 * high:+.2f} (bootstrap over clips)",
            f"right in the first alone {right['first_only']}, in the second alone "
            f"{right['second_only']}: McNemar's p = {found['p']:.3g}",
        ]
    )


def write(folder: pathlib.Path | str, found: dict[str, Any]) -> pathlib.Path:
    """Writes ``compare.html`` and ``compare.json``; returns the page's path.

    Raises:
      UserError: the folder cannot be written to.
    """
    page = html.fill(
        PAGE,
        r=found,
        text=text(found),
        shown=SHOWN,
        charts=[
            figures.confusion_chart(np.array(one), found["classes"])
            for one in found["confusion"]
        ],
        difference=figures.difference_chart(
            np.array(found["confusion_difference"]), found["classes"]
        ),
        rows=sorted(
            found["class_accuracy"], key=lambda row: row["top1"][1] - row["top1"][0]
        ),
    )
    found = numbers.plain(found)
    return output.write_page(pathlib.Path(folder), "compare", page, found)


def shown_clips(given: Sequence[str]) -> tuple[str, ...]:
    """Returns names of clips and classes, as ``evaluate.py --show`` takes them.

    Args:
      given: names, or ``FOLDER/compare.json#first_only`` or ``#second_only``: the clips
        that one model of a comparison alone has right.

    Raises:
      UserError: there is no such file, it is of something else, or names no clip.
    """
    names: list[str] = []
    for one in given:
        path, sign, key = one.rpartition("#")
        if not (sign and path.endswith(".json")):
            names.append(one)
            continue
        try:
            found = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
            names += [clip["name"] for clip in found["one_right"][key]]
        except OSError as error:
            raise UserError(f"--show names {path}: {error.strerror}.") from None
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f"--show names {one}; expected the compare.json that `python -m jaxact "
                "compare` writes, and behind it #first_only or #second_only."
            ) from None
        if not found["one_right"][key]:
            raise UserError(f"{path} has no clip that this model alone has right.")
    return tuple(names)


PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{ r.names | join(" and ") }}</title>
<style>{{ css }}</style>
</head>
<body>
<main>
<header>
<p class="kind">Comparison of two models on the same clips</p>
<h1>{{ r.names[1] }} against {{ r.names[0] }}</h1>
</header>
<pre>{{ text }}</pre>
<section>
<h2>Confusion matrices</h2>
<div class="broad pair">
{% for chart in charts %}
<div><h3>{{ r.names[loop.index0] }}</h3>
<div class="scroll" tabindex="0">{{ chart }}</div></div>
{% endfor %}
</div>
<h3>Difference, in points of a row's clips</h3>
<p class="note">Blue: more clips are given to this class by {{ r.names[1] }}; orange:
fewer. On the diagonal blue is better, beside it orange.</p>
<div class="scroll broad" tabindex="0">{{ difference }}</div>
</section>
<section>
<h2>By class</h2>
<div class="scroll"><table class="wide">
<thead><tr><th>Class</th><th class="n">{{ r.names[0] }}</th>
<th class="n">{{ r.names[1] }}</th></tr></thead>
<tbody>
{% for row in rows %}
<tr><th scope="row">{{ row.name }}</th><td class="n">{{ row.top1[0] | percent }}</td>
<td class="n">{{ row.top1[1] | percent }}</td></tr>
{% endfor %}
</tbody></table></div>
</section>
{% for key, clips in r.one_right.items() %}
<section>
<h2>Right in {{ r.names[0 if key == "first_only" else 1] }} alone:
{{ clips | length }}</h2>
<div class="scroll"><table class="wide">
<thead><tr><th>Clip</th><th>True</th><th>Predicted by the other</th></tr></thead>
<tbody>
{% for clip in clips[:shown] %}
<tr><th scope="row"><code>{{ clip.name }}</code></th><td>{{ clip.true }}</td>
<td>{{ clip.predicted[1 if key == "first_only" else 0] }}</td></tr>
{% endfor %}
</tbody></table></div>
</section>
{% endfor %}
<footer><p class="note">All clips are in <code>compare.json</code>. See some of them:
<code>python evaluate.py --config CONFIG --show compare.json#first_only</code> (or
<code>#second_only</code>).</p></footer>
</main>
</body>
</html>
"""
