"""Tiny raw files: videos of a few frames, skeletons, folders in NTU's layout."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from input_pipeline.formats import ntu

HEIGHT, WIDTH = 24, 32


def halves(frames: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Frames whose left half is red and right half blue, uint8 [t h w 3]."""
    images = np.zeros((frames, height, width, 3), np.uint8)
    images[:, :, : width // 2, 0] = 255
    images[:, :, width // 2 :, 2] = 255
    return images


def write_video(
    path: Path, frames: np.ndarray | int = 12, aspect: int = 1, codec: str = "mjpeg"
) -> Path:
    """Write uint8 [t h w 3] or [t h w] (or so many ``halves``) as a video file."""
    images = halves(frames) if isinstance(frames, int) else frames
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width = images.shape[1:3]
        stream.pix_fmt = "yuvj444p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        stream.codec_context.qmin = stream.codec_context.qmax = 2
        layout = "rgb24" if images.ndim == 4 else "gray"
        for image in images:
            frame = av.VideoFrame.from_ndarray(image, format=layout)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_timed(
    path: Path,
    *videos: tuple[np.ndarray, Sequence[float]],
    codec: str = "mpeg4",
    covers: Sequence[int] = (),
    **options: str,
) -> Path:
    """Write uint8 [t h w] or uint16 [t h w] videos, each frame at its time in seconds.

    Times are multiples of 1/25 s. ``covers`` are the streams that are called covers;
    ``options`` are those of the container.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=options) as container:
        streams = []
        for number, (images, _) in enumerate(videos):
            kind = "ffv1" if images.dtype == np.uint16 else codec
            kind = "mjpeg" if number in covers else kind
            stream = container.add_stream(kind, rate=25)
            stream.height, stream.width = images.shape[1:3]
            kinds = {"ffv1": "gray16le", "mjpeg": "yuvj420p"}
            stream.pix_fmt = kinds.get(kind, "yuv420p")
            if kind != "vp8":
                stream.codec_context.qmin = stream.codec_context.qmax = 2
            if number in covers:
                stream.disposition = Disposition.attached_pic
            streams.append(stream)
        for stream, (images, times) in zip(streams, videos, strict=True):
            layout = "gray16le" if images.dtype == np.uint16 else "gray"
            for image, time in zip(images, times, strict=True):
                frame = av.VideoFrame.from_ndarray(image, format=layout)
                frame.pts, frame.time_base = round(time * 25), Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


def greys(*levels: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Frames of one level each, uint8 [t h w]."""
    values = np.array(levels, np.uint8)[:, None, None]
    return np.broadcast_to(values, (len(levels), height, width)).copy()


def write_skeleton(path: Path, frames: int = 12, bodies: int = 1) -> Path:
    """Write a skeleton file in which every joint of every body moves."""
    path.parent.mkdir(parents=True, exist_ok=True)
    skeletons = ntu.Skeletons.empty(bodies, frames)
    skeletons.ids[:] = 100 + np.arange(bodies)
    skeletons.present[:] = True
    skeletons.tracked[:] = ntu.TRACKED
    random = np.random.default_rng(0)
    skeletons.points[:] = random.standard_normal(skeletons.points.shape)
    skeletons.points[..., 1] *= 4  # people are higher than wide
    ntu.write_skeleton(path, skeletons)
    return path


def names(count: int, setup: int = 1) -> list[str]:
    """So many NTU names, over cameras, subjects and two actions."""
    return [
        f"S{setup:03d}C{1 + i % 3:03d}P{1 + i // 3 % 5:03d}R{1 + i // 15:03d}"
        f"A{1 + i % 2:03d}"
        for i in range(count)
    ]


def ntu_tree(folder: Path, count: int = 10) -> list[str]:
    """Write colour and infrared videos and skeletons of so many clips; their names."""
    made = names(count)
    for i, name in enumerate(made):
        write_video(folder / "nturgb+d_rgb" / f"{name}_rgb.avi", halves(8 + i % 3))
        gray = np.full((8, 20, 30), 20 * i, np.uint8)
        gray[:, :, 15:] += 25
        write_video(folder / "nturgb+d_ir" / f"{name}_ir.avi", gray)
        write_skeleton(folder / "nturgb+d_skeletons" / f"{name}.skeleton")
    return made


def tiff(array: np.ndarray, **tags: int | tuple[int, ...]) -> bytes:
    """A TIFF of one strip (of each plane), written by TIFF 6.0's tables alone."""
    channels = array.shape[2] if array.ndim == 3 else 1
    planar = tags.pop("planar", 1)
    data = np.moveaxis(array, 2, 0) if planar == 2 else array
    strips = channels if planar == 2 else 1
    kind = {"u": 1, "i": 2, "f": 3}[array.dtype.kind]
    entries: dict[int, tuple[int, ...]] = {
        256: (array.shape[1],),
        257: (tags.pop("height", array.shape[0]),),
        258: (array.dtype.itemsize * 8,) * channels,
        259: (1,),
        262: (tags.pop("photometric", 2 if channels == 3 else 1),),
        273: (),
        277: (channels,),
        278: (array.shape[0],),
        279: (data.nbytes // strips,) * strips,
        284: (planar,),
        339: (kind,) * channels,
        **({322: (32,), 323: (32,)} if tags.pop("tiles", 0) else {}),
    }
    assert not tags
    at = 8 + 2 + 12 * len(entries) + 4
    beside = b""
    starts = at + sum(4 * len(v) for k, v in entries.items() if len(v) > 1)
    starts += 4 * strips if strips > 1 else 0
    step = data.nbytes // strips
    entries[273] = tuple(starts + i * step for i in range(strips))
    table = struct.pack("<H", len(entries))
    for key, values in sorted(entries.items()):
        word = struct.pack(f"<{len(values)}I", *values)
        if len(values) > 1:
            word, beside = struct.pack("<I", at + len(beside)), beside + word
        table += struct.pack("<HHI", key, 4, len(values)) + word
    head = struct.pack("<2sHI", b"II", 42, 8) + table + bytes(4) + beside
    assert len(head) == starts
    return head + np.ascontiguousarray(data).tobytes()
