"""The report as one HTML page: every picture inside it, nothing fetched, no scripts."""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from PIL import Image

from jaxact import out
from jaxact.batch import PRESENT
from jaxact.report import bodies, figures, maps, numbers, overlays, page, style
from jaxact.report.evaluation import Evaluation

SELECTION_ROWS = (
    ("frame_precision", "frame_precision_chance", "kept frames that show the actor"),
    ("frame_recall", "frame_chance", "frames with the actor that are kept"),
    ("region_recall", "region_chance", "regions on the actor that are kept"),
    (
        "marked_region_recall",
        "marked_region_chance",
        "the same, within the kept frames",
    ),
)
# What a model may say of every place, and how it is drawn.
MAPS = {out.ACTIVATION: maps.heat_frames, out.ASSIGNMENTS: maps.cluster_frames}
CURVES: tuple[tuple[str, tuple[str, ...], dict[str, Any]], ...] = (
    ("loss", ("loss", "eval/loss"), {}),
    ("accuracy", ("accuracy", "eval/top1"), {"limits": (0.0, 1.0)}),
    ("learning rate", ("lr",), {"log": True}),
)


def render(summary: Mapping[str, Any], evaluation: Evaluation) -> str:
    """Returns the page.

    Args:
      summary: what `jaxact.report.numbers.summarise` made of the evaluation.
      evaluation: the evaluation itself, of which the page takes the examples.
    """
    facts = {
        key: summary[key]
        for key in ("dataset", "protocol", "split", "checkpoint", "chosen")
        if summary[key]
    }
    if summary["values"]:
        facts["raw values to 0 and 255"] = ", ".join(
            f"{overlays.STREAM_NAMES.get(name, name)} {text}"
            for name, text in summary["values"].items()
        )
    if summary["views"] > 1:
        facts["views a clip"] = summary["views"]
    return fill(
        page.PAGE,
        r=summary,
        facts=facts,
        hardest=sorted(
            (row for row in summary["classes"] if row["clips"]),
            key=lambda row: (row["accuracy"], row["index"]),
        ),
        unseen=[row["name"] for row in summary["classes"] if not row["clips"]],
        bar=bar,
        numbered=len(summary["classes"]) > figures.NAMED_CELLS,
        confusion=figures.confusion_chart(
            np.asarray(summary["confusion"]),
            [row["name"] for row in summary["classes"]],
        ),
        curves=_curves(summary["history"]),
        selection=_selection(summary["selection"]),
        frames=_frames(summary["frames"]),
        branches=_branches(summary),
        examples=[_example(example, evaluation) for example in evaluation.examples],
    )


def fill(template: str, **values: Any) -> str:
    """Returns a page: values are escaped, and none that it names may be missing."""
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    return environment.from_string(template).render(css=Markup(style.CSS), **values)


def percent(share: float | None, digits: int = 1) -> str:
    """Returns a share as text, 0.8917 -> "89.2 %"; "–" for none."""
    return "–" if share is None else f"{100 * share:.{digits}f}\u2009%"


def bar(share: float) -> Markup:
    """Returns a bar as long as a share, in markup."""
    return Markup(f'<div><i style="width:{100 * share:.1f}%"></i></div>')


def data_uri(image: Image.Image) -> str:
    """Returns a picture as a data URI (WebP: a tenth of the bytes of PNG here)."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=88, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _curves(history: Sequence[Mapping[str, Any]]) -> list[Markup]:
    charts = []
    names = {"eval/loss": "evaluation", "eval/top1": "evaluation"}
    for title, keys, options in CURVES:
        curves = [
            (
                names.get(key, "training"),
                [
                    (row["step"], row[key])
                    for row in history
                    if row.get(key) is not None and "step" in row
                ],
            )
            for key in keys
        ]
        charts.append(figures.curve_chart(title, curves, **options))
    return [chart for chart in charts if chart]


def _branches(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the model's own row and, if it has any, those of its branches."""
    names = overlays.STREAM_NAMES
    rows = [
        row | {"name": names.get(row["name"], row["name"].replace("_", " "))}
        for row in summary["branches"]
    ]
    return [{**summary, "name": "the model"}, *rows] if rows else []


