"""TIFF pictures are read as their own numbers, or refused with a sentence."""

import io

import numpy as np
import pytest
from PIL import Image

from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.frames import read_frames
from input_pipeline.formats.video import VideoOptions
from tests.input_pipeline.raw import tiff

RAMP = (np.arange(16)[:, None] * 100 + np.arange(20) * 7).astype(np.uint16)
COLOURS = np.stack([RAMP, RAMP // 2, RAMP // 4], -1)


def read(folder, data: bytes, stream: str = "rgb") -> tuple[np.ndarray, tuple | None]:
    (folder / "0.tif").write_bytes(data)
    video = read_frames(folder, stream, VideoOptions(min_frames=1, quality=95))
    return np.asarray(Image.open(io.BytesIO(video.frames[0]))), video.levels


@pytest.mark.parametrize("planar", [1, 2])
def test_colours_of_16_bits_are_not_cut_to_their_upper_8(tmp_path, planar):
    # Up to 1633, 11 bits: Pillow's upper 8 of 16 are 0 to 6, and of planes noise.
    image, levels = read(tmp_path, tiff(COLOURS, planar=planar))
    assert levels == (0, 2047)
    wanted = COLOURS * (255 / 2047)
    assert np.abs(image.astype(float) - wanted).mean() < 3  # JPEG


def test_grey_whose_zero_is_white_is_inverted(tmp_path):
    black, _ = read(tmp_path, tiff(RAMP), "ir")
    white, levels = read(tmp_path, tiff(RAMP, photometric=0), "ir")
    assert levels == (65535 - int(RAMP.max()), 65535)
    assert np.abs(black.astype(int) + white - 255).max() <= 6
    # As those of 8 bits are.
    assert (
        read(tmp_path, tiff(np.full((8, 8), 200, np.uint8), photometric=0), "ir")[
            0
        ].tolist()
        == [[55] * 8] * 8
    )


def test_whole_numbers_of_32_bits_have_no_sign_and_lose_none_of_their_steps(tmp_path):
    deep, levels = read(tmp_path, tiff(RAMP + np.uint32(2**31)), "ir")
    assert levels == (2**31, 2**31 + int(RAMP.max()))
    assert (deep == read(tmp_path, tiff(RAMP), "ir")[0]).all()
    signed, levels = read(tmp_path, tiff(RAMP.astype(np.int32) - 500), "ir")
    assert levels == (-500, int(RAMP.max()) - 500) and (signed == deep).all()


@pytest.mark.parametrize(
    ("array", "tags", "why"),
    [
        (RAMP, {"height": 1000}, "20 x 1000 pixels, of which the file has 320: it is"),
        (COLOURS, {"tiles": 1}, "16, 16, 16 bits a channel in tiles; .* read of 16"),
        (COLOURS.astype(np.uint32), {}, "is damaged, or of a form that is not read"),
        (
            RAMP.astype(np.float64),
            {},
            "read are JPEG, PNG, BMP, WebP and TIFF, of 8 or",
        ),
        (RAMP.astype(np.float32), {"photometric": 0}, "32 bits whose zero is white"),
    ],
)
def test_what_is_not_read_is_said(tmp_path, array, tags, why):
    with pytest.raises(UnusableFile, match=f"0.tif.*{why}"):
        read(tmp_path, tiff(array, **tags))
