"""Draws a staged clip through one lens: frames, and where the actors are in them.

Bodies are tapered strokes between projected joints, painted from far to near at twice
the size and then halved. Visible pictures show colours, infrared ones temperatures.
"""

import dataclasses

import numpy as np
from PIL import Image, ImageDraw

from input_pipeline.synthetic import world
from input_pipeline.synthetic.config import SyntheticConfig

# Pictures are drawn this much larger and then reduced: smooth edges.
_SCALE = 2
# Groups of strokes (from joint, to joint, radius there) in fractions of the height.
_PARTS = (
    ("shirt", 1.0, ((0, 20, 0.075, 0.07), (4, 12, 0.045, 0.05), (8, 16, 0.045, 0.05))),
    ("trousers", 0.8, ((12, 13, 0.052, 0.04), (13, 14, 0.04, 0.028))),
    ("trousers", 1.0, ((16, 17, 0.052, 0.04), (17, 18, 0.04, 0.028))),
    ("shoes", 0.8, ((14, 15, 0.03, 0.026),)),
    ("shoes", 1.0, ((18, 19, 0.03, 0.026),)),
    ("shirt", 0.8, ((4, 5, 0.038, 0.033),)),
    ("skin", 0.85, ((5, 6, 0.031, 0.026), (6, 21, 0.032, 0.026))),
    ("shirt", 0.95, ((8, 9, 0.038, 0.033),)),
    ("skin", 1.0, ((9, 10, 0.031, 0.026), (10, 23, 0.032, 0.026))),
    ("skin", 0.9, ((20, 2, 0.034, 0.03), (2, 3, 0.03, 0.03))),
)
_HEAD = 0.066
_SHOES = np.array([45.0, 40, 45])
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


