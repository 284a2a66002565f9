"""A video file's container: what is opened, which stream is read, is it whole."""

import contextlib
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from input_pipeline.formats import notes, whole
from input_pipeline.formats.errors import UnusableFile

# Larger than 8K: a header's promise that would take all memory.
MAX_PIXELS = 2**26
# A file that was cut off is refused if it lacks more frames than both of these.
MISSING_FRAMES = 2
MISSING_FRACTION = 0.05
READ = (
    "avi, mp4, mov, 3gp, mkv, webm, mpg, ts, m4v, wmv, asf, flv, ogv, gif, ivf, nut, "
    "dv, mxf, wtv, rm, mjpeg and y4m"
)
# FFmpeg goes by the content, whatever the name says; playlists, lists of parts and
# session descriptions would have it open other files, or wait for the network.
_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": (
        "avi,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpeg,mpegts,mpegvideo,m4v,h264,hevc,"
        "asf,flv,ogg,mjpeg,gif,ivf,nut,dv,mxf,wtv,rm,yuv4mpegpipe"
    ),
}
_CODEC = {"max_pixels": str(MAX_PIXELS)}
# Whose durations FFmpeg reckons from what is there, so that they promise nothing.
_UNPROMISED = frozenset(
    "mpeg mpegts mpegvideo m4v h264 hevc mjpeg yuv4mpegpipe dv gif".split()
)
# FFmpeg knows no Y16 in AVI and Matroska: it finds no codec, or colours.
_15 = ("rgb555le", "rgb555be")
_RAW = (
    "of raw 16-bit values (Y16) take them out of the file (ffmpeg -i FILE -map 0:v -c "
    "copy -f rawvideo VALUES.y16) and give --frame_size STREAM=WIDTHxHEIGHT"
)
# One picture after the other and nothing else: FFmpeg goes by the name alone.
_MJPEG = (".mjpeg", ".mjpg")
_PICTURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"BM": "BMP",
}
_NO_VIDEO = Disposition.attached_pic | Disposition.timed_thumbnails
_STILL = ("mjpeg", "png", "bmp", "webp", "gif", "tiff")


def split(path: Path) -> tuple[Path, int | None]:
    """Return the file and the number of the stream that "file.mkv#1" asks for."""
    match = re.fullmatch(r"(.+)#(\d{1,3})", path.name)
    if match is None or path.exists():
        return path, None
    return path.with_name(match[1]), int(match[2])


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Yield a video file's container; raises UnusableFile if it is none that is read.

    FFmpeg's errors inside of the block are the caller's.
    """
    kind = "mjpeg" if path.suffix.lower() in _MJPEG else None
    try:
        # Titles and comments that are not UTF-8 are no reason to lose a clip.
        container = av.open(
            str(path),
            format=kind,
            metadata_errors="replace",
            container_options=_OPTIONS,
        )
    except (av.error.FFmpegError, MemoryError, ValueError, OverflowError) as error:
        raise UnusableFile("undecodable", _why_not(path, error)) from None
    with container:
        yield container


def _why_not(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        start = file.read(16)
    pictures = [kind for magic, kind in _PICTURES.items() if start.startswith(magic)]
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        pictures = ["WebP"]
    if pictures:
        return (
            f"it is a {pictures[0]} picture, no video; read are {READ}, and folders of "
            "pictures"
        )
    name = type(error).__name__
    lost = whole.lost_fraction(path, whole.guess(start)) or 0
    if lost:
        return (
            f"it was cut off: {100 * lost:.1f} % of its bytes are missing ({name} "
            "after 0 frames)"
        )
    return (
        f"its container is not read or is damaged; read are {READ} ({name} after 0 "
        f"frames: {error.args[1] if len(error.args) > 1 else error})"
    )


def choose(path: Path, container: Any, wanted: int | None) -> Any:
    """Return the video stream to read: the first, or the one of this number.

    Covers and thumbnails are not counted. Raises UnusableFile if there is none.
    """
    every = list(container.streams.video)
    videos = [s for s in every if not s.disposition & _NO_VIDEO]
    if len(videos) > 1:
        videos = [s for s in videos if not _is_still(path, s)] or videos
    if not videos:
        kind = "only a cover or thumbnails, no" if every else "no"
        raise UnusableFile("undecodable", f"the file holds {kind} video stream")
    sizes = ", ".join(f"#{i} {_size(s)}" for i, s in enumerate(videos))
    if wanted is not None and wanted >= len(videos):
        raise UnusableFile(
            "undecodable", f"there is no video stream #{wanted}; the file has {sizes}"
        )
    if wanted is None and len(videos) > 1:
        notes.note(
            "several video streams",
            f"{sizes}; #0 is read, another one if it is asked for as FILE#1",
        )
    video = videos[wanted or 0]
    if video.codec_context is None:
        raise UnusableFile("undecodable", f"its codec is not known; {_RAW}")
    if video.codec_context.name == "rawvideo" and video.codec_context.pix_fmt in _15:
        raise UnusableFile(
            "undecodable",
            f"it says that it holds colours of 15 bits ({video.codec_context.pix_fmt}) "
            f"without a codec, as files of 16-bit values do that do not say so; {_RAW}",
        )
    pixels = video.codec_context.width * video.codec_context.height
    if pixels > MAX_PIXELS:
        raise UnusableFile(
            "undecodable", f"frames of {pixels} pixels; at most {MAX_PIXELS}"
        )
    video.codec_context.options = _CODEC
    # The processes that prepare already use every core, one clip each.
    video.thread_count = 1
    return video


def _is_still(path: Path, video: Any) -> bool:
    """Whether a stream is one picture, as a poster is that nothing calls a cover."""
    context = video.codec_context
    if context is None or context.name not in _STILL:
        return False
    if video.frames:
        return video.frames == 1
    with opened(path) as again:
        packets = (p for p in again.demux(again.streams[video.index]) if p.size)
        return len(list(itertools.islice(packets, 2))) < 2


def _size(video: Any) -> str:
    context = video.codec_context
    return f"{context.width} x {context.height}" if context else "unknown"


def origin(container: Any) -> float:
    """Return when a file's time starts, s: at 0, but in streams for broadcasting."""
    if set(container.format.name.split(",")) & {"mpegts", "mpeg"}:
        return float(container.start_time or 0) / av.time_base
    return 0.0


