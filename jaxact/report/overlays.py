"""Pictures of what was kept: frames and regions of every stream, the rest darkened.

Pure functions from arrays to images. A sheet follows figures 6 and 7 of the STAFusion
paper: a row for each stream, a column for each moment. Frames of all streams are
numbered stream by stream, in the order of ``streams``, as in the model's ``out``.

Alphabet: s streams, t frames, h height, w width, n patches of a frame.
"""

import dataclasses
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jaxact import out
from jaxact.out import BACKGROUND, KEY, SECONDARY, patch_grid
from jaxact.report import bodies

DARKEN = 0.25  # brightness of what was dropped
SATURATION = 0.4  # and how much of its colour stays

PAPER = (20, 23, 28)
TEXT = (226, 230, 236)
QUIET_TEXT = (128, 137, 150)
BOX = (88, 230, 150)
# Amber and blue stay apart for every common form of colour blindness.
MARK_COLOURS = {KEY: (255, 179, 0), SECONDARY: (86, 170, 255), BACKGROUND: (58, 64, 74)}
MARK_NAMES = {KEY: "key", SECONDARY: "second", BACKGROUND: "dropped"}
STREAM_NAMES = {"rgb": "visible", "ir": "infrared", "rgb_diff": "change"}

NOT_THERE = "not there"
FRAMES_A_ROW = 8
GAP, BORDER = 8, 3


@dataclasses.dataclass(frozen=True)
class Selection:
    """What a model kept of one clip; every field may be absent.

    Attributes:
      marks: ``[s*t]`` in {0, 1, 2}.
      scores: ``[s*t]`` frame scores.
      keep: bool ``[s*t n]``.
      visible: bool ``[s*t]``, truth: the frame shows the actor.
      boxes: ``[s*t 4]``, truth: (y0 x0 y1 x1) as fractions of the frame.
      joints: ``[s*t m v 2]``, (column, row) of the joints as fractions of the frame.
    """

    marks: np.ndarray | None = None
    scores: np.ndarray | None = None
    keep: np.ndarray | None = None
    visible: np.ndarray | None = None
    boxes: np.ndarray | None = None
    joints: np.ndarray | None = None

    @classmethod
    def of(cls, example: Mapping[str, Any]) -> "Selection":
        """Returns what an evaluation's example holds, by the names of `jaxact.out`."""

        def of(name: str) -> np.ndarray | None:
            return None if example.get(name) is None else np.asarray(example[name])

        return cls(
            marks=of(out.FRAME_MARKS),
            scores=of(out.FRAME_SCORES),
            keep=of(out.KEEP),
            visible=of(out.ACTOR_VISIBLE),
            boxes=of(out.ACTOR_BOX),
            joints=of(out.JOINTS_SEEN),
        )


def is_video(stream: np.ndarray) -> bool:
    """Returns whether a stream is frames one can look at: uint8 ``[t h w 1 or 3]``."""
    return stream.ndim == 4 and stream.shape[-1] in (1, 3) and stream.dtype == np.uint8


def absent(streams: Iterable[str], present: np.ndarray | None) -> list[str]:
    """Returns the streams that a clip lacks, by its ``present`` bool ``[s]``."""
    if present is None:
        return []
    return [name for name, there in zip(streams, present, strict=True) if not there]


def colour(frame: np.ndarray) -> np.ndarray:
    """Returns a frame ``[h w 1 or 3]`` as ``[h w 3]``."""
    return np.broadcast_to(frame, (*frame.shape[:2], 3))


def darken(frame: np.ndarray, factor: float = DARKEN) -> np.ndarray:
    """Returns a frame ``[h w 3]`` with ``factor`` of its light and less colour."""
    light = frame.astype(np.float32)
    grey = light @ np.asarray([0.299, 0.587, 0.114], np.float32)
    faded = grey[..., None] + SATURATION * (light - grey[..., None])
    return np.round(factor * faded).astype(np.uint8)


def kept_pixels(
    keep: np.ndarray, grid: tuple[int, int], height: int, width: int
) -> np.ndarray:
    """Returns bool ``[h w]``: the pixels of the kept patches, ``keep`` ``[n]``."""
    rows, columns = grid
    patches = np.asarray(keep, bool).reshape(rows, columns)
    return patches[np.arange(height) * rows // height][
        :, np.arange(width) * columns // width
    ]


