"""Draws a staged clip through one lens: frames, and where the actors are in them.

Bodies are tapered strokes between projected joints, painted from far to near at twice
the size and then halved. Visible pictures show colours, infrared ones temperatures.
"""

import dataclasses

import numpy as np
from PIL import Image, ImageDraw

from input_pipeline.synthetic import world
from input_pipeline.synthetic.config import SyntheticConfig
from input_pipeline.synthetic.drawing import (
    SCALE,
    Figure,
    Pen,
    draw_box,
    paint,
    soft_noise,
    with_outline,
)
from input_pipeline.synthetic.room import camera

_ITEM_RADIUS = 0.06
_ITEM_HEAT = 20.0
# Grey level around which everything lies in a warm infrared clip, and what is left of
# the contrast there; brightness left in a dark visible clip.
_WARM, _WARM_CONTRAST = 185.0, 0.03
_DARK = 0.03
# A frame counts as showing the actors if this much of their box is not covered.
_SEEN = 0.5


@dataclasses.dataclass(frozen=True)
class Rendered:
    """One modality of one clip."""

    frames: np.ndarray  # uint8 [t h w 3] visible, [t h w] infrared
    visible: np.ndarray  # bool [t]
    box: np.ndarray  # float [t 4]: y0 x0 y1 x1 as fractions of the frame


def render(config: SyntheticConfig, clip: world.Clip, modality: str) -> Rendered:
    """Draws a clip as the ``modality`` camera, "rgb" or "ir", sees it."""
    sensor = getattr(config, modality)
    frames = frame_count(clip, sensor.fps)
    u = np.arange(frames) / (frames - 1)
    lens = camera(config, clip.room, clip.name.camera, modality)
    pen = Pen(lens, sensor, modality)
    rng = np.random.default_rng([*clip.seed, modality == "rgb"])

    cast, item = _cast(clip, u)
    backdrop = _backdrop(pen, clip, rng)
    figures = [Figure(pen, look, joints) for look, joints, _ in cast]
    extents = [
        figure.extent
        for figure, (_, _, is_actor) in zip(figures, cast, strict=True)
        if is_actor
    ]
    box = np.concatenate(
        [
            np.min([low for low, _ in extents], axis=0),
            np.max([high for _, high in extents], axis=0),
        ],
        axis=-1,
    ).clip(0, 1)

    item_pixels, item_scale = pen.pixels(item)
    item_discs = np.concatenate(
        [item_pixels, _ITEM_RADIUS * item_scale[:, None]], -1
    ).tolist()
    item_depth = lens.see(item)[:, 2].tolist()
    item_tone = with_outline(pen.tone(clip.item_color, _ITEM_HEAT))
    images = []
    for t in range(frames):
        image = backdrop.copy()
        draw = ImageDraw.Draw(image)
        strokes = [stroke for figure in figures for stroke in figure.strokes(t)]
        strokes.append((item_depth[t], [(item_discs[t], item_discs[t])], item_tone))
        for _, pairs, tones in sorted(strokes, key=lambda stroke: -stroke[0]):
            paint(draw, pairs, tones)
        images.append(np.asarray(image.reduce(SCALE)))
    picture: np.ndarray = np.stack(images).astype(np.float32)

    covered = np.zeros(frames)
    if modality in clip.occluded:
        covered = _occlude(picture, clip, u, box, rng)
    picture = _expose(picture, config, clip, modality, rng)
    blind = "dark_rgb" if modality == "rgb" else "warm_background"
    visible = (covered <= 1 - _SEEN) & (blind not in clip.difficulties)
    return Rendered(picture, visible, box)


def frame_count(clip: world.Clip, fps: int) -> int:
    """How many frames a camera of this rate takes of a clip."""
    return max(2, round(clip.seconds * fps))


def _cast(clip: world.Clip, u: np.ndarray) -> tuple[list, np.ndarray]:
    """Everyone in the clip (look, joints [t 25 3], is_actor), and the object [t 3]."""
    cast = []
    item = np.broadcast_to(clip.item_spot, (len(u), 3)).copy()
    for player in clip.players:
        people, thing = world.act(player, u)
        cast += [(look, joints, player.is_actor) for look, joints in people]
        if player.is_actor and thing["held"].any():
            item = _item(clip, player, u, thing)
    return cast, item


def _item(
    clip: world.Clip, player: world.Player, u: np.ndarray, thing: dict[str, np.ndarray]
) -> np.ndarray:
    """The object's path: in the hand, lying where it is taken, or thrown."""
    # The motion on a fine grid, so that the path does not depend on the frame rate.
    fine = np.linspace(0, 1, 201)
    _, dense = world.act(player, fine)
    held, hand = dense["held"], dense["hand"]
    item = thing["hand"].copy()
    loose = ~thing["held"]
    if not loose.any():
        return item
    change = int(np.flatnonzero(held[1:] != held[:-1])[0])
    spot = hand[change + int(held[change + 1])]
    if player.action == "throw":
        ahead = np.array([np.sin(player.yaw), 0, -np.cos(player.yaw)])
        since = (u[loose] - fine[change]) * clip.seconds
        flight = spot + since[:, None] * (3.5 * ahead + [0, 1.2, 0])
        flight[:, 1] -= 4.9 * since**2
        flight[:, 1] = np.maximum(flight[:, 1], _ITEM_RADIUS)
        item[loose] = flight
    else:
        item[loose] = [spot[0], _ITEM_RADIUS, spot[2]]
    return item


