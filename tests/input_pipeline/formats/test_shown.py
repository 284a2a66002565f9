"""Display matrices, compared with what ffmpeg's filters show for them."""

import io
import struct

import av
import numpy as np
import pytest
from PIL import Image

from input_pipeline.formats import notes, shown
from input_pipeline.formats.video import VideoOptions, read_video
from tests.input_pipeline import raw

QUARTERS = np.kron([[40, 100], [160, 220]], np.ones((12, 16))).astype(np.uint8)
# a, b, c, d of the matrix, and the filters that ffmpeg's program puts in for it
# (fftools/ffmpeg_filter.c, configure_input_video_filter).
MATRICES = {
    (1, 0, 0, 1): "null",
    (0, 1, -1, 0): "transpose=clock",
    (-1, 0, 0, -1): "hflip,vflip",
    (0, -1, 1, 0): "transpose=cclock",
    (-1, 0, 0, 1): "hflip",
    (1, 0, 0, -1): "vflip",
    (0, 1, 1, 0): "transpose=cclock_flip",
    (0, -1, -1, 0): "transpose=clock_flip",
}


def filtered(image: np.ndarray, filters: str) -> np.ndarray:
    """What FFmpeg's own filters make of a grey picture."""
    graph = av.filter.Graph()
    height, width = image.shape
    at = graph.add_buffer(width=width, height=height, format="gray", time_base="1/25")
    for name in filters.split(","):
        kind, _, arguments = name.partition("=")
        behind = graph.add(kind, arguments) if arguments else graph.add(kind)
        at.link_to(behind)
        at = behind
    at.link_to(graph.add("buffersink"))
    graph.configure()
    graph.push(av.VideoFrame.from_ndarray(image, format="gray"))
    return graph.pull().to_ndarray()


def with_matrix(path, a, b, c, d):
    """Write a display matrix into an MP4's track header."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40
    numbers = (round(65536 * value) for value in (a, b, 0, c, d, 0, 0, 0, 2**14))
    data[start : start + 36] = struct.pack(">9i", *numbers)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("aspect", [1, 2])
@pytest.mark.parametrize("matrix", MATRICES)
def test_every_turn_and_mirror_is_shown_as_ffmpeg_does(tmp_path, matrix, aspect):
    images = np.stack([QUARTERS] * 2)
    path = raw.write_video(tmp_path / "a.mp4", images, aspect, codec="mpeg4")
    with_matrix(path, *matrix)
    video = read_video(path, "ir", VideoOptions(quality=95, min_frames=1))
    image = np.asarray(Image.open(io.BytesIO(video.frames[0]))).astype(int)
    wide = np.repeat(QUARTERS, aspect, 1)
    want = filtered(wide, MATRICES[matrix])
    assert image.shape == want.shape
    assert abs(image - want).mean() < 2


def test_a_turn_in_between_goes_to_the_nearest_quarter_with_a_word():
    angle = np.radians(70)
    turned = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    with notes.listening() as heard:
        assert shown.upright(np.array(turned)).tolist() == [[0, -1], [1, 0]]
    assert "20 degrees from the nearest" in heard[0]
    with notes.listening() as heard:
        assert shown.upright(3 * np.eye(2)).tolist() == [[1, 0], [0, 1]]
    assert not heard


def test_a_matrix_without_sense_turns_nothing():
    for data in (b"", bytes(36), b"\xff" * 36):
        assert shown.upright(shown.matrix_of(data)).tolist() == [[1, 0], [0, 1]]