def region_overlay(
    frame: np.ndarray,
    keep: np.ndarray,
    grid: tuple[int, int],
    outline: tuple[int, int, int] | None = None,
) -> np.ndarray:
    """Returns a frame with its kept patches as they are and the others darkened.

    Args:
      frame: uint8 ``[h w 1 or 3]``.
      keep: bool ``[n]``, row by row.
      grid: rows and columns of patches.
      outline: colour of a line around what is kept, drawn on dropped pixels alone:
        in a dark clip, brightness does not tell the two apart.

    Returns:
      uint8 ``[h w 3]``.
    """
    frame = colour(frame)
    kept = kept_pixels(keep, grid, *frame.shape[:2])
    result = np.where(kept[..., None], frame, darken(frame))
    if outline is not None:
        padded = np.pad(kept, 1)
        beside = (
            padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
        )
        result[beside & ~kept] = outline
    return result


def resize_for_display(frame: np.ndarray) -> np.ndarray:
    """Returns a frame at a size for the eye: about 150 to 260 pixels, whole factors.

    Small frames are enlarged smoothly by a whole number, so that patch edges stay on
    pixel edges; frames of 144 to 288 pixels stay exactly as they are.
    """
    height, width = frame.shape[:2]
    short = min(height, width)
    if short < 144:
        size = (width * math.ceil(144 / short), height * math.ceil(144 / short))
    elif short > 288:
        size = (round(width * 224 / short), round(height * 224 / short))
    else:
        return frame
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS))


def draw_frame(
    frame: np.ndarray,
    mark: int | None = None,
    keep: np.ndarray | None = None,
    grid: tuple[int, int] | None = None,
    box: Sequence[float] | None = None,
    joints: np.ndarray | None = None,
    bones: bodies.Bones = (),
) -> np.ndarray:
    """Returns one frame as a sheet shows it, with its border.

    Args:
      frame: uint8 ``[h w 1 or 3]``.
      mark: 2 key, 1 secondary, 0 dropped (then all of it is dark), or None.
      keep: bool ``[n]`` or None for the whole frame.
      grid: rows and columns of patches; found from the frame's shape if None.
      box: (y0 x0 y1 x1), fractions of the frame, outlined thinly.
      joints, bones: see `skeletons.draw`; drawn over it all.

    Returns:
      uint8 ``[h + 2 * BORDER, w + 2 * BORDER, 3]``.
    """
    shape = frame.shape[:2]
    picture = resize_for_display(colour(frame))
    edge = MARK_COLOURS[BACKGROUND if mark is None else int(mark)]
    if mark == BACKGROUND:
        picture = darken(picture)
    elif keep is not None:
        grid = grid or patch_grid(len(keep), *shape)
        picture = region_overlay(picture, keep, grid, outline=edge)
    if joints is not None:
        picture = bodies.draw(picture, joints, bones)
    image = Image.fromarray(np.ascontiguousarray(picture))
    if box is not None:
        y0, x0, y1, x1 = box
        width, height = image.width - 1, image.height - 1
        corners = (x0 * width, y0 * height, x1 * width, y1 * height)
        ImageDraw.Draw(image).rectangle(corners, outline=BOX)
    framed = Image.new(
        "RGB", (image.width + 2 * BORDER, image.height + 2 * BORDER), edge
    )
    framed.paste(image, (BORDER, BORDER))
    return np.asarray(framed)


def selection_sheet(
    streams: Mapping[str, np.ndarray],
    selection: Selection | None = None,
    grid: tuple[int, int] | None = None,
    title: str = "",
    bones: bodies.Bones = (),
    lacked: Collection[str] = (),
) -> Image.Image:
    """Draws all frames of a clip, what was kept bright and the rest dark.

    Args:
      streams: name -> uint8 ``[t h w 1 or 3]``, in the model's order.
      selection: what was kept; without it the sheet is a plain strip of frames.
      grid: rows and columns of patches; found from the frames' shape if None.
      title: a line above the frames.
      bones: pairs of joints, to draw ``selection.joints``.
      lacked: streams that the clip does not have; what stands for them is not shown.

    Raises:
      ValueError: a stream is no video, or the selection has another number of frames.
    """
    selection = selection or Selection()
    _check(streams, selection)
    drawn: dict[str, list[np.ndarray]] = {}
    captions: dict[str, list[tuple[str, str, tuple[int, int, int]]]] = {}
    at = 0
    for name, frames in streams.items():
        drawn[name], captions[name] = [], []
        for frame in frames:
            if name in lacked:
                empty = np.full_like(frame, PAPER[0])
                drawn[name].append(draw_frame(empty))
                captions[name].append((NOT_THERE, "", QUIET_TEXT))
                at += 1
                continue
            mark = _at(selection.marks, at)
            box = _at(selection.boxes, at)
            hidden = selection.visible is not None and not selection.visible[at]
            keep, joints = _at(selection.keep, at), _at(selection.joints, at)
            box = None if hidden else box
            drawn[name].append(draw_frame(frame, mark, keep, grid, box, joints, bones))
            captions[name].append(_caption(mark, _at(selection.scores, at), hidden))
            at += 1
    return _compose(drawn, captions, title)


