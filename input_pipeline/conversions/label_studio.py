"""Label Studio's JSON exports: labelled spans of a video to events.

Frame labels of the timeline count frames from 1, both ends in the span; they become
frames from 0. Spans of audio and of time series are in seconds. Of several annotators
the one marked as ground truth counts, else the first; predictions and what was
cancelled do not.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from input_pipeline.conversions.annotations import (
    AnnotationError,
    Annotations,
    Event,
    basename,
    read_text,
)

# What an upload puts before the file's name.
_UPLOADED = re.compile(r"[0-9a-f]{8}-")
_MEDIA = (
    ".mp4",
    ".mkv",
    ".avi",
    ".mov",
    ".webm",
    ".m4v",
    ".mpg",
    ".ts",
    ".csv",
    ".wav",
)


def read(path: Path) -> Annotations:
    """Read an export; raises AnnotationError saying which task is wrong."""
    try:
        tasks = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, AnnotationError):
            raise
        raise AnnotationError(f"{path} is no JSON ({error}).") from None
    if not isinstance(tasks, list) or not all(isinstance(t, dict) for t in tasks):
        raise AnnotationError(
            f"{path}: expected a list of tasks, as JSON exports have."
        )
    result, units = Annotations(), set()
    for number, task in enumerate(tasks):
        where = f"{path}, task {task.get('id', number)}"
        try:
            name = _media(where, task)
            for item in _results(result, name, task):
                for event, in_frames in _events(where, name, item):
                    units.add(in_frames)
                    if event.end <= event.start:
                        result.left_out.append((event, "no length"))
                    else:
                        result.events.append(event)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            if isinstance(error, AnnotationError):
                raise
            what = type(error).__name__
            raise AnnotationError(
                f"{where} is not of the form that is exported ({what}: {error})."
            ) from None
    if len(units) > 1:
        raise AnnotationError(
            f"{path} has spans in frames and spans in seconds; export them apart."
        )
    result.in_frames = units == {True}
    return result


def _media(where: str, task: dict[str, Any]) -> str:
    data = task.get("data", task)
    texts = {k: v for k, v in data.items() if isinstance(v, str)}
    for key in ("video", "audio", "video_url", "csv"):
        if key in texts:
            return _UPLOADED.sub("", basename(texts[key]), count=1)
    for text in texts.values():
        if text.lower().endswith(_MEDIA):
            return _UPLOADED.sub("", basename(text), count=1)
    raise AnnotationError(f"{where}: its data name no video: {', '.join(data)}.")


def _results(result: Annotations, name: str, task: dict[str, Any]) -> Iterator[Any]:
    """The spans of a task: of the full export, or of JSON-MIN."""
    if "annotations" not in task:
        for value in task.values():
            if isinstance(value, list) and all(
                isinstance(item, dict) for item in value
            ):
                yield from ({"value": item} for item in value)
        return
    given = [a for a in task["annotations"] if not a.get("was_cancelled")]
    given.sort(key=lambda a: not a.get("ground_truth"))
    for annotation in given[1:]:
        for item in annotation["result"]:
            for event, _ in _events("", name, item):
                result.left_out.append((event, "another annotator's"))
    yield from given[0]["result"] if given else ()


def _events(
    where: str, name: str, item: dict[str, Any]
) -> Iterator[tuple[Event, bool]]:
    """The events of one result, and whether they are in frames."""
    value = item["value"]
    ranges = value.get("ranges")
    labels = next(
        (v for k, v in value.items() if k.endswith("labels") and isinstance(v, list)),
        [],
    )
    for label in labels:
        if ranges is not None:
            for span in ranges:
                start, end = span["start"], span["end"]
                if int(start) < 1:
                    raise AnnotationError(
                        f"{where}: a span begins at frame {start}; they count from 1."
                    )
                yield Event(name, int(start) - 1, int(end), str(label)), True
        elif "start" in value and "end" in value:
            start, end = float(value["start"]), float(value["end"])
            yield Event(name, start, end, str(label)), False