class _Pen:
    """Draws in one modality: picks the colour or the temperature of things."""

    def __init__(self, lens: world.Camera, sensor, modality: str):
        self.lens = lens
        self.width, self.height = sensor.width * _SCALE, sensor.height * _SCALE
        self.is_rgb = modality == "rgb"
        self.mode = "RGB" if self.is_rgb else "L"

    def tone(self, color: np.ndarray, heat: float, light: float = 1.0):
        """What a surface looks like to PIL; temperatures know no light."""
        if self.is_rgb:
            return tuple(int(x) for x in np.clip(color * light, 0, 255))
        return int(np.clip(heat, 0, 255))

    def pixels(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World points [... 3] -> pixels [... 2] and pixels a metre [...]."""
        seen = self.lens.see(points)
        place = self.lens.project(seen) * [self.width, self.height]
        per_metre = self.lens.focal[1] * self.height / np.maximum(seen[..., 2], 0.2)
        return place, per_metre


def render(config: SyntheticConfig, clip: world.Clip, modality: str) -> Rendered:
    """Draws a clip as the ``modality`` camera, "rgb" or "ir", sees it."""
    sensor = getattr(config, modality)
    frames = frame_count(clip, sensor.fps)
    u = np.arange(frames) / (frames - 1)
    lens = world.camera(config, clip.room, clip.name.camera, modality)
    pen = _Pen(lens, sensor, modality)
    rng = np.random.default_rng([*clip.seed, modality == "rgb"])

    cast, item = _cast(clip, u)
    backdrop = _backdrop(pen, clip, rng)
    figures = [_Figure(pen, look, joints) for look, joints, _ in cast]
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
    item_tone = _with_outline(pen.tone(clip.item_color, _ITEM_HEAT))
    images = []
    for t in range(frames):
        image = backdrop.copy()
        draw = ImageDraw.Draw(image)
        strokes = [stroke for figure in figures for stroke in figure.strokes(t)]
        strokes.append((item_depth[t], [(item_discs[t], item_discs[t])], item_tone))
        for _, pairs, tones in sorted(strokes, key=lambda stroke: -stroke[0]):
            _paint(draw, pairs, tones)
        images.append(np.asarray(image.reduce(_SCALE)))
    picture = np.stack(images).astype(np.float32)

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


def _item(clip: world.Clip, player: world.Player, u, thing: dict) -> np.ndarray:
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


def _backdrop(pen: _Pen, clip: world.Clip, rng: np.random.Generator) -> Image.Image:
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
    # A few pictures on the wall, and furniture, another selection in every clip.
    for _ in range(rng.integers(1, 4)):
        x, y = rng.uniform(0, pen.width), rng.uniform(0, 0.7 * edge)
        w, h = rng.uniform(0.08, 0.2, 2) * pen.width
        color = rng.uniform(40, 230, 3)
        tone = pen.tone(color, room.heat[0] + rng.uniform(-20, 40))
        draw.rectangle((x, y, x + w, min(y + h, edge)), fill=tone)
    chosen = [box for box in room.boxes if rng.random() < 0.7]
    for box in sorted(
        [*chosen, clip.stool], key=lambda box: -pen.lens.see(box.centre)[2]
    ):
        _box(pen, draw, box)
    texture = _soft_noise(rng, (pen.height, pen.width), cells=9)
    values = np.asarray(image, np.float32)
    strength = 6.0 if pen.is_rgb else 12.0
    values = values + strength * (texture[..., None] if pen.is_rgb else texture)
    return Image.fromarray(values.clip(0, 255).astype(np.uint8), pen.mode)


def _box(pen: _Pen, draw: ImageDraw.ImageDraw, box: world.Box) -> None:
    """The faces of a box, far ones first, each in its own light."""
    half = 0.5 * box.size * [1, 0, 1]
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    ground = np.stack([signs[:, 0] * half[0], np.zeros(4), signs[:, 1] * half[2]], -1)
    cos, sin = np.cos(box.yaw), np.sin(box.yaw)
    ground = ground @ np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    low = ground + box.centre
    high = low + [0, box.size[1], 0]
    faces = [
        (0.65 + 0.12 * i, [low[i], low[j], high[j], high[i]])
        for i, j in ((0, 1), (1, 2), (2, 3), (3, 0))
    ]
    faces.append((1.1, list(high)))
    faces.sort(key=lambda face: -pen.lens.see(np.mean(face[1], 0))[2])
    for light, corners in faces:
        seen = pen.lens.see(np.array(corners))
        if seen[:, 2].min() < 0.3:  # beside or behind the camera
            continue
        pixels = pen.pixels(np.array(corners))[0]
        tone = pen.tone(box.color, box.heat * (0.9 + 0.1 * light), light)
        draw.polygon([tuple(p) for p in pixels], fill=tone)


class _Figure:
    """One person of a clip: knows its tones, gives the strokes of any frame."""

    def __init__(self, pen: _Pen, look: world.Look, joints: np.ndarray):
        seen = pen.lens.see(joints)
        pixels, scale = pen.pixels(joints)
        self.extent = _extent(pen, pixels, scale, look)
        # Plain lists: single numbers are read from them far faster than from arrays.
        self.pixels, self.scale = pixels.tolist(), scale.tolist()
        self.depth = seen[..., 2].tolist()
        self.unit = look.height * look.girth
        colors = {
            "skin": look.skin,
            "shirt": look.shirt,
            "trousers": look.trousers,
            "shoes": _SHOES,
        }
        self.tones = [
            _with_outline(pen.tone(colors[part], look.heat[part], light))
            for part, light, _ in _PARTS
        ]
        # Face and hair are two balls; which one is in front tells where she looks.
        left = seen[:, 4] - seen[:, 8]
        facing = np.cross(left, [0.0, 1.0, 0.0])
        facing /= np.maximum(np.linalg.norm(facing, axis=-1, keepdims=True), 1e-9)
        radius = _HEAD * look.height
        self.head = []
        for part, color, ahead, up, size in (
            ("skin", look.skin, 0.3, 0.0, 0.94),
            ("hair", look.hair, -0.3, 0.15, 1.0),
        ):
            offset = radius * (ahead * facing + [0.0, up, 0.0])
            at = pixels[:, 3] + offset[:, :2] * [1, -1] * scale[:, 3, None]
            discs = np.concatenate([at, size * radius * scale[:, 3, None]], -1)
            depth = seen[:, 3, 2] + offset[:, 2]
            tone = _with_outline(pen.tone(color, look.heat[part]))
            self.head.append((depth.tolist(), discs.tolist(), tone))

    def strokes(self, t: int) -> list:
        """What to draw in frame t: (depth, [(disc, disc)], (tone, outline))."""
        pixels, scale, depth = self.pixels[t], self.scale[t], self.depth[t]
        strokes = []
        for (_, _, bones), tone in zip(_PARTS, self.tones, strict=True):
            pairs = [
                (
                    (*pixels[a], r0 * self.unit * scale[a]),
                    (*pixels[b], r1 * self.unit * scale[b]),
                )
                for a, b, r0, r1 in bones
            ]
            far = sum(depth[a] + depth[b] for a, b, _, _ in bones) / (2 * len(bones))
            strokes.append((far, pairs, tone))
        for far, discs, tone in self.head:
            strokes.append((far[t], [(discs[t], discs[t])], tone))
        return strokes


def _with_outline(tone) -> tuple:
    """A tone and the darker one around it."""
    if isinstance(tone, tuple):
        return tone, tuple(int(0.55 * value) for value in tone)
    return tone, int(0.82 * tone)


def _paint(draw: ImageDraw.ImageDraw, pairs: list, tones: tuple) -> None:
    """Tapered strokes between pairs of discs (x, y, radius), outlined together."""
    tone, outline = tones
    for first, second in pairs:
        _stroke(draw, first, second, outline, 1.0)
    for first, second in pairs:
        _stroke(draw, first, second, tone, 0.0)


def _stroke(draw: ImageDraw.ImageDraw, first, second, tone, more: float) -> None:
    (x0, y0, r0), (x1, y1, r1) = first, second
    r0, r1 = r0 + more, r1 + more
    draw.ellipse((x0 - r0, y0 - r0, x0 + r0, y0 + r0), fill=tone)
    dx, dy = x1 - x0, y1 - y0
    length = (dx * dx + dy * dy) ** 0.5
    if length < 1e-6:
        return
    draw.ellipse((x1 - r1, y1 - r1, x1 + r1, y1 + r1), fill=tone)
    nx, ny = -dy / length, dx / length
    draw.polygon(
        (
            (x0 + nx * r0, y0 + ny * r0),
            (x1 + nx * r1, y1 + ny * r1),
            (x1 - nx * r1, y1 - ny * r1),
            (x0 - nx * r0, y0 - ny * r0),
        ),
        fill=tone,
    )


def _extent(pen: _Pen, pixels, scale, look: world.Look) -> tuple:
    """Least and greatest (row, column) of a drawn person, [t 2] each, as fractions."""
    unit = look.height * look.girth
    lows, highs = [], []
    for _, _, bones in _PARTS:
        for a, b, r0, r1 in bones:
            for joint, radius in ((a, r0), (b, r1)):
                reach = (radius * unit * scale[:, joint] + 1.0)[:, None]
                lows.append(pixels[:, joint] - reach)
                highs.append(pixels[:, joint] + reach)
    reach = (1.1 * _HEAD * look.height * scale[:, 3] + 1.0)[:, None]
    lows.append(pixels[:, 3] - reach)
    highs.append(pixels[:, 3] + reach)
    size = [pen.width, pen.height]
    low, high = np.min(lows, 0) / size, np.max(highs, 0) / size
    return low[:, ::-1], high[:, ::-1]


def _occlude(picture, clip: world.Clip, u, box, rng: np.random.Generator) -> np.ndarray:
    """Slides a panel before the lens for a while; returns the covered part [t]."""
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
    texture = 18 * _soft_noise(rng, (height, width), cells=7)
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


def _expose(picture, config: SyntheticConfig, clip: world.Clip, modality: str, rng):
    """Light, darkness or heat, then the sensor's noise; float [t h w ...] -> uint8."""
    if modality == "rgb":
        dark = "dark_rgb" in clip.difficulties
        picture = picture * (_DARK if dark else clip.gain)
        sigma = config.rgb_noise
    else:
        if "warm_background" in clip.difficulties:
            texture = 8 * _soft_noise(rng, picture.shape[1:3], cells=6)
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


def _soft_noise(rng: np.random.Generator, shape, cells: int) -> np.ndarray:
    """Smooth random texture of about unit size, float32 [h w]."""
    coarse = rng.standard_normal((cells, cells)).astype(np.float32)
    image = Image.fromarray(coarse, "F").resize(shape[::-1], Image.Resampling.BICUBIC)
    return np.asarray(image, np.float32)