def check_whole(path: Path, container: Any, video: Any, pts: Sequence[Any]) -> None:
    """Raise UnusableFile if a file was cut off, by what decoded: each frame's pts.

    Trimmed, dropped and uneven frames are not missing: only a file whose bytes are not
    all there, or that does not say, is held to its counts and its duration; where there
    are none, a file that ends in the middle of something is noted.
    """
    count = len(pts)
    lost = whole.lost_fraction(path, container.format.name)
    if lost == 0:
        return
    known = [value for value in pts if value is not None]
    names = container.format.name.split(",")
    promised = _shown(video) if "mp4" in names else video.frames
    reached = count
    if "avi" in names and known:
        reached = max(count, max(known) + 1)  # with the slots of dropped frames
    if promised:
        if promised - reached > max(MISSING_FRAMES, MISSING_FRACTION * promised):
            raise UnusableFile(
                "truncated", f"{count} frames decoded; the file promises {promised}"
            )
    elif lost is not None:
        if lost > MISSING_FRACTION:
            raise UnusableFile(
                "truncated",
                f"{count} frames decoded; of its bytes {100 * lost:.0f} % are missing",
            )
    else:
        _check_duration(container, video, known)
    if lost is None and (what := whole.unfinished(path, container.format.name)):
        notes.note(
            "may be cut off",
            f"the file ends in the middle of {what}, after {count} frames; how much is "
            "missing such files do not say",
        )


def _shown(video: Any) -> int:
    """Frames by the counts of an MP4, without those that an edit list leaves out."""
    index = list(video.index_entries)
    shown = sum(not entry.is_discard for entry in index)
    # Fragments make the index as they are read.
    return min(video.frames, shown) if len(index) > 1 else video.frames


def _check_duration(container: Any, video: Any, pts: Sequence[int]) -> None:
    if len(pts) < 2 or set(container.format.name.split(",")) & _UNPROMISED:
        return
    base = float(video.time_base)
    promised = float(video.duration or 0) * base
    if not promised and len(container.streams) == 1:
        promised = float(container.duration or 0) / av.time_base
    times = sorted(pts)
    gaps = [b - a for a, b in zip(times, times[1:], strict=False)]
    reached = (times[-1] - times[0] + max(gaps)) * base
    least = MISSING_FRAMES * base * (times[-1] - times[0]) / len(gaps)
    if promised - reached > max(least, MISSING_FRACTION * promised):
        raise UnusableFile(
            "truncated",
            f"{len(pts)} frames decoded, of {reached:.1f} s; the file promises "
            f"{promised:.1f} s",
        )