def spread(
    streams: Mapping[str, np.ndarray], selection: Selection
) -> tuple[dict[str, np.ndarray], Selection]:
    """Returns a row of frames of each stream, evenly spread, of clips that have more.

    Where frames were selected all of them matter, and all are returned.
    """
    if selection.marks is not None or selection.keep is not None:
        return dict(streams), selection
    chosen, start = [], 0
    fewer = {}
    for name, frames in streams.items():
        count = min(len(frames), FRAMES_A_ROW)
        index = (2 * np.arange(count) + 1) * len(frames) // (2 * count)
        fewer[name] = frames[index]
        chosen.append(start + index)
        start += len(frames)
    rows = np.concatenate(chosen) if chosen else np.zeros(0, int)
    fields = {
        field.name: values[rows]
        for field in dataclasses.fields(selection)
        if (values := getattr(selection, field.name)) is not None
    }
    return fewer, Selection(**fields)


def _at(values: np.ndarray | None, index: int):
    return None if values is None else values[index]


def _check(streams: Mapping[str, np.ndarray], selection: Selection) -> None:
    for name, frames in streams.items():
        if not is_video(frames):
            raise ValueError(
                f"Stream {name!r} is {frames.dtype} {frames.shape}; a sheet shows "
                "uint8 [t h w 1 or 3]. Leave the stream out."
            )
    total = sum(len(frames) for frames in streams.values())
    if not total:
        raise ValueError("Got no frames; a sheet needs one stream with one frame.")
    for field in dataclasses.fields(selection):
        values = getattr(selection, field.name)
        if values is not None and len(values) != total:
            raise ValueError(
                f"Got {len(values)} {field.name} for {total} frames of "
                f"{', '.join(streams)}; they must be as many, stream by stream."
            )


def _caption(mark, score, hidden: bool) -> tuple[str, str, tuple[int, int, int]]:
    """Returns the texts at the left and right under a frame, and the left's colour."""
    left = MARK_NAMES[int(mark)] if mark is not None else ""
    tint = QUIET_TEXT if not mark else MARK_COLOURS[int(mark)]
    if hidden:
        left = f"{left} · hidden".removeprefix(" · ")
    return left, "" if score is None else f"{float(score):.2f}", tint


def _compose(drawn, captions, title: str) -> Image.Image:
    """Places the frames: for every eight moments, a row for each stream."""
    cells = [frame for row in drawn.values() for frame in row]
    cell_height = max(frame.shape[0] for frame in cells)
    cell_width = max(frame.shape[1] for frame in cells)
    size = max(13, round(cell_height / 13))
    font = ImageFont.load_default(size)
    captioned = any(
        left or right for row in captions.values() for left, right, _ in row
    )
    caption = size + 9 if captioned else 0
    label = max(round(font.getlength(STREAM_NAMES.get(n, n))) for n in drawn) + 2 * GAP
    longest = max(len(row) for row in drawn.values())
    columns = min(longest, FRAMES_A_ROW)
    bands = math.ceil(longest / FRAMES_A_ROW)
    head = size + 2 * GAP if title else 0
    row_height = cell_height + caption + GAP
    band_height = len(drawn) * row_height + GAP
    sheet = Image.new(
        "RGB",
        (label + columns * (cell_width + GAP) + GAP, head + bands * band_height + GAP),
        PAPER,
    )
    pen = ImageDraw.Draw(sheet)
    if title:
        pen.text((GAP, GAP + size // 2), title, TEXT, font, anchor="lm")
    for band in range(bands):
        moments = slice(band * FRAMES_A_ROW, (band + 1) * FRAMES_A_ROW)
        for row, name in enumerate(drawn):
            top = head + band * band_height + row * row_height + GAP
            pen.text(
                (GAP, top + cell_height // 2),
                STREAM_NAMES.get(name, name),
                QUIET_TEXT,
                font,
                anchor="lm",
            )
            pairs = zip(drawn[name][moments], captions[name][moments], strict=True)
            for column, (frame, (left, right, tint)) in enumerate(pairs):
                x = label + column * (cell_width + GAP)
                sheet.paste(Image.fromarray(frame), (x, top))
                under = top + frame.shape[0] + 3 + size // 2
                pen.text((x, under), left, tint, font, anchor="lm")
                end = x + frame.shape[1]
                pen.text((end, under), right, TEXT, font, anchor="rm")
    return sheet
