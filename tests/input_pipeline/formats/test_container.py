"""Which stream of a file is read, what it promises, and whether it was cut off."""

import io

import av
import numpy as np
import pytest
from PIL import Image

from input_pipeline.encode import Clip, EncodeOptions, encode_clip
from input_pipeline.formats import notes
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.video import VideoOptions, read_video
from tests.input_pipeline import raw

ONE = VideoOptions(min_frames=1)
STEADY = np.arange(40) / 25
NOISE = np.random.default_rng(0).integers(0, 255, (40, 24, 32), np.uint8)


def means(path, stream="ir", options=ONE):
    """The mean of each stored picture, and what was noted."""
    with notes.listening() as heard:
        frames = read_video(path, stream, options).frames
    return [float(np.asarray(Image.open(io.BytesIO(f))).mean()) for f in frames], heard


def test_the_second_video_is_named_and_can_be_asked_for(tmp_path):
    first, second = raw.greys(*[50] * 10), raw.greys(*[200] * 5, height=16, width=48)
    path = raw.write_timed(
        tmp_path / "a.mkv", (first, STEADY[:10]), (second, STEADY[:5])
    )
    found, heard = means(path)
    assert len(found) == 10 and abs(found[0] - 50) < 4
    assert heard[0] == (
        "several video streams: #0 32 x 24, #1 48 x 16; #0 is read, another one if it "
        "is asked for as FILE#1"
    )
    found, heard = means(f"{path}#1")
    assert len(found) == 5 and abs(found[0] - 200) < 4
    assert "several" not in heard[0]
    with pytest.raises(UnusableFile, match="no video stream #2; the file has #0 32 x"):
        means(f"{path}#2")
    with pytest.raises(UnusableFile, match="missing"):
        means(tmp_path / "b.mkv#0")
    odd = path.rename(tmp_path / "a.mkv#1")  # a name, and no number of a stream
    assert len(means(odd)[0]) == 10


def test_both_streams_of_a_file_make_a_clip(tmp_path):
    videos = (raw.greys(*[50] * 10), STEADY[:10]), (raw.greys(*[200] * 5), STEADY[:5])
    path = raw.write_timed(tmp_path / "a.mkv", *videos)
    paths = {"rgb": path.with_name("a.mkv#0"), "ir": path.with_name("a.mkv#1")}
    record = encode_clip(Clip("a", 0, paths, {}), EncodeOptions(("rgb", "ir"), ONE))
    assert [len(record.video(name).frames) for name in ("rgb", "ir")] == [10, 5]


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_covers_are_no_video(tmp_path, ending):
    cover, film = (raw.greys(250), [0]), (raw.greys(*[50] * 10), STEADY[:10])
    path = raw.write_timed(tmp_path / f"a.{ending}", cover, film, covers=[0])
    found, heard = means(path)
    assert len(found) == 10 and abs(found[0] - 50) < 4
    assert "several" not in heard[0]


def test_a_picture_that_nothing_calls_a_cover_is_no_video(tmp_path):
    path = tmp_path / "a.mkv"
    film = (raw.greys(*[50] * 10), STEADY[:10])
    raw.write_timed(path, (raw.greys(250), [0]), film, codec="mjpeg")
    assert len(means(path)[0]) == 10


def test_a_cover_alone_is_refused(tmp_path):
    path = raw.write_timed(tmp_path / "a.mp4", (raw.greys(250), [0]), covers=[0])
    with pytest.raises(UnusableFile, match="only a cover or thumbnails, no video"):
        means(path)


GAP = np.r_[np.arange(10), np.arange(110, 120)] / 25  # four seconds were dropped
UNEVEN = np.r_[np.arange(15), 15 + 7 * np.arange(5)] / 25


@pytest.mark.parametrize("times", [GAP, UNEVEN], ids=["gap", "uneven"])
@pytest.mark.parametrize("ending", ["avi", "mp4", "mkv", "ts", "mov", "flv", "wmv"])
def test_what_decodes_is_read_whatever_durations_promise(tmp_path, ending, times):
    codec = {"flv": "flv", "wmv": "wmv2"}.get(ending, "mpeg4")
    images = raw.greys(*range(20, 220, 10))
    path = raw.write_timed(tmp_path / f"a.{ending}", (images, times), codec=codec)
    found, _ = means(path)
    np.testing.assert_allclose(found, range(20, 220, 10), atol=5)


def test_frames_that_an_edit_list_leaves_out_are_not_promised(tmp_path):
    path = raw.write_timed(tmp_path / "a.mp4", (NOISE, STEADY + 0.04))
    assert len(means(path)[0]) == 40
    data = path.read_bytes()
    # The first entry is the empty one of the late start: show 20 frames after it.
    edit = data.index(b"elst") + 12 + 12
    timescale = int.from_bytes(data[data.index(b"mvhd") + 16 :][:4], "big")
    changed = bytearray(data)
    changed[edit : edit + 4] = (20 * timescale // 25).to_bytes(4, "big")
    path.write_bytes(changed)
    assert 18 <= len(means(path)[0]) <= 22


def test_containers_that_are_not_read_are_named(tmp_path):
    path = tmp_path / "a.avi"
    for start in (b"MM\0*", b"RIFF\x99\0\0\0WEBP", b"\xff\xd8\xff\xe0"):
        path.write_bytes(start + bytes(99))
        with pytest.raises(UnusableFile, match="picture, no video; read are avi, mp4"):
            means(path)
    path.write_bytes(b"anything else " * 99)
    with pytest.raises(UnusableFile, match="container is not read or is damaged; read"):
        means(path)


def test_jpegs_in_a_row_and_y4m_are_read(tmp_path):
    images = raw.greys(*range(20, 220, 10))
    path = raw.write_video(tmp_path / "a.avi", images)
    parts = path.read_bytes().split(b"\xff\xd8\xff")[1:]
    lone = b"".join(b"\xff\xd8\xff" + p[: p.rindex(b"\xff\xd9") + 2] for p in parts)
    (tmp_path / "a.mjpeg").write_bytes(lone)
    np.testing.assert_allclose(
        means(tmp_path / "a.mjpeg")[0], range(20, 220, 10), atol=5
    )
    frames = b"".join(b"FRAME\n" + image.tobytes() for image in images)
    (tmp_path / "a.y4m").write_bytes(b"YUV4MPEG2 W32 H24 F25:1 Cmono\n" + frames)
    np.testing.assert_allclose(means(tmp_path / "a.y4m")[0], range(20, 220, 10), atol=3)


def test_raw_values_that_ffmpeg_takes_for_colours_or_for_nothing(tmp_path):
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=9)
        stream.height, stream.width, stream.pix_fmt = 8, 16, "gray16le"
        for number in range(4):
            values = np.full((8, 16), 7000 + number, np.uint16)
            frame = av.VideoFrame.from_ndarray(values, "gray16le")
            frame.pts = number
            container.mux(stream.encode(frame))
    with pytest.raises(UnusableFile, match=r"colours of 15 bits .* -f rawvideo VALUES"):
        means(path)
    data = bytearray(path.read_bytes())
    codec = data.index(b"strf") + 8 + 16
    data[codec : codec + 4] = b"Y16 "
    path.write_bytes(data)
    with pytest.raises(UnusableFile, match="codec is not known; .* give --frame_size"):
        means(path)
