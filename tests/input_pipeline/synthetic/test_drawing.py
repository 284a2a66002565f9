"""What the pen puts on the picture, by hand."""

import numpy as np
from PIL import Image, ImageDraw

from input_pipeline.synthetic.config import SyntheticConfig
from input_pipeline.synthetic.drawing import Pen, paint, soft_noise, with_outline
from input_pipeline.synthetic.room import Camera


def test_colours_know_light_and_temperatures_do_not():
    lens = Camera(np.zeros(3), np.eye(3), (0.5, 0.5))
    config = SyntheticConfig()
    rgb, ir = (Pen(lens, getattr(config, m), m) for m in ("rgb", "ir"))
    color = np.array([100.0, 200, 40])
    assert rgb.tone(color, 90, 0.5) == (50, 100, 20)
    assert rgb.tone(color, 90, 2.0) == (200, 255, 80)
    assert ir.tone(color, 90, 0.5) == 90 and ir.tone(color, 300) == 255
    assert with_outline((100, 200, 40)) == ((100, 200, 40), (55, 110, 22))
    assert with_outline(100) == (100, 82)
    place, per_metre = rgb.pixels(np.array([0.0, 0, 2]))
    np.testing.assert_allclose(place, [rgb.width / 2, rgb.height / 2])
    np.testing.assert_allclose(per_metre, 0.5 * rgb.height / 2)


def test_a_stroke_has_its_tone_inside_and_its_outline_around():
    image = Image.new("L", (40, 20))
    paint(ImageDraw.Draw(image), [((10, 10, 4), (30, 10, 4))], (200, 100))
    pixels = np.asarray(image)
    assert (pixels[10, 10:31] == 200).all() and pixels[10, 2] == 0
    assert pixels[15, 20] == 100 and pixels[17, 20] == 0


def test_noise_is_smooth_bounded_and_the_generators():
    one, again = (soft_noise(np.random.default_rng(4), (30, 50), 5) for _ in "ab")
    assert one.shape == (30, 50) and np.abs(one).max() <= 2
    np.testing.assert_array_equal(one, again)
    # Neighbours are alike; those of white noise are not (0, give or take .03).
    assert np.corrcoef(one[:, :-1].ravel(), one[:, 1:].ravel())[0, 1] > 0.8
