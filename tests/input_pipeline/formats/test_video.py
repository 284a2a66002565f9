"""Videos become JPEG frames of the right size and colour; bad files say why not."""

import gc
import io
import struct

import av
import numpy as np
import pytest
from PIL import Image

from input_pipeline.encode import Clip, encode_clip
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.video import VideoOptions, read_video, stored_size
from tests.input_pipeline import raw
from tests.input_pipeline.builders.test_something import OPTIONS


def pixels(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg)))


def test_every_frame_is_kept_in_order(tmp_path):
    levels = np.arange(9, dtype=np.uint8) * 25 + 10
    images = np.broadcast_to(levels[:, None, None], (9, 24, 32)).copy()
    video = read_video(
        raw.write_video(tmp_path / "a.avi", images), "ir", VideoOptions()
    )
    found = [pixels(frame).mean() for frame in video.frames]
    np.testing.assert_allclose(found, levels, atol=3)


def test_colour_frames_keep_size_and_colour(tmp_path):
    video = read_video(raw.write_video(tmp_path / "a.avi"), "rgb", VideoOptions())
    image = pixels(video.frames[0])
    assert (video.height, video.width) == (24, 32) and image.shape == (24, 32, 3)
    np.testing.assert_allclose(image[12, 4], [255, 0, 0], atol=12)
    np.testing.assert_allclose(image[12, 28], [0, 0, 255], atol=12)


@pytest.mark.parametrize("codec", ["mjpeg", "mpeg4"])
def test_infrared_has_one_channel_and_full_range(tmp_path, codec):
    images = np.zeros((10, 32, 48), np.uint8)
    images[:, :, 24:] = 255
    path = raw.write_video(tmp_path / "a.avi", images, codec=codec)
    video = read_video(path, "ir", VideoOptions())
    image = pixels(video.frames[5])
    assert image.shape == (32, 48)
    np.testing.assert_allclose(image[:, :16], 0, atol=6)
    np.testing.assert_allclose(image[:, 32:], 255, atol=6)


def test_short_side_is_reduced_and_aspect_kept(tmp_path):
    path = raw.write_video(tmp_path / "a.avi", raw.halves(8, 60, 100))
    video = read_video(path, "rgb", VideoOptions(short_side=30))
    assert (video.height, video.width) == (30, 50)
    assert pixels(video.frames[0]).shape == (30, 50, 3)
    assert stored_size(1080, 1920, 256) == (256, 455)
    assert stored_size(424, 512, 256) == (256, 309)
    assert stored_size(200, 100, 50) == (100, 50)
    assert stored_size(100, 200, 256) == (100, 200)  # never enlarged


def test_reduction_averages_instead_of_picking(tmp_path):
    y, x = np.mgrid[:64, :64]
    board = np.where((y + x) % 2, 255, 0).astype(np.uint8)
    path = raw.write_video(tmp_path / "a.avi", np.stack([board] * 8))
    video = read_video(path, "ir", VideoOptions(short_side=16))
    np.testing.assert_allclose(pixels(video.frames[0]), 127.5, atol=8)


def test_pixels_that_are_not_square_are_made_square(tmp_path):
    path = raw.write_video(tmp_path / "a.mp4", aspect=2, codec="mpeg4")
    video = read_video(path, "rgb", VideoOptions())
    assert (video.height, video.width) == (24, 64)


def test_a_phone_held_upright_is_turned_upright(tmp_path):
    path = raw.write_video(tmp_path / "a.mp4", codec="mpeg4")
    data = bytearray(path.read_bytes())
    # The track header's matrix for "show it turned clockwise by 90 degrees".
    start = data.index(b"tkhd") + 4 + 40
    one = 1 << 16
    data[start : start + 36] = struct.pack(
        ">9i", 0, one, 0, -one, 0, 0, 24 * one, 0, 1 << 30
    )
    path.write_bytes(data)
    video = read_video(path, "rgb", VideoOptions())
    assert (video.height, video.width) == (32, 24)
    image = pixels(video.frames[0])
    np.testing.assert_allclose(image[4, 12], [255, 0, 0], atol=30)  # left is now above
    np.testing.assert_allclose(image[28, 12], [0, 0, 255], atol=30)


