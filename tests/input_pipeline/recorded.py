"""Recordings whose every frame carries its number, to see which frames were cut out."""

import io
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

ROWS, COLUMNS, BLOCK = 4, 5, 8  # 20 bits
HEIGHT, WIDTH = ROWS * BLOCK, COLUMNS * BLOCK


def image_of(number: int) -> np.ndarray:
    """The bits of a number as black and white blocks, uint8 [h w]."""
    bits = (number >> np.arange(ROWS * COLUMNS)) & 1
    blocks = (bits * 255).astype(np.uint8).reshape(ROWS, COLUMNS)
    return blocks.repeat(BLOCK, 0).repeat(BLOCK, 1)


def number_of(image: np.ndarray) -> int:
    """The number that the top of a picture [h w] shows, however it was compressed."""
    blocks = image[:HEIGHT, :WIDTH].reshape(ROWS, BLOCK, COLUMNS, BLOCK).mean((1, 3))
    return int(((blocks > 127).ravel() << np.arange(ROWS * COLUMNS)).sum())


def numbers_of(frames: Iterable[bytes]) -> list[int]:
    """The numbers of stored frames."""
    grey = (Image.open(io.BytesIO(data)).convert("L") for data in frames)
    return [number_of(np.asarray(image)) for image in grey]


def write(
    path: Path,
    count: int,
    rate: int,
    codec: str = "mpeg4",
    image: Callable[[int], np.ndarray] = image_of,
    **options: str,
) -> Path:
    """Write the pictures [h w] of frames 0 to ``count`` as a video file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = image(0).shape
        stream.pix_fmt = {"mjpeg": "yuvj420p", "ffv1": "gray"}.get(codec, "yuv420p")
        if codec in ("mpeg4", "mjpeg"):
            stream.codec_context.qmin = stream.codec_context.qmax = 3
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(image(number), format="gray")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_folder(folder: Path, names: Iterable[str]) -> Path:
    """Write a picture a name, each with its place among them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(image_of(number)).save(folder / f"{name}.png")
    return folder


def write_joints(path: Path, count: int) -> Path:
    """Write an array [t v 3] in which the x of the first joint is the number / 1000."""
    points = np.random.default_rng(0).uniform(0.1, 1, (count, 17, 3))
    points[:, 0, 0] = np.arange(count) / 1000
    np.save(path, points)
    return path
