"""One clip: from the names of its raw files to the record that is stored.

No data set is known here; `builders` say which files make a clip.
"""

import contextlib
import dataclasses
import errno
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from input_pipeline import clock, readers, recordings, records
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.jpegs import check_size
from input_pipeline.formats.video import VideoOptions
from input_pipeline.streams import ALWAYS, STORED, STREAMS, of_kind

# Key of the ground-truth file among a clip's paths.
TRUTH = "truth"


@dataclasses.dataclass(frozen=True)
class Clip:
    """What names and manifests tell of a clip, before any of its files is opened.

    ``paths``: file of each stream that it has (and of TRUTH). ``splits``: protocol ->
    "train", "test" or "val"; a protocol that leaves the clip out is not in it.
    ``part``: of which part of the files it is, and how their clocks run.
    ``groups``: of which "person", "recording" or "day" it is, where that has a name.
    """

    name: str
    label: int
    paths: Mapping[str, Path]
    splits: Mapping[str, str]
    subject: int = records.UNKNOWN
    camera: int = records.UNKNOWN
    setup: int = records.UNKNOWN
    replication: int = records.UNKNOWN
    part: recordings.Part | None = None
    groups: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class EncodeOptions:
    """How clips are stored: which streams, how their videos, bit of each difficulty."""

    streams: tuple[str, ...] = ALWAYS
    video: VideoOptions = VideoOptions()
    difficulties: tuple[str, ...] = ()

    def __post_init__(self):
        wrong = [s for s in self.streams if s not in STORED]
        if wrong or not self.streams or len(set(self.streams)) < len(self.streams):
            raise ValueError(
                f"streams are {list(self.streams)}; expected one or more different "
                f"ones of {', '.join(STORED)}."
            )


class ClipError(Exception):
    """A clip that cannot be stored, and the file that is to blame."""

    def __init__(self, name: str, path: str, stream: str, reason: str):
        super().__init__(name, path, stream, reason)
        self.name, self.path, self.stream, self.reason = name, path, stream, reason

    def __str__(self) -> str:
        return f"clip {self.name}, {self.stream} file {self.path}: {self.reason}"


def encode_clip(clip: Clip, options: EncodeOptions) -> records.Record:
    """Read every file of a clip; pure: the same files give the same record.

    Raises ClipError naming the first file that cannot be used.
    """
    record = records.Record(
        name=clip.name,
        label=clip.label,
        subject=clip.subject,
        camera=clip.camera,
        setup=clip.setup,
        replication=clip.replication,
    )
    if clip.part is not None:
        _add_part(record, clip, clip.part, options)
        return record
    for stream in (*options.streams, TRUTH):
        path = clip.paths.get(stream)
        if path is None:
            continue
        with _blaming(clip, stream):
            if stream == TRUTH:
                _add_truth(record, path, options.difficulties)
            else:
                read = getattr(readers, STREAMS[stream].reader)
                record.streams[stream] = read(path, stream, options.video)
                check_size(*_held(record))
    clock.align(record)
    return record


def _add_part(
    record: records.Record, clip: Clip, part: recordings.Part, options: EncodeOptions
) -> None:
    """Add to a record what the part of its recording has in each stream."""
    times, sizes = {}, options.video.frame_sizes
    there = [stream for stream in options.streams if stream in clip.paths]
    for stream in there:
        with _blaming(clip, stream):
            path, own = clip.paths[stream], part.clock(stream)
            times[stream] = recordings.times(path, stream, own, sizes.get(stream))
    with _blaming(clip, there[0]):
        start, end = recordings.bounds(part, times, sizes)
    for stream in there:
        with _blaming(clip, stream):
            frames = recordings.inside(times[stream], stream, start, end)
            read = getattr(readers, STREAMS[stream].reader)
            found = read(clip.paths[stream], stream, options.video, frames)
            record.streams[stream] = found
            check_size(*_held(record))
    recordings.give_times(record, times, start, end)


@contextlib.contextmanager
def _blaming(clip: Clip, stream: str) -> Iterator[None]:
    """Say of a file that cannot be used which clip's it is."""
    try:
        yield
    except (UnusableFile, OSError) as error:
        if getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT):
            raise  # of the disk that is written to, see `spool`
        path = str(clip.paths[stream])
        raise ClipError(clip.name, path, stream, str(error)) from None


def _held(record: records.Record) -> tuple[int, int]:
    """Bytes of all pictures of a record, and how many there are."""
    videos = filter(None, map(record.video, record.streams))
    frames = [frame for video in videos for frame in video.frames]
    return sum(map(len, frames)), len(frames)


def _add_truth(
    record: records.Record, path: Path, difficulties: tuple[str, ...]
) -> None:
    """Add the difficulties' bits, and who is seen where, to the streams there are."""
    try:
        truth = json.loads(path.read_text())
        record.difficulty = sum(
            1 << difficulties.index(name) for name in truth["difficulty"]
        )
        for stream in of_kind("video", STORED):
            video = record.video(stream)
            if video is not None:
                _add_stream_truth(video, truth[stream])
    except FileNotFoundError:
        raise UnusableFile("missing", "there is no such file") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        name = type(error).__name__
        raise UnusableFile(
            "undecodable", f"not the truth of this clip ({name}: {error})"
        ) from None


def _add_stream_truth(video: records.Video, truth: dict[str, Any]) -> None:
    visible = np.asarray(truth["visible"], bool)
    box = np.asarray(truth["box"], np.float32)
    count = len(video.frames)
    if visible.shape != (count,) or box.shape != (count, 4):
        raise ValueError(
            f"visible {list(visible.shape)} and box {list(box.shape)}; expected "
            f"[{count}] and [{count}, 4], the video's number of frames"
        )
    video.actor_visible = visible
    video.actor_box = np.where(visible[:, None], box, np.float32(0))
