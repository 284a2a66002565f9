"""Files that were cut off, told by their containers."""

import numpy as np
import pytest
from PIL import Image

from input_pipeline.formats import whole
from input_pipeline.formats.errors import UnusableFile
from tests.input_pipeline import raw
from tests.input_pipeline.formats.test_container import NOISE, STEADY, means

CUT = [("avi", {}), ("mkv", {}), ("mp4", {"movflags": "faststart"}), ("wmv", {})]


@pytest.mark.parametrize("ending, options", CUT)
def test_what_was_cut_off_is_told_apart(tmp_path, ending, options):
    codec = "wmv2" if ending == "wmv" else "mpeg4"
    path = raw.write_timed(
        tmp_path / f"a.{ending}", (NOISE, STEADY), codec=codec, **options
    )
    assert len(means(path)[0]) == 40
    container = {"mkv": "matroska", "wmv": "asf"}.get(ending, ending)
    assert whole.lost_fraction(path, container) == 0
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    assert whole.lost_fraction(path, container) == pytest.approx(0.4, abs=0.01)
    with pytest.raises(UnusableFile, match="frames decoded") as caught:
        means(path)
    assert caught.value.reason == "truncated"


def test_a_cut_file_without_its_index_is_called_so(tmp_path):
    path = raw.write_timed(tmp_path / "a.mp4", (NOISE, STEADY))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UnusableFile, match="was cut off: .* % of its bytes"):
        means(path)


def test_an_avi_cut_after_dropped_frames_and_one_that_ends_in_them(tmp_path):
    late = np.r_[np.arange(39), 99] / 25
    path = raw.write_timed(tmp_path / "a.avi", (NOISE, late))
    assert len(means(path)[0]) == 40
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UnusableFile, match="the file promises 100"):
        means(path)


def test_bytes_behind_a_container_are_not_missed(tmp_path):
    for ending in ("avi", "mp4", "mkv"):
        path = raw.write_timed(tmp_path / f"a.{ending}", (NOISE, STEADY))
        path.write_bytes(path.read_bytes() + b"\0garbage of a camera")
        assert len(means(path)[0]) == 40


@pytest.mark.parametrize(
    ("ending", "codec", "what"),
    [
        *[("ts", "mpeg2video", "a packet"), ("mpg", "mpeg2video", "a packet")],
        *[("ogv", "vp8", "a page"), ("gif", "", "a picture")],
    ],
)
def test_what_promises_nothing_is_noted_where_it_ends_inside(
    tmp_path, ending, codec, what
):
    path = tmp_path / f"a.{ending}"
    if ending == "gif":
        first, *more = map(Image.fromarray, NOISE)
        first.save(path, save_all=True, append_images=more, duration=40)
    else:
        raw.write_timed(path, (NOISE, STEADY), codec=codec)
    found, heard = means(path)
    assert len(found) == 40 and heard == []
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10 + 9])
    found, heard = means(path)
    assert 8 < len(found) < 40
    text = f"may be cut off: the file ends in the middle of {what}, after {len(found)}"
    assert [line[: len(text)] for line in heard] == [text]
    if ending != "gif":
        path.write_bytes(data + b"\0garbage of a camera")
        assert means(path)[1] == []


def test_ogg_pages_are_followed_to_the_last_of_their_stream(tmp_path):
    """Two pages of three bytes; the bytes of the first look like a page themselves."""

    def page(flags: int, body: bytes) -> bytes:
        head = b"OggS" + bytes([0, flags]) + bytes(20)
        return head + bytes([1, len(body)]) + body

    path = tmp_path / "a.ogv"
    for data, found in (
        (page(2, b"OggS__") + page(4, b"abc"), ""),
        (page(2, b"OggS__") + page(0, b"abc"), "a stream (no page ends it)"),
        ((page(2, b"OggS__") + page(4, b"abc"))[:-1], "a page"),
        ((page(2, b"OggS__") + page(4, b"abc"))[:-10], "a page"),
        (page(2, b"OggS__")[-6:] + page(4, b"abc"), ""),
        (b"nothing of the kind", ""),
    ):
        path.write_bytes(data)
        assert whole.unfinished(path, "ogg") == found, data
