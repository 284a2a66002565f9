"""Folders of pictures of every kind: their order, depth, orientation and endings."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from input_pipeline.formats import notes
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.frames import read_frames
from input_pipeline.formats.video import VideoOptions
from tests.input_pipeline.builders.test_something import write_frames

ONE = VideoOptions(quality=95, min_frames=1)
# Four quarters of four levels: no turn or mirroring leaves it as it is.
QUARTERS = np.kron([[40, 100], [160, 220]], np.ones((12, 16))).astype(np.uint8)


def stored(folder, stream="ir", options=ONE):
    """The stored pictures of a folder as arrays, and what was noted."""
    with notes.listening() as heard:
        video = read_frames(folder, stream, options)
    shown = [np.asarray(Image.open(io.BytesIO(data))) for data in video.frames]
    assert all(image.shape[:2] == (video.height, video.width) for image in shown)
    return shown, heard


def png16(values: np.ndarray, kind: int, orientation: int = 1) -> bytes:
    """A PNG of 16 bits a channel: kind 0 grey, 2 RGB, 4 grey and alpha, 6 RGBA."""

    def chunk(name: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + crc

    height, width = values.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    exif = Image.Exif()
    exif[0x0112] = orientation
    lines = b"".join(b"\0" + line.tobytes() for line in values.astype(">u2"))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )


def test_frames_stand_in_natural_order(tmp_path):
    for number, name in enumerate(("2_ir8", "9_ir8", "10_ir8", "111_ir8")):
        Image.fromarray(np.full((8, 8), 40 * number, np.uint8)).save(
            tmp_path / f"{name}.png"
        )
    (tmp_path / "._2_ir8.png").write_bytes(b"another system's note")
    (tmp_path / "Thumbs.db").write_bytes(b"and another's")
    means = [round(image.mean()) for image in stored(tmp_path)[0]]
    assert means == [0, 40, 80, 120]
    Image.new("L", (8, 8)).save(tmp_path / "cover.png")
    with pytest.raises(UnusableFile, match="ambiguous"):
        stored(tmp_path)


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(10))
def test_exif_orientation(tmp_path, ending, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(QUARTERS).save(tmp_path / f"0.{ending}", exif=exif)
    # EXIF 2.32, 4.6.4: where row 0 and column 0 of what is stored are seen.
    want = {
        2: QUARTERS[:, ::-1],  # top, right
        3: QUARTERS[::-1, ::-1],  # bottom, right
        4: QUARTERS[::-1],  # bottom, left
        5: QUARTERS.T,  # left, top
        6: QUARTERS.T[:, ::-1],  # right, top
        7: QUARTERS.T[::-1, ::-1],  # right, bottom
        8: QUARTERS.T[::-1],  # left, bottom
    }.get(orientation, QUARTERS)
    (image,), _ = stored(tmp_path)
    assert image.shape == want.shape
    np.testing.assert_allclose(image.astype(int), want, atol=25)
    assert abs(image.astype(int) - want).mean() < 3


def test_an_upright_jpeg_is_stored_byte_for_byte(tmp_path):
    Image.fromarray(QUARTERS).save(tmp_path / "0.jpg")
    video = read_frames(tmp_path, "ir", ONE)
    assert video.frames == [(tmp_path / "0.jpg").read_bytes()]


@pytest.mark.parametrize("stream", ["rgb", "ir"])
@pytest.mark.parametrize("kind", [0, 4])
def test_grey_of_16_bits_has_one_range_for_the_clip(tmp_path, kind, stream):
    """29300 to 31300 becomes 0 to 255: half of it, 30300, becomes 127.5."""
    for number, level in enumerate((29300, 30300, 31300)):
        values = np.full((8, 16), level, np.uint16)
        if kind == 4:
            values = np.stack([values, np.full_like(values, 65535)], -1)
        (tmp_path / f"{number}.png").write_bytes(png16(values, kind))
    images, heard = stored(tmp_path, stream)
    assert [round(float(image.mean())) for image in images] in (
        [0, 127, 255],
        [0, 128, 255],
    )
    assert images[0].ndim == (3 if stream == "rgb" else 2)
    assert "values 29300 to 31300 of 16 bits become 0 to 255" in heard[0]


@pytest.mark.parametrize("highest, full", [(60000, 65535), (4000, 4095)])
@pytest.mark.parametrize("kind", [2, 6])
def test_colour_of_16_bits_keeps_its_hues(tmp_path, kind, highest, full):
    """Of 16 bits, or of the 12 that a camera fills of them."""
    values = np.zeros((12, 20, 3 if kind == 2 else 4), np.uint16)
    values[..., :3] = highest, highest // 2, highest // 4
    (tmp_path / "0.png").write_bytes(png16(values, kind, orientation=6))
    (image,), heard = stored(tmp_path, "rgb")
    assert image.shape == (20, 12, 3)
    want = 255 * values[0, 0, :3].astype(float) / full
    np.testing.assert_allclose(image.mean((0, 1)), want, atol=2)
    assert f"values 0 to {full} of 16 bits" in heard[0]


def test_sixteen_bits_are_turned_and_reduced_too(tmp_path):
    values = QUARTERS.astype(np.uint16) * 256
    (tmp_path / "0.png").write_bytes(png16(values, 0, orientation=6))
    (image,), _ = stored(tmp_path, options=VideoOptions(12, 95, 1))
    assert image.shape == (16, 12)
    corners = image[2, 2], image[2, -3], image[-3, 2], image[-3, -3]
    np.testing.assert_allclose(corners, [170, 0, 255, 85], atol=6)


def test_floats_and_deep_tiff(tmp_path):
    for number, level in enumerate((20.0, 37.0)):
        Image.fromarray(np.full((8, 8), level, np.float32)).save(
            tmp_path / f"{number}.tiff"
        )
    images, heard = stored(tmp_path)
    assert [image.mean() for image in images] == [0, 255]
    assert "values 20 to 37 of 32 bits" in heard[0]
    Image.fromarray(np.full((8, 8), np.nan, np.float32)).save(tmp_path / "2.tiff")
    with pytest.raises(UnusableFile, match="2.tiff holds values that are not finite"):
        stored(tmp_path)


def test_eight_and_sixteen_bits_do_not_mix(tmp_path):
    Image.fromarray(QUARTERS).save(tmp_path / "0.png")
    (tmp_path / "1.png").write_bytes(png16(QUARTERS.astype(np.uint16) * 99, 0))
    with pytest.raises(UnusableFile, match="1.png has more than 8 bits"):
        stored(tmp_path)
    (tmp_path / "2.png").write_bytes((tmp_path / "0.png").read_bytes())
    (tmp_path / "0.png").unlink()
    with pytest.raises(UnusableFile, match="2.png has 8 bits"):
        stored(tmp_path)


def test_a_nearly_flat_picture_gets_a_word(tmp_path):
    flat = np.full((32, 32), 117, np.uint8)
    flat[:2, :2] = 240  # a burnt pixel does not help
    Image.fromarray(flat).save(tmp_path / "0.png")
    assert "98 of 100 pixels lie between 117 and 117" in stored(tmp_path)[1][0]
    Image.fromarray(QUARTERS).save(tmp_path / "0.png")
    assert not stored(tmp_path)[1]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_mode_of_eight_bits(tmp_path, mode):
    """Red, or grey, whatever way it is written down."""
    red = Image.new("RGB", (16, 16), (255, 0, 0))
    ending = "jpg" if mode == "CMYK" else "png"
    red.convert(mode).save(tmp_path / f"0.{ending}", quality=95)
    (image,), _ = stored(tmp_path, "rgb")
    grey = 76  # BT.601's luma of red, 0.299 * 255
    want = {"1": image[0, 0], "L": [grey] * 3, "LA": [grey] * 3}.get(mode, [255, 0, 0])
    np.testing.assert_allclose(image.mean((0, 1)), want, atol=80 if mode == "1" else 6)
    if mode == "1":
        assert set(np.unique(image // 128)) == {0, 1}  # dithered black and white


@pytest.mark.parametrize("ending", ["bmp", "webp", "tiff"])
def test_endings_that_are_read(tmp_path, ending):
    for number in range(3):
        Image.fromarray(QUARTERS).save(tmp_path / f"{number}.{ending}")
    images, heard = stored(tmp_path)
    assert not heard and len(images) == 3
    np.testing.assert_allclose(images[1].astype(int), QUARTERS, atol=25)


def test_endings_that_are_not_read_are_named(tmp_path):
    for number in range(3):
        Image.fromarray(QUARTERS).save(tmp_path / f"{number}.gif")
    with pytest.raises(
        UnusableFile, match=r"0 images \(and 3 .gif files.*read are .jpg"
    ):
        stored(tmp_path)
    (tmp_path / "0003").touch()
    with pytest.raises(UnusableFile, match=r"\(and 1 nameless, 3 .gif files"):
        stored(tmp_path)
    Image.fromarray(QUARTERS).save(tmp_path / "0.png")
    assert stored(tmp_path)[1] == [
        "pictures passed over: 3 .gif files; read are "
        ".jpg, .jpeg, .png, .bmp, .webp, .tif, .tiff, .npy"
    ]


def test_several_pictures_in_one_file_and_an_empty_one(tmp_path):
    image = Image.fromarray(QUARTERS)
    image.save(tmp_path / "0.tif", save_all=True, append_images=[image, image])
    with pytest.raises(
        UnusableFile, match="0.tif: it holds 3 pictures; expected is on"
    ):
        stored(tmp_path)
    (tmp_path / "0.tif").write_bytes(b"")
    with pytest.raises(UnusableFile, match="empty: 0.tif has no bytes"):
        stored(tmp_path)


def test_frames_that_are_large_damaged_or_of_two_sizes(tmp_path):
    options = VideoOptions(16, 90, 4)
    video = read_frames(write_frames(tmp_path / "a", size=(32, 60)), "rgb", options)
    assert (video.height, video.width) == (16, 30)
    infrared = read_frames(tmp_path / "a", "ir", options)
    assert Image.open(io.BytesIO(infrared.frames[0])).mode == "L"
    with pytest.raises(UnusableFile, match="6 images; at least 9"):
        read_frames(tmp_path / "a", "rgb", VideoOptions(16, 90, 9))
    path = tmp_path / "a" / "3.jpg"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnusableFile, match="3.jpg"):
        read_frames(tmp_path / "a", "rgb", options)
    write_frames(tmp_path / "b", size=(12, 20))
    Image.fromarray(np.zeros((12, 22, 3), np.uint8)).save(tmp_path / "b" / "4.jpg")
    with pytest.raises(UnusableFile, match="the image size changes .* at 4.jpg"):
        read_frames(tmp_path / "b", "rgb", options)


def test_a_header_that_promises_more_pixels_than_any_camera_has_is_not_believed(
    tmp_path,
):
    data = bytearray(png16(np.zeros((8, 16), np.uint16), 0))
    data[16:24] = struct.pack(">II", 8192, 8193)  # below what Pillow itself refuses
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    for number in range(8):
        (tmp_path / f"{number}.png").write_bytes(data)
    with pytest.raises(UnusableFile, match="8192 x 8193 pixels; at most 67108864"):
        read_frames(tmp_path, "ir", VideoOptions())
