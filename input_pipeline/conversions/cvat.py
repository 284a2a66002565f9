"""CVAT's XML 1.1 ("CVAT for video", "CVAT for images"): tracks and tags to events.

A track is an event from the first frame in which its shape is seen to the frame in
which it is "outside", each time that it comes back another one; a tag is one event of
images that follow one another. The label is the track's or tag's, or, with
``attribute``, the value of that attribute (as where persons are tracked and what they
do is an attribute). Frames are those of the video file, whatever frames the task skips.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from input_pipeline.conversions.annotations import (
    AnnotationError,
    Annotations,
    Event,
    basename,
    read_xml,
)

SHAPES = (
    "box",
    "polygon",
    "polyline",
    "points",
    "cuboid",
    "mask",
    "skeleton",
    "ellipse",
)


def read(path: Path, attribute: str = "") -> Annotations:
    """Read an export; raises AnnotationError saying which element is wrong."""
    root = read_xml(path, "annotations")
    meta = root.find("meta")
    tasks = [] if meta is None else [*meta.iter("task"), *meta.iter("job")]
    names, lengths, steps = {}, {}, {}
    for task in tasks or [ET.Element("task")]:
        key = task.findtext("id", "")
        source = task.findtext("source") or root.findtext("meta/source") or ""
        names[key] = basename(source) or task.findtext("name", "") or path.stem
        skipping = re.search(
            r"step\s*=\s*(\d+)", task.findtext("frame_filter", "") or ""
        )
        steps[key] = int(skipping[1]) if skipping else 1
        last = task.findtext("stop_frame", "")
        if last.isdecimal():
            lengths[names[key]] = float(int(last) + 1)
    first = next(iter(names))
    result = Annotations(in_frames=True, lengths=lengths)
    for track in root.iter("track"):
        key = track.get("task_id", first)
        if key not in names:
            raise AnnotationError(f"{path}: a track is of the task {key!r}, unknown.")
        shapes = [shape for shape in track if shape.tag in SHAPES]
        found = []
        for shape in shapes:
            seen = shape.get("outside", "0") != "1"
            label = _label(path, track, shape, attribute) if seen else ""
            found.append((_frame(path, shape, "frame"), label))
        result.events += _of_track(names[key], found, steps[key])
    tagged: dict[tuple[str, str], list[int]] = {}
    for image in root.iter("image"):
        key = image.get("task_id", first)
        for tag in image.iter("tag"):
            label = _label(path, tag, tag, attribute)
            tagged.setdefault((key, label), []).append(_frame(path, image, "id"))
    for (key, label), frames in tagged.items():
        name, step = names.get(key, key), steps.get(key, 1)
        result.events += _of_tags(name, frames, label, step)
    if not result.events:
        raise AnnotationError(f"{path} has no track with a shape, and no tag.")
    return result


def _label(path: Path, whole: ET.Element, part: ET.Element, attribute: str) -> str:
    if not attribute:
        label = whole.get("label", "")
    else:
        values = {
            a.get("name"): (a.text or "").strip()
            for element in (whole, part)
            for a in element.findall("attribute")
        }
        if attribute not in values:
            known = ", ".join(sorted(filter(None, values))) or "none"
            raise AnnotationError(
                f"{path}: a {whole.tag} of {whole.get('label')!r} has no attribute "
                f"{attribute!r}; it has {known}."
            )
        label = values[attribute]
    if not label:
        raise AnnotationError(f"{path}: a {whole.tag} has no label.")
    return label


def _frame(path: Path, element: ET.Element, key: str) -> int:
    text = element.get(key, "")
    if not text.isdecimal():
        raise AnnotationError(
            f"{path}: the {key} of a {element.tag} is {text[:50]!r}; expected a number "
            "of a frame, from 0."
        )
    return int(text)


def _of_track(
    recording: str, shapes: list[tuple[int, str]], step: int
) -> Iterator[Event]:
    """The events of frames and labels, "" where it is outside.

    A shape stands until the next one: exports may hold key frames only.
    """
    start, before, last = 0, "", 0
    for frame, label in sorted(shapes):
        if before and label != before:
            yield Event(recording, start, frame, before)
        if label != before:
            start, before = frame, label
        last = frame
    if before:
        yield Event(recording, start, last + step, before)


def _of_tags(recording: str, frames: list[int], label: str, step: int) -> list[Event]:
    """The events of frames with a tag, those that follow one another as one."""
    runs: list[list[int]] = []
    for frame in sorted(frames):
        if runs and frame <= runs[-1][1]:
            runs[-1][1] = frame + step
        else:
            runs.append([frame, frame + step])
    return [Event(recording, start, end, label) for start, end in runs]
