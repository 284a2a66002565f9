"""One range of values for all frames of a file."""

import numpy as np

from input_pipeline.formats import video
from input_pipeline.formats.video import VideoOptions
from tests.input_pipeline import raw
from tests.input_pipeline.formats.test_container import STEADY, means


def test_sixteen_bits_have_one_range_for_the_file(tmp_path):
    """2000 to 4000 becomes 0 to 255, and 3000 half of it: none is cut off."""
    for ending in ("mkv", "avi"):
        levels = np.array([2000, 3000, 4000], np.uint16)
        images = np.broadcast_to(levels[:, None, None], (3, 24, 32)).copy()
        path = raw.write_timed(tmp_path / f"a.{ending}", (images, STEADY[:3]))
        for stream in ("ir", "rgb"):
            found, heard = means(path, stream)
            np.testing.assert_allclose(found, [0, 127.5, 255], atol=1)
            stored = video.read_video(path, stream, VideoOptions(min_frames=1))
            assert stored.levels == (2000, 4000)
            assert "values 2000 to 4000 of 16 bits become 0 to 255" in heard[0]
