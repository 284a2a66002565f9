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

_ITEM_RADIUS, _BALL_RADIUS = 0.06, 0.11
_ITEM_HEAT = 20.0
# Grey level around which everything lies in a warm infrared clip, and what is left of
# the contrast there; brightness left in a dark visible clip.
_WARM, _WARM_CONTRAST = 185.0, 0.03
_DARK = 0.03
# The counter before those who carry ends this fraction of their height above the floor:
# above whatever their legs do.
_COUNTER, _COUNTER_LIGHT, _COUNTER_HEAT = 0.62, 0.6, 72.0
# A frame counts as showing the actors if this much of their box is not covered.
_SEEN = 0.5


@dataclasses.dataclass(frozen=True)
class Rendered:
    """One modality of one clip."""

    frames: np.ndarray  # uint8 [t h w 3] visible, [t h w] infrared
    visible: np.ndarray  # bool [t]
    box: np.ndarray  # float [t 4]: y0 x0 y1 x1 as fractions of the frame
    intruded: np.ndarray | None = None  # bool [t], where the world has intruders


def render(config: SyntheticConfig, clip: world.Clip, modality: str) -> Rendered:
    """Draws a clip as the ``modality`` camera, "rgb" or "ir", sees it."""
    sensor = getattr(config, modality)
    frames = frame_count(clip, sensor.fps)
    u = np.arange(frames) / (frames - 1)
    lens = camera(config, clip.room, clip.name.camera, modality)
    pen = Pen(lens, sensor, modality)
    rng = np.random.default_rng([*clip.seed, modality == "rgb"])

    late = clip.delay / clip.seconds if modality == "ir" else 0.0
    backdrop = _backdrop(pen, clip, rng)
    scene = _Scene(pen, clip, clip.players, u - late)
    box = scene.box()
    scenes = [scene] * frames
    intruded = _of_moments(clip.intruded, modality, frames)
    if clip.intruder is not None:
        others = (clip.intruder, *clip.players[1:])
        another = _Scene(pen, clip, others, u - late)
        scenes = [another if gone else scene for gone in intruded]
    images = []
    for t in range(frames):
        image = backdrop.copy()
        scenes[t].draw(ImageDraw.Draw(image), t)
        images.append(np.asarray(image.reduce(SCALE)))
    picture: np.ndarray = np.stack(images).astype(np.float32)

    covered = np.zeros(frames)
    if modality in clip.occluded:
        covered = _occlude(picture, clip, u, box, rng)
    blind = _of_moments(clip.blind, modality, frames)
    if ("dark_rgb" if modality == "rgb" else "warm_background") in clip.difficulties:
        blind[:] = True
    picture = _expose(picture, config, clip, modality, blind, rng)
    visible = (covered <= 1 - _SEEN) & ~blind & ~intruded
    return Rendered(picture, visible, box, intruded if clip.intruded else None)


def frame_count(clip: world.Clip, fps: int) -> int:
    """How many frames a camera of this rate takes of a clip."""
    return max(2, round(clip.seconds * fps))


def _of_moments(
    moments: dict[str, np.ndarray], modality: str, frames: int
) -> np.ndarray:
    """Moments of a modality [m] -> frames [t]: a frame is of the moment of its middle.

    False for all frames where the clip has no such moments.
    """
    if modality not in moments:
        return np.zeros(frames, bool)
    found = moments[modality]
    return found[(2 * np.arange(frames) + 1) * len(found) // (2 * frames)]


class _Scene:
    """Some people, the object and what stands before them, at all times of a clip."""

    def __init__(
        self, pen: Pen, clip: world.Clip, players: tuple[world.Player, ...], u
    ):
        cast, item = _cast(clip, players, u)
        self._pen, self._players = pen, players
        self._figures = [Figure(pen, look, joints) for look, joints, _ in cast]
        self._extents = [
            figure.extent
            for figure, (_, _, is_actor) in zip(self._figures, cast, strict=True)
            if is_actor
        ]
        pixels, scale = pen.pixels(item)
        radius = _BALL_RADIUS if players[0].carried else _ITEM_RADIUS
        self._discs = np.concatenate([pixels, radius * scale[:, None]], -1).tolist()
        self._depth = pen.lens.see(item)[:, 2].tolist()
        color = world.item_color(clip, players[0])
        self._tone = with_outline(pen.tone(color, _ITEM_HEAT))
        self._floor = clip.room.floor

    def box(self) -> np.ndarray:
        """Where the actors are, [t 4] as fractions of the frame."""
        return np.concatenate(
            [
                np.min([low for low, _ in self._extents], axis=0),
                np.max([high for _, high in self._extents], axis=0),
            ],
            axis=-1,
        ).clip(0, 1)

    def draw(self, draw: ImageDraw.ImageDraw, t: int) -> None:
        """Paints frame t, from far to near."""
        strokes = [stroke for figure in self._figures for stroke in figure.strokes(t)]
        strokes.append((self._depth[t], [(self._discs[t], self._discs[t])], self._tone))
        for _, pairs, tones in sorted(strokes, key=lambda stroke: -stroke[0]):
            paint(draw, pairs, tones)
        actor = self._players[0]
        if actor.carried is not None:
            pen = self._pen
            edge = actor.place + [0, _COUNTER * actor.look.height, 0]
            row = float(pen.pixels(edge)[0][1])
            tone = pen.tone(self._floor, _COUNTER_HEAT, _COUNTER_LIGHT)
            draw.rectangle((0, row, pen.width, pen.height), fill=tone)


def _cast(
    clip: world.Clip, players: tuple[world.Player, ...], u: np.ndarray
) -> tuple[list, np.ndarray]:
    """Everyone of a scene (look, joints [t 25 3], is_actor), and the object [t 3]."""
    cast = []
    item = np.broadcast_to(clip.item_spot, (len(u), 3)).copy()
    for player in players:
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
    blind: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Light, darkness or heat, then the sensor's noise; float [t h w ...] -> uint8.

    Frames that are ``blind`` [t] are dark in the visible video, warm in the infrared.
    """
    if modality == "rgb":
        gain = np.where(blind, _DARK, clip.gain).astype(np.float32)
        picture = picture * gain[:, None, None, None]
        sigma = config.rgb_noise
    else:
        if blind.any():
            texture = 8 * soft_noise(rng, picture.shape[1:3], cells=6)
            shown = picture[blind]
            picture[blind] = _WARM + _WARM_CONTRAST * (shown - 128) + texture
        sigma = config.ir_noise
    # One sheet of noise, shifted at random, is as good as a new one and far cheaper.
    _, height, width = picture.shape[:3]
    sheet = rng.standard_normal((height + 16, width + 16, *picture.shape[3:]))
    sheet = (sigma * sheet).astype(np.float32)
    for frame in picture:
        y, x = rng.integers(0, 17, 2)
        frame += sheet[y : y + height, x : x + width]
    return picture.clip(0, 255).astype(np.uint8)