def _selection(table: Mapping[str, float] | None) -> list[dict[str, Any]]:
    """Pairs every share of what was kept with that of a random choice."""
    if not table:
        return []
    rows = [
        {
            "what": what,
            "value": table[key],
            "chance": table.get(chance),
            "compared": chance in table,
        }
        for key, chance, what in SELECTION_ROWS
        if key in table
    ]
    known = {name for row in SELECTION_ROWS for name in row[:2]}
    others = [name for name in table if name not in known]
    return rows + [
        {"what": name.replace("_", " "), "value": table[name], "compared": False}
        for name in others
    ]


def _frames(table: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Returns the rows and the histograms of the frames that were kept."""
    if not table:
        return None
    names = overlays.STREAM_NAMES

    def told(row: Mapping[str, Any]) -> str:
        if row["kind"] == "all":
            return "all frames"
        if row["kind"] == "stream":
            return names.get(row["name"], row["name"])
        return "no difficulty" if row["name"] == "none" else row["name"]

    rows = [dict(row) | {"name": told(row).replace("_", " ")} for row in table["rows"]]
    shares = {names.get(name, name): v for name, v in table["positions"].items()}
    return {"rows": rows, "charts": [figures.shares_chart(*i) for i in shares.items()]}


def _maps(
    streams: Mapping[str, np.ndarray],
    example: Mapping[str, Any],
    lacked: Sequence[str],
) -> list[dict[str, Any]]:
    """Returns the sheets of what the model says of every place of its frames."""
    videos = {name: frames for name, frames in streams.items() if name != "skeleton"}
    sheets = []
    for key, draw in MAPS.items():
        values = example.get(key)
        # The streams' maps follow each other, as many of each.
        if values is None or not videos or len(values) % len(videos):
            continue
        parts = np.split(np.asarray(values), len(videos))
        drawn = {
            name: draw(frames, part)
            for (name, frames), part in zip(videos.items(), parts, strict=True)
        }
        rows = overlays.spread(drawn, overlays.Selection())
        sheet = overlays.selection_sheet(*rows, lacked=lacked)
        sheets.append({"kind": key, "picture": data_uri(sheet), "size": sheet.size})
    return sheets


def _example(example: Mapping[str, Any], evaluation: Evaluation) -> dict[str, Any]:
    classes = evaluation.classes
    chosen = overlays.Selection.of(example)
    overlaid = chosen.joints is not None
    given = {name: np.asarray(x) for name, x in example["streams"].items()}
    bones = evaluation.bones
    videos = bodies.as_videos(given, bones, over=overlaid)
    streams = {name: x for name, x in videos.items() if overlays.is_video(x)}
    lacked = overlays.absent(given, example.get(PRESENT))
    drawn_maps = _maps(streams, example, lacked)
    if streams:
        streams, chosen = overlays.spread(streams, chosen)
    sheet = None
    if streams:
        sheet = overlays.selection_sheet(streams, chosen, bones=bones, lacked=lacked)
    probabilities = np.asarray(example["scores"])
    best = np.argsort(-probabilities, kind="stable")[:3]
    label = int(example["label"])
    return {
        "name": example["name"],
        "true": classes[label],
        "right": int(best[0]) == label,
        "guesses": [
            {"name": classes[i], "p": float(probabilities[i]), "true": i == label}
            for i in best
        ],
        "picture": data_uri(sheet) if sheet else None,
        "size": sheet.size if sheet else None,
        "maps": drawn_maps,
        "selected": chosen.marks is not None or chosen.keep is not None,
        "boxed": chosen.boxes is not None,
        "difficulties": numbers.difficulties_in(
            example.get(out.DIFFICULTY), evaluation.difficulty_names
        ),
        "joints": overlaid or "skeleton" in streams,
        "overlaid": overlaid,
        "not_shown": [name for name in videos if name not in streams],
    }
