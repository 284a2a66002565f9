"""A timeline's files, written as it grows: a kill loses the last lines at most.

``timeline.jsonl`` has a line a moment and one for whatever happened, ``timeline.csv``
and ``timeline.srt`` a segment each: these grow. ``timeline.json`` (all of it) and
``timeline.html`` (the page) are made of the lines, again and again, whole each time.
"""

import base64
import csv
import dataclasses
import io
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from jaxact.report import output
from jaxact.report.timeline import SECOND, page
from jaxact.report.timeline.merging import Moment
from jaxact.report.timeline.segments import Segment

FORMAT = "jaxact-timeline/1"
# How many classes a moment's line names.
_BEST = 3
# How often the whole files are made anew, seconds.
_EVERY = 30.0
_FLUSH = 1.0


def clock(microseconds: int, separator: str = ".") -> str:
    """Returns a time as hours, minutes, seconds: 3723004000 -> "01:02:03.004"."""
    seconds, part = divmod(round(microseconds / 1000), 1000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{second:02d}{separator}{part:03d}"


def subtitle(number: int, segment: Segment, name: str) -> str:
    """Returns a segment as a paragraph of a SubRip file, numbered from 1.

    Players read marks in angle brackets; a class is no mark.
    """
    plain = " ".join(name.split()).replace("<", "\u2039").replace(">", "\u203a")
    begin, end = clock(segment.start, ","), clock(segment.end, ",")
    return f"{number}\n{begin} --> {end}\n{plain} ({segment.score:.0%})\n\n"


class Stills:
    """Small pictures for the page, at most ``most``, evenly over the time so far.

    Every second one is let go whenever they are too many.
    """

    def __init__(self, most: int = 160, side: int = 120):
        self._most, self._side, self._step = most, side, 0
        self._next = 0
        self.taken: list[tuple[int, str]] = []

    def add(self, at: int, jpeg: bytes) -> None:
        """Takes the picture that is shown at a time, us, if one is due."""
        if self.taken and at < self._next:
            return
        with Image.open(io.BytesIO(jpeg)) as picture:
            picture.thumbnail((2 * self._side, self._side))
            buffer = io.BytesIO()
            picture.save(buffer, "WEBP", quality=60)
        data = base64.b64encode(buffer.getvalue()).decode()
        self.taken.append((at, f"data:image/webp;base64,{data}"))
        if len(self.taken) > self._most:
            self.taken = self.taken[::2]
            self._step = self.taken[1][0] - self.taken[0][0]
        self._next = at + self._step


@dataclasses.dataclass
class TimelineFiles:
    """The files of one timeline, open for writing; a context.

    Args:
      folder: made if it is missing; files of an earlier timeline are replaced.
      classes: names by label.
      facts: what the page and the JSON say at their top, name -> text or number.
      video: link from the page to a video that browsers play; "": there is none.
      offset: seconds that the recording's clock is ahead of the video's.
    """

    folder: Path
    classes: Sequence[str]
    facts: Mapping[str, Any]
    video: str = ""
    offset: float = 0.0

    def __enter__(self) -> "TimelineFiles":
        self.stills, self.segments = Stills(), 0
        with output.writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            files = [
                open(self._path(end), "w", encoding="utf-8", newline="")
                for end in ("jsonl", "csv", "srt")
            ]
        self._lines, self._table, self._subtitles = self._files = files
        self._rows = csv.writer(self._table)
        self._rows.writerow(["start", "end", "class", "score"])
        self._whole = self._flushed = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        with output.writing(self.folder):
            self.write_whole()  # of what there is, whatever ended it
            for file in self._files:
                file.close()

    def _path(self, ending: str) -> Path:
        return self.folder / f"timeline.{ending}"

    def moment(self, moment: Moment) -> None:
        """Writes what is said of a moment."""
        line: dict[str, Any] = {"start": moment.start, "end": moment.end}
        line["windows"] = moment.windows
        if moment.scores is not None:
            best = (-moment.scores).argsort(kind="stable")[:_BEST]
            names = {self.classes[i]: round(float(moment.scores[i]), 4) for i in best}
            line["scores"] = names
        self._write({"moment": line})

    def event(self, at: int, stream: str, text: str) -> None:
        """Writes what happened: a stream stalled, came back."""
        self._write({"event": {"at": at, "stream": stream, "text": text}})

    def segment(self, segment: Segment) -> None:
        """Writes a segment that is over."""
        name = str(self.classes[segment.label])
        self.segments += 1
        with output.writing(self.folder):
            times = [f"{t / SECOND:.3f}" for t in segment[:2]]
            self._rows.writerow([*times, name, f"{segment.score:.4f}"])
            self._subtitles.write(subtitle(self.segments, segment, name))
        values = segment._asdict() | {"class": name, "score": round(segment.score, 4)}
        del values["label"]
        self._write({"segment": values})

    def _write(self, line: Mapping[str, Any]) -> None:
        with output.writing(self.folder):
            self._lines.write(json.dumps(line) + "\n")
            now = time.monotonic()
            if now - self._flushed > _FLUSH:
                for file in self._files:
                    file.flush()
                self._flushed = now
            if now - self._whole > _EVERY:
                self.write_whole()

    def write_whole(self) -> None:
        """Makes the JSON file and the page of the lines so far."""
        self._lines.flush()
        found: dict[str, list] = {"segment": [], "event": [], "moment": []}
        with open(self._path("jsonl"), encoding="utf-8") as lines:
            for line in lines:
                ((kind, value),) = json.loads(line).items()
                found[kind].append(value)
        facts = {"format": FORMAT, "classes": [*self.classes], **self.facts}
        moments, segments, events = found["moment"], found["segment"], found["event"]
        whole = facts | {"segments": segments, "events": events, "moments": moments}
        first, last = (moments[0]["start"], moments[-1]["end"]) if moments else (0, 0)
        shown = self.stills.taken, self.video, self.offset
        text = page.render(self.facts, segments, events, (first, last), *shown)
        for ending, content in (("json", json.dumps(whole, indent=1)), ("html", text)):
            part = self.folder / f".timeline.{ending}.part"
            output.write(part, content.encode())
            os.replace(part, self._path(ending))
        self._whole = time.monotonic()