def test_quality_changes_the_bytes(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (8, 24, 32, 3), np.uint8)
    path = raw.write_video(tmp_path / "a.avi", noise)
    sizes = [
        len(read_video(path, "rgb", VideoOptions(quality=quality)).frames[0])
        for quality in (30, 90)
    ]
    assert sizes[0] < 0.7 * sizes[1]


def refused(path, reason: str, match: str, **options) -> None:
    with pytest.raises(UnusableFile, match=match) as caught:
        read_video(path, "rgb", VideoOptions(**options))
    assert caught.value.reason == reason


def test_missing_file(tmp_path):
    refused(tmp_path / "no.avi", "missing", "no such file")


def test_empty_file(tmp_path):
    (tmp_path / "a.avi").touch()
    refused(tmp_path / "a.avi", "empty", "no bytes")


def test_text_is_no_video(tmp_path):
    (tmp_path / "a.avi").write_text("not a video at all\n" * 100)
    refused(tmp_path / "a.avi", "undecodable", "after 0 frames")


def test_truncated_video_is_not_taken_for_a_shorter_one(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (30, 24, 32, 3), np.uint8)
    path = raw.write_video(tmp_path / "a.avi", noise)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    refused(path, "truncated", r"frames decoded; the file promises 30")


def test_mp4_without_its_end_cannot_be_opened(tmp_path):
    path = raw.write_video(tmp_path / "a.mp4", codec="mpeg4")
    path.write_bytes(path.read_bytes()[:-400])
    refused(path, "undecodable", "after 0 frames")


def test_bad_spot_in_the_middle_is_not_passed_over(tmp_path):
    path = raw.write_video(tmp_path / "a.avi", 40)
    data = bytearray(path.read_bytes())
    starts = [i for i in range(len(data)) if data[i : i + 3] == b"\xff\xd8\xff"]
    data[starts[20] : starts[21] - 8] = bytes(starts[21] - 8 - starts[20])
    path.write_bytes(data)
    refused(path, "undecodable", "damaged after 20 frames")


def test_too_short(tmp_path):
    path = raw.write_video(tmp_path / "a.avi", 5)
    refused(path, "too short", "5 frames; at least 8")
    assert len(read_video(path, "rgb", VideoOptions(min_frames=5)).frames) == 5


@pytest.mark.parametrize(
    "wrong", [{"short_side": 0}, {"quality": 0}, {"quality": 96}, {"min_frames": 0}]
)
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        VideoOptions(**wrong)


def test_a_video_whose_metadata_is_not_utf8_is_read(tmp_path):
    path = raw.write_video(tmp_path / "a.avi", 8)
    data = path.read_bytes()
    # A title in Latin-1, in a list of its own behind the header's.
    title = b"caf\xe9\x00\x00"
    info = b"INFO" + b"INAM" + len(title).to_bytes(4, "little") + title
    chunk = b"LIST" + len(info).to_bytes(4, "little") + info
    header = int.from_bytes(data[16:20], "little") + 20
    whole = data[:header] + chunk + data[header:]
    size = (len(whole) - 8).to_bytes(4, "little")
    path.write_bytes(whole[:4] + size + whole[8:])
    with pytest.raises(UnicodeDecodeError):
        av.open(str(path)).close()
    clip = Clip("a", 0, {"rgb": path}, {})
    assert len(encode_clip(clip, OPTIONS).streams["rgb"].frames) == 8


def test_frames_leave_memory_when_they_were_read(tmp_path):
    path = raw.write_timed(
        tmp_path / "a.mkv", (raw.greys(*range(60)), np.arange(60) / 25)
    )
    gc.collect()
    gc.disable()
    try:
        read_video(path, "ir", VideoOptions(min_frames=1))
        left = [kind for kind in map(type, gc.get_objects()) if kind is av.VideoFrame]
    finally:
        gc.enable()
    assert len(left) <= 1
