"""Drawing in one modality: furniture as boxes, bodies as tapered strokes.

Visible pictures show colours, infrared ones temperatures; the `Pen` picks.
"""

import numpy as np
from PIL import Image, ImageDraw

from input_pipeline.synthetic.config import Sensor
from input_pipeline.synthetic.room import Box, Camera
from input_pipeline.synthetic.world import Look

# Pictures are drawn this much larger and then reduced: smooth edges.
SCALE = 2
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


class Pen:
    """Draws in one modality: picks the colour or the temperature of things."""

    def __init__(self, lens: Camera, sensor: Sensor, modality: str):
        self.lens = lens
        self.width, self.height = sensor.width * SCALE, sensor.height * SCALE
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


def draw_box(pen: Pen, draw: ImageDraw.ImageDraw, box: Box) -> None:
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


class Figure:
    """One person of a clip: knows its tones, gives the strokes of any frame."""

    def __init__(self, pen: Pen, look: Look, joints: np.ndarray):
        seen = pen.lens.see(joints)
        pixels, scale = pen.pixels(joints)
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
            with_outline(pen.tone(colors[part], look.heat[part], light))
            for part, light, _ in _PARTS
        ]
        # Face and hair are two balls; which one is in front tells where she looks.
        left = seen[:, 4] - seen[:, 8]
        facing = np.cross(left, [0.0, 1.0, 0.0])
        facing /= np.maximum(np.linalg.norm(facing, axis=-1, keepdims=True), 1e-9)
        radius = _HEAD * look.height
        self.head = []
        drawn = [
            (pixels[:, joint], radius * self.unit * scale[:, joint])
            for _, _, bones in _PARTS
            for a, b, r0, r1 in bones
            for joint, radius in ((a, r0), (b, r1))
        ]
        for part, color, ahead, up, size in (
            ("skin", look.skin, 0.3, 0.0, 0.94),
            ("hair", look.hair, -0.3, 0.15, 1.0),
        ):
            offset = radius * (ahead * facing + [0.0, up, 0.0])
            at = pixels[:, 3] + offset[:, :2] * [1, -1] * scale[:, 3, None]
            discs = np.concatenate([at, size * radius * scale[:, 3, None]], -1)
            depth = seen[:, 3, 2] + offset[:, 2]
            tone = with_outline(pen.tone(color, look.heat[part]))
            self.head.append((depth.tolist(), discs.tolist(), tone))
            drawn.append((at, discs[:, 2]))
        # Where all that is drawn of her begins and ends in the picture.
        self.extent = _extent(pen, drawn)

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


def with_outline(tone) -> tuple:
    """A tone and the darker one around it."""
    if isinstance(tone, tuple):
        return tone, tuple(int(0.55 * value) for value in tone)
    return tone, int(0.82 * tone)


def paint(draw: ImageDraw.ImageDraw, pairs: list, tones: tuple) -> None:
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


def _extent(
    pen: Pen, discs: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest (row, column) of discs with their outlines, [t 2] each.

    Discs are given as centres [t 2] and radii [t]; the result is in fractions.
    """
    size = [pen.width, pen.height]
    lows = [centre - radius[:, None] - 1 for centre, radius in discs]
    highs = [centre + radius[:, None] + 1 for centre, radius in discs]
    low, high = np.min(lows, 0) / size, np.max(highs, 0) / size
    return low[:, ::-1], high[:, ::-1]


def soft_noise(rng: np.random.Generator, shape, cells: int) -> np.ndarray:
    """Smooth random texture of about unit size, at most 2, float32 [h w]."""
    coarse = rng.standard_normal((cells, cells)).astype(np.float32)
    image = Image.fromarray(coarse).resize(shape[::-1], Image.Resampling.BICUBIC)
    return np.asarray(image, np.float32).clip(-2, 2)
