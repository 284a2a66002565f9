"""Some frames of a long video file, without decoding all that is before them.

The packets say when each frame is shown; the file is gone through once for it. Decoding
then begins one key frame earlier than it need (after a jump the frames before the key
frame may refer to what was not decoded), and every frame that comes is compared with
the one that must come. Where they differ, the file is decoded from its beginning.
"""

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from input_pipeline.formats import container as containers
from input_pipeline.formats import notes
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.kept import kept
from input_pipeline.formats.stamps import span

# So many frames are decoded to see whether the packets tell the truth.
_CHECKED = 16
# Codecs with packets that show nothing.
_HIDDEN = ("vp8",)
_ERRORS = (av.error.FFmpegError, MemoryError, LookupError, ValueError, OverflowError)

Frame = tuple[Any, float, float]  # with the aspect of its pixels, and when time starts


@dataclasses.dataclass(frozen=True)
class Index:
    """When the frames of a file are shown.

    ``pts`` int64 [t], None where the file does not say; ``times`` in microseconds: see
    `span`; ``keys``: pts of the key frames; ``cut``: what is missing of the file.
    """

    count: int
    pts: np.ndarray | None
    times: np.ndarray | None
    keys: np.ndarray
    cut: str = ""

    def key_before(self, frame: int) -> int | None:
        """Return where to jump to; None: to the beginning."""
        if self.pts is None or not len(self.keys):
            return None
        place = int(np.searchsorted(self.keys, self.pts[frame], "right")) - 1
        every = len(self.keys) == self.count  # frames that refer to no other
        place -= 0 if every else 1
        return int(self.keys[place]) if place > 0 else None


@kept(64)
def index(path: Path) -> Index:
    """Return the index of a video file ("FILE#1": of its second video).

    Raises UnusableFile if it is empty, or nothing can be decoded.
    """
    file, wanted = containers.split(path)
    if not file.stat().st_size:
        raise UnusableFile("empty", "the file has no bytes")
    try:
        return _by_packets(file, wanted)
    except _ERRORS as error:
        name = type(error).__name__
        raise UnusableFile("undecodable", f"{name}: {error}") from None


def decoded(path: Path, wanted: int | None, first: int, after: int) -> Iterator[Frame]:
    """Yield the frames from the number ``first`` to before ``after``.

    Raises UnusableFile where one of them does not come.
    """
    name = path.name if wanted is None else f"{path.name}#{wanted}"
    table, at = index(path.with_name(name)), first
    if table.cut:
        notes.note("recording cut off", table.cut)
    try:
        for key in dict.fromkeys((table.key_before(first), None)):
            for number, found in enumerate(_frames(path, wanted, key)):
                place = number if table.pts is None else found[0].pts
                due = at if table.pts is None else table.pts[at]
                if place is None or place < due:
                    continue
                if place > due:
                    break
                yield found
                at += 1
                if at == after:
                    return
    except _ERRORS as error:
        name = type(error).__name__
        detail = f"{name} at frame {at} of the recording: {error}"
        raise UnusableFile("undecodable", detail) from None
    raise UnusableFile(
        "undecodable",
        f"frame {at} of the recording cannot be decoded, or not at the time that its "
        "packets say; write the file anew (ffmpeg -i FILE NEW.mkv)",
    )


def _by_packets(path: Path, wanted: int | None) -> Index:
    pts: list[int] = []
    keys: list[int] = []
    trusted, last = True, 0
    with containers.opened(path) as container:
        video = containers.choose(path, container, wanted)
        base, origin = video.time_base, containers.origin(container)
        trusted = video.codec_context.name not in _HIDDEN
        for packet in container.demux(video):
            if not packet.size or packet.is_discard:
                continue
            if packet.pts is None:
                trusted = False
                continue
            pts.append(packet.pts)
            last = packet.duration or 0
            if packet.is_keyframe:
                keys.append(packet.pts)
    shown = sorted(pts)
    if trusted:
        start = itertools.islice(_frames(path, wanted), _CHECKED)
        trusted = [frame.pts for frame, *_ in start] == shown[:_CHECKED]
        trusted &= len(set(pts)) == len(pts)
    if not trusted:
        shown = [frame.pts for frame, *_ in _frames(path, wanted)]
    if not shown:
        raise UnusableFile("undecodable", "not one frame could be decoded")
    told = None not in shown
    starts = [float(p * base) - origin if told else None for p in shown]
    times = span(starts, float(last * base))
    known = np.array(shown, np.int64) if times is not None else None
    cut = _cut(path, wanted, shown)
    return Index(len(shown), known, times, np.unique(np.array(keys, np.int64)), cut)


def _cut(path: Path, wanted: int | None, pts: list[Any]) -> str:
    """What is missing of a file that was cut off: its parts before that can be read."""
    with containers.opened(path) as container:
        video = containers.choose(path, container, wanted)
        for _ in zip(container.demux(video), range(2), strict=False):
            pass  # fragments and durations are known as packets come
        try:
            containers.check_whole(path, container, video, pts)
        except UnusableFile as error:
            return error.detail
    return ""


def _frames(path: Path, wanted: int | None, key: int | None = None) -> Iterator[Frame]:
    """Decode from a key frame on; bad packets show as frames that do not come."""
    with containers.opened(path) as container:
        video = containers.choose(path, container, wanted)
        aspect = float(video.sample_aspect_ratio or 1)
        origin = containers.origin(container)
        if key is not None:
            container.seek(key, stream=video)
        for packet in container.demux(video):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                continue
            for frame in frames:
                yield frame, aspect, origin
