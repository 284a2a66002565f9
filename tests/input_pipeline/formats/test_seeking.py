"""The frames of a part are those of the whole file, wherever it begins."""

import numpy as np
import pytest

from input_pipeline.formats import notes, seeking
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.video import VideoOptions, read_video
from tests.input_pipeline import raw, recorded

OPTIONS = VideoOptions(min_frames=1)
COUNT = 160


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("closed.mp4", "libx264", {"bf": "3", "g": "30"}),
        ("open.mkv", "libx264", {"bf": "3", "g": "30", "x264-params": "open-gop=1"}),
        ("refresh.mkv", "libx264", {"x264-params": "intra-refresh=1", "g": "30"}),
        ("packets.ts", "libx264", {"bf": "3", "g": "30"}),
        ("reordered.avi", "mpeg4", {"bf": "2", "g": "30"}),
        ("pictures.avi", "mjpeg", {}),
        ("hidden.webm", "vp8", {"g": "30"}),
    ],
)
def test_parts_are_cut_to_the_frame(tmp_path, name, codec, options):
    path = recorded.write(tmp_path / name, COUNT, 25, codec, **options)
    table = seeking.index(path)
    assert table.count == COUNT and not table.cut
    np.testing.assert_allclose(np.diff(table.times), 40_000, atol=1)
    for first, after in ((0, 3), (29, 31), (30, 33), (77, 90), (158, 160), (0, 160)):
        found = read_video(path, "ir", OPTIONS, (first, after))
        assert recorded.numbers_of(found.frames) == list(range(first, after))


def test_a_part_does_not_decode_what_is_before_it(tmp_path, monkeypatch):
    path = recorded.write(tmp_path / "a.mkv", COUNT, 25, "mpeg4", g="20")
    keys = []
    frames = seeking._frames

    def noting(path, wanted, key=None):
        keys.append(key)
        return frames(path, wanted, key)

    seeking.index(path)
    monkeypatch.setattr(seeking, "_frames", noting)
    read_video(path, "ir", OPTIONS, (130, 140))
    # Matroska counts milliseconds: frame 120 is a key, 100 the one before it.
    assert keys == [4000]


def test_uneven_time_stamps_are_kept(tmp_path):
    times = [0, 0.04, 0.4, 0.44, 1.0, 1.04, 1.08, 2]
    path = raw.write_timed(tmp_path / "a.mkv", (raw.greys(*range(8)), times))
    found = seeking.index(path)
    np.testing.assert_allclose(found.times[:-1], np.array(times) * 1e6, atol=500)


def test_a_recording_that_was_cut_off_gives_the_parts_before(tmp_path):
    path = recorded.write(tmp_path / "a.avi", COUNT, 25, "mjpeg")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(UnusableFile, match="truncated"):
        read_video(path, "ir", OPTIONS)
    table = seeking.index(path)
    assert 80 < table.count < 120 and "the file promises 160" in table.cut
    with notes.listening() as heard:
        found = read_video(path, "ir", OPTIONS, (70, 80))
    assert recorded.numbers_of(found.frames) == list(range(70, 80))
    assert [line.partition(":")[0] for line in heard] == ["recording cut off"]


def test_what_cannot_be_decoded_is_no_part(tmp_path):
    path = recorded.write(tmp_path / "a.avi", 40, 25, "mjpeg")
    good = seeking.index(path)
    data = bytearray(path.read_bytes())
    movie = range(data.index(b"movi"), len(data))
    starts = [i for i in movie if data[i : i + 4] == b"00dc"][:40]
    data[starts[20] + 8 : starts[21]] = bytes(starts[21] - starts[20] - 8)
    path.write_bytes(data)
    assert good.count == 40
    assert len(read_video(path, "ir", OPTIONS, (2, 12)).frames) == 10
    with pytest.raises(UnusableFile, match="frame 20 of the recording cannot"):
        read_video(path, "ir", OPTIONS, (15, 25))
    (tmp_path / "b.avi").touch()
    with pytest.raises(UnusableFile, match="empty: the file has no bytes"):
        seeking.index(tmp_path / "b.avi")


def test_values_of_a_part_are_scaled_over_its_own_range(tmp_path):
    images = (np.arange(12, dtype=np.uint16) * 1000)[:, None, None]
    images = np.broadcast_to(images, (12, 24, 32)).copy()
    images[:, :4] = images[:1, :1, :1]
    path = raw.write_timed(tmp_path / "a.mkv", (images, np.arange(12) / 25))
    found = read_video(path, "ir", OPTIONS, (4, 8))
    assert found.levels == (0.0, 7000.0) and len(found.frames) == 4
