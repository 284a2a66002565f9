"""Video files to JPEG frames: decoded once, with PyAV, at a chosen short side.

Frames keep the aspect in which they are shown (square pixels, upright) and are never
enlarged. All frames are kept, in order of showing.
"""

import dataclasses
import io
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from PIL import Image

from input_pipeline import records
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.streams import STREAMS

# A file is truncated if it yields fewer frames than its container promises, by more
# than both of these: many cameras write a header that is off by a frame or two.
MISSING_FRAMES = 2
MISSING_FRACTION = 0.05

# Larger than 8K: a header's promise that would take all memory.
MAX_PIXELS = 2**26
# FFmpeg goes by the content, whatever the name says; playlists, lists of parts and
# session descriptions would have it open other files, or wait for the network.
_CONTAINER = {
    "protocol_whitelist": "file",
    "format_whitelist": (
        "avi,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpeg,mpegts,mpegvideo,m4v,h264,hevc,"
        "asf,flv,ogg,mjpeg,gif,ivf,nut,dv,mxf,wtv,rm"
    ),
}

_CODEC = {"max_pixels": str(MAX_PIXELS)}

# FFmpeg's name of pixels of so many channels.
_FORMATS = {3: "rgb24", 1: "gray"}
# Averaging over the area that becomes one pixel does not alias, however strong the
# reduction; the other two flags ask for exact colour where speed would round it.
_FILTER = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


@dataclasses.dataclass(frozen=True)
class VideoOptions:
    """How frames are stored.

    ``short_side`` in pixels (larger videos are reduced to it), JPEG ``quality`` from 1
    to 95, ``min_frames`` below which a video is too short.
    """

    short_side: int = 256
    quality: int = 90
    min_frames: int = 8

    def __post_init__(self):
        if self.short_side < 8:
            raise ValueError(f"short_side is {self.short_side}; expected 8 or more.")
        if not 1 <= self.quality <= 95:
            raise ValueError(f"JPEG quality is {self.quality}; expected 1 to 95.")
        if self.min_frames < 1:
            raise ValueError(f"min_frames is {self.min_frames}; expected 1 or more.")


def stored_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width after reducing the shorter one to ``short_side``."""
    short = min(height, width)
    if short <= short_side:
        return height, width
    return round(height * short_side / short), round(width * short_side / short)


def read_video(path: str | Path, stream: str, options: VideoOptions) -> records.Video:
    """Decode a file to the JPEG frames of ``stream`` ("ir": one channel).

    Raises UnusableFile if the file is missing, empty, undecodable, truncated or short.
    """
    frames: list[bytes] = []
    size = None
    for image in decode(path, stream, options.short_side):
        if size is not None and image.shape[:2] != size:
            raise UnusableFile(
                "undecodable",
                f"the image size changes from {size} to {image.shape[:2]} (height, "
                f"width) at frame {len(frames)}",
            )
        size = image.shape[:2]
        frames.append(encode_jpeg(image, options.quality))
    if len(frames) < options.min_frames:
        raise UnusableFile(
            "too short",
            f"{len(frames)} frames; at least {options.min_frames} are needed",
        )
    assert size is not None
    return records.Video(frames=frames, height=size[0], width=size[1])


def decode(path: str | Path, stream: str, short_side: int) -> Iterator[np.ndarray]:
    """Yield the frames of a video file, uint8 [h w 3] ("ir": [h w]).

    Raises UnusableFile if the file is missing, empty, undecodable or truncated.
    """
    path = Path(path)
    if not path.is_file():
        raise UnusableFile("missing", "there is no such file")
    if not path.stat().st_size:
        raise UnusableFile("empty", "the file has no bytes")
    count, promised, damage = 0, 0, ""
    try:
        # Titles and comments that are not UTF-8 are no reason to lose a clip.
        with av.open(
            str(path),
            metadata_errors="replace",
            container_options=_CONTAINER,
        ) as container:
            if not container.streams.video:
                raise UnusableFile("undecodable", "the file holds no video stream")
            video = container.streams.video[0]
            if video.codec_context is None:
                raise UnusableFile("undecodable", "its codec is not known")
            pixels = video.codec_context.width * video.codec_context.height
            if pixels > MAX_PIXELS:
                raise UnusableFile(
                    "undecodable", f"frames of {pixels} pixels; at most {MAX_PIXELS}"
                )
            video.codec_context.options = _CODEC
            # The processes that prepare already use every core, one clip each.
            video.thread_count = 1
            promised = _promised_frames(video)
            aspect = float(video.sample_aspect_ratio or 1)
            # One for the whole clip: setting up the filter costs as much as its use.
            scaler = VideoReformatter()
            for packet in container.demux(video):
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError as error:
                    # Go on, to tell a file that was cut off from one with a bad spot.
                    damage = damage or f"damaged after {count} frames ({error})"
                    continue
                for frame in frames:
                    yield _to_array(frame, scaler, stream, short_side, aspect)
                    count += 1
    except (av.error.FFmpegError, MemoryError, ValueError, OverflowError) as error:
        name = type(error).__name__
        raise UnusableFile(
            "undecodable", f"{name} after {count} frames: {error}"
        ) from None
    if not count:
        detail = damage or "not one frame could be decoded"
        raise UnusableFile("undecodable", detail)
    if promised - count > max(MISSING_FRAMES, MISSING_FRACTION * promised):
        raise UnusableFile(
            "truncated", f"{count} frames decoded; the file promises {promised}"
        )
    if damage:
        raise UnusableFile("undecodable", damage)


def encode_jpeg(image: np.ndarray, quality: int) -> bytes:
    """Encode uint8 [h w 3] or [h w] as JPEG with three channels or one."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _promised_frames(video: av.VideoStream) -> int:
    """Frames by the container's own count, or by its duration; 0 if it says neither."""
    if video.frames:
        return video.frames
    if video.duration and video.time_base and video.average_rate:
        return int(video.duration * video.time_base * video.average_rate)
    return 0


def _to_array(
    frame: av.VideoFrame,
    scaler: VideoReformatter,
    stream: str,
    short_side: int,
    aspect: float,
) -> np.ndarray:
    # Pixels that are shown wider than high are made square by widening the image.
    shown = max(1, round(frame.width * aspect))
    height, width = stored_size(frame.height, shown, short_side)
    resized = scaler.reformat(
        frame,
        width,
        height,
        format=_FORMATS[STREAMS[stream].channels],
        interpolation=_FILTER,
    )
    image = resized.to_ndarray()
    # A phone stores how it was held, in degrees counterclockwise.
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