def _backdrop(pen: Pen, clip: world.Clip, rng: np.random.Generator) -> Image.Image:
    """Wall, floor, furniture and stool, with a soft texture."""
    room = clip.room
    image = Image.new(pen.mode, (pen.width, pen.height))
    draw = ImageDraw.Draw(image)
    # Where the floor meets the wall, 3.4 m behind the actor.
    ahead = pen.lens.axes[2] * [1, 0, 1]
    far = 3.4 * ahead / np.linalg.norm(ahead)
    edge = float(pen.pixels(far)[0][1])
    draw.rectangle((0, 0, pen.width, edge), fill=pen.tone(room.wall, room.heat[0], 1.0))
    draw.rectangle(
        (0, edge, pen.width, pen.height), fill=pen.tone(room.floor, room.heat[1], 1.0)
    )
    for panel in range(0, room.panels, 2):
        left = (panel + 0.5 * (clip.name.camera - 1)) / room.panels * pen.width
        right = left + pen.width / room.panels
        tone = pen.tone(room.wall, room.heat[0] + 10, 0.88)
        draw.rectangle((left, 0, right, edge), fill=tone)
    # A few pictures on the wall, and furniture: another selection in every clip, but
    # the same for both lenses.
    layout = np.random.default_rng(clip.seed)
    for _ in range(layout.integers(1, 4)):
        x, y = layout.uniform(0, [pen.width, 0.7 * edge])
        w, h = layout.uniform(0.08, 0.2, 2) * pen.width
        color = layout.uniform(40, 230, 3)
        tone = pen.tone(color, room.heat[0] + layout.uniform(-20, 40))
        draw.rectangle((x, y, x + w, min(y + h, edge)), fill=tone)
    chosen = [box for box in room.boxes if layout.random() < 0.7]
    for box in sorted(
        [*chosen, clip.stool], key=lambda box: -pen.lens.see(box.centre)[2]
    ):
        draw_box(pen, draw, box)
    texture = soft_noise(rng, (pen.height, pen.width), cells=9)
    values: np.ndarray = np.asarray(image, np.float32)
    strength = 6.0 if pen.is_rgb else 12.0
    values = values + strength * (texture[..., None] if pen.is_rgb else texture)
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def _occlude(
    picture: np.ndarray,
    clip: world.Clip,
    u: np.ndarray,
    box: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Slides a panel before the lens for a while, in place.

    Returns which fraction of the actors' box [t 4] is covered, [t].
    """
    frames, height, width = picture.shape[:3]
    begin, end = clip.occlusion
    inside = (u >= begin) & (u < end)
    # Wide enough for all places the actors are in meanwhile.
    margin = 0.04
    low, high = box[inside, 1].min() - margin, box[inside, 3].max() + margin
    top = rng.uniform(-0.2, 0.02) + box[inside, 0].min() - margin
    side = rng.choice([-1.0, 1.0])
    # Comes and goes within a tenth of the clip on either side.
    slide = np.clip(np.maximum(begin - u, u - end + 1e-9) / 0.1, 0, 1)
    direction = np.where(u < begin, -side, side)
    shift = slide * direction * (1.05 * (high - low) + 0.1)
    color = rng.uniform(60, 190, picture.shape[3:])
    texture = 18 * soft_noise(rng, (height, width), cells=7)
    panel = color + (texture[..., None] if picture.ndim == 4 else texture)
    row = max(0, int(top * height))
    covered = np.zeros(frames)
    for t in range(frames):
        if slide[t] >= 1:
            continue
        left, right = low + shift[t], high + shift[t]
        x0 = int(np.clip(left, 0, 1) * width)
        x1 = int(np.ceil(np.clip(right, 0, 1) * width))
        picture[t, row:, x0:x1] = panel[row:, x0:x1]
        y0, bx0, y1, bx1 = box[t]
        across = max(0.0, min(bx1, x1 / width) - max(bx0, x0 / width)) / (bx1 - bx0)
        down = max(0.0, y1 - max(y0, row / height)) / (y1 - y0)
        covered[t] = across * down
    return covered


def _expose(
    picture: np.ndarray,
    config: SyntheticConfig,
    clip: world.Clip,
    modality: str,
    rng: np.random.Generator,
) -> np.ndarray:
    """Light, darkness or heat, then the sensor's noise; float [t h w ...] -> uint8."""
    if modality == "rgb":
        dark = "dark_rgb" in clip.difficulties
        picture = picture * (_DARK if dark else clip.gain)
        sigma = config.rgb_noise
    else:
        if "warm_background" in clip.difficulties:
            texture = 8 * soft_noise(rng, picture.shape[1:3], cells=6)
            picture = _WARM + _WARM_CONTRAST * (picture - 128) + texture
        sigma = config.ir_noise
    # One sheet of noise, shifted at random, is as good as a new one and far cheaper.
    _, height, width = picture.shape[:3]
    sheet = rng.standard_normal((height + 16, width + 16, *picture.shape[3:]))
    sheet = (sigma * sheet).astype(np.float32)
    for frame in picture:
        y, x = rng.integers(0, 17, 2)
        frame += sheet[y : y + height, x : x + width]
    return picture.clip(0, 255).astype(np.uint8)
