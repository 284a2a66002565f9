"""Infrared in colours: which palette it is, and what is said of it."""

import numpy as np
import pytest
from PIL import Image

from input_pipeline import readers
from input_pipeline.formats import notes, palettes
from input_pipeline.formats.video import VideoOptions
from tests.input_pipeline import raw

ONE = VideoOptions(min_frames=1)
# Values from cold to warm, along a picture's width.
RAMP = np.broadcast_to(np.arange(0, 256, 4), (48, 64))


def heard(path, stream="ir"):
    with notes.listening() as said:
        readers.images(path, stream, ONE)
    return said


@pytest.mark.parametrize(
    ("name", "what"), [("iron", "though not evenly"), ("rainbow", "may look alike")]
)
def test_palettes_are_recognised_in_videos_and_pictures(tmp_path, name, what):
    picture = np.round(palettes.PALETTES[name][0][RAMP]).astype(np.uint8)
    (tmp_path / "a").mkdir()
    Image.fromarray(picture).save(tmp_path / "a/0.png")
    raw.write_video(tmp_path / "a.avi", np.stack([picture] * 3))
    for path in (tmp_path / "a", tmp_path / "a.avi"):
        (said,) = heard(path)
        assert said.startswith("false colours: the pictures look like the palette")
        assert repr(name) in said
        assert what in said
        assert heard(path, "rgb") == []


def test_grey_pictures_and_coloured_scenes_are_told_apart(tmp_path):
    grey = np.stack([RAMP] * 3, axis=-1).astype(np.uint8)
    grey[:4, :4] = (255, 0, 0)  # a maker's mark
    raw.write_video(tmp_path / "a.avi", np.stack([grey] * 3))
    assert heard(tmp_path / "a.avi") == []
    leaves = np.broadcast_to(np.array([40, 130, 50], np.uint8), (3, 48, 64, 3)).copy()
    leaves[:, :, 32:] = (60, 180, 80)
    raw.write_video(tmp_path / "b.avi", leaves)
    (said,) = heard(tmp_path / "b.avi")
    assert said.startswith("colours in a stream of one channel: read is their bright")
