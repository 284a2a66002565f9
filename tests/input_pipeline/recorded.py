"""Recordings whose every frame carries its number, to see which frames were cut out."""

import dataclasses
import io
import math
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


@dataclasses.dataclass(frozen=True)
class Staged:
    """Two cameras that were started at different moments, and what happened when.

    ``parts``: (start, end) of the labelled lines, in seconds of the first one's clock.
    """

    rgb: Path
    ir: Path
    manifest: Path
    parts: tuple[tuple[Fraction, Fraction], ...]


OFFSET, RGB_RATE, IR_RATE = Fraction("2.7"), 25, 8
LABELS = ("still", "walk", "wave", "jump")


def stage(folder: Path, seconds: int, parts: int, seed: int = 0) -> Staged:
    """Write rgb.mp4 and ir.mkv, which starts OFFSET later, and a manifest of parts.

    Both see one square, which moves as the label says; the infrared camera sees it
    brighter than all else, coarser and from elsewhere. Ends are no times of frames.
    """
    random = np.random.default_rng(seed)
    length = (seconds - 3) // parts  # from 3 s on, when both cameras run
    lines, spans, speeds = [], [], np.zeros(seconds * 100)
    for number in range(parts):
        begin = 3 + number * length + Fraction(int(random.integers(800)), 1000)
        end = begin + Fraction(int(random.integers(1200, 600 * length)), 1000)
        label = int(random.integers(len(LABELS)))
        split = ("train", "test")[number % 4 == 3]
        spans.append((begin, end))
        cells = f"{float(begin)},{float(end)},{float(OFFSET)}"
        lines.append(f"rgb.mp4,ir.mkv,{cells},{LABELS[label]},{split}")
        here = slice(int(begin * 100), int(end * 100))
        steps = random.random(len(speeds[here]) // 40 + 1).repeat(40)
        speeds[here] = label * steps[: len(speeds[here])] * 20  # pixels a second
    places = np.cumsum(speeds) / 100

    def picture(number: int, time: float, base: int, sign: int) -> np.ndarray:
        scene = np.full((HEIGHT, WIDTH), base, np.int64)
        place = places[min(int(time * 100), len(places) - 1)]
        x = int(place * (1 if sign > 0 else 0.8)) % (WIDTH - 10)
        scene[8:20, x : x + 10] += sign * 120
        code = 96 + image_of(number) // 4  # small changes, beside what happens
        noise = np.random.default_rng(number).integers(-3, 4, scene.shape)
        return np.concatenate([code, (scene + noise).clip(0, 255).astype(np.uint8)])

    count, late = seconds * RGB_RATE, int((seconds - OFFSET) * IR_RATE)
    rgb = write(
        folder / "rgb.mp4",
        count,
        RGB_RATE,
        image=lambda i: picture(i, i / RGB_RATE, 200, -1),
        g="100",
    )
    ir = write(
        folder / "ir.mkv",
        late,
        IR_RATE,
        image=lambda i: picture(i, i / IR_RATE + float(OFFSET), 20, 1),
        g="100",
    )
    manifest = folder / "manifest.csv"
    columns = "rgb,ir,start,end,ir_offset,label,split"
    manifest.write_text("\n".join([columns, *lines, ""]))
    return Staged(rgb, ir, manifest, tuple(spans))


def frames_in(
    start: Fraction, end: Fraction, rate: int, offset: Fraction = Fraction(0)
) -> list[int]:
    """The numbers of the frames with start <= number / rate + offset < end."""
    first, after = (math.ceil((moment - offset) * rate) for moment in (start, end))
    return list(range(first, after))
