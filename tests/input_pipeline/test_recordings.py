"""Parts of recordings: which frames of which stream, by hand."""

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from input_pipeline.encode import Clip, ClipError, EncodeOptions, encode_clip
from input_pipeline.formats.levels import parse_scalings
from input_pipeline.formats.video import VideoOptions
from input_pipeline.recordings import Clock, Part
from tests.input_pipeline import recorded

STREAMS = ("rgb", "ir", "skeleton")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """20 s: rgb of 25 a second, ir of 8 that starts 2.7 s later, 30 poses a second."""
    path = tmp_path_factory.mktemp("recorded")
    recorded.write(path / "rgb.mp4", 500, 25, "libx264", g="50")
    recorded.write(path / "ir.avi", 138, 8, "mpeg4", g="50")
    recorded.write_folder(path / "pictures", [str(i) for i in range(40)])
    stamps = [f"{1611234567.5 + i / 4:.2f}" for i in range(40)]
    recorded.write_folder(path / "stamped", stamps)
    recorded.write_joints(path / "joints.npy", 600)
    return path


def cut(part: Part, least: int = 1, **paths: Path):
    video = VideoOptions(min_frames=least)
    clip = Clip("a", 0, paths, {}, part=part)
    return encode_clip(clip, EncodeOptions(tuple(paths), video))


def numbers(record, stream: str) -> list[int]:
    if stream == "skeleton":
        x = record.skeleton(stream).points[0, :, 0, 0]
        return np.round(x * 1000).astype(int).tolist()
    return recorded.numbers_of(record.video(stream).frames)


def test_streams_of_other_starts_and_rates_are_cut_by_time(folder):
    clocks = {"ir": Clock(2.7), "skeleton": Clock(rate=30)}
    files = {"rgb": "rgb.mp4", "ir": "ir.avi", "skeleton": "joints.npy"}
    paths = {stream: folder / name for stream, name in files.items()}
    record = cut(Part(10.0, 11.0, clocks), **paths)
    # 10 <= n / 25 < 11; 10 <= n / 8 + 2.7 < 11: n from 58.4 to 66.4; 10 <= n / 30 < 11.
    assert numbers(record, "rgb") == list(range(250, 275))
    assert numbers(record, "ir") == list(range(59, 67))
    assert numbers(record, "skeleton") == list(range(300, 330))
    assert record.streams["rgb"].times[:2].tolist() == [0, 40_000]
    ir = record.streams["ir"].times
    assert ir[0] == 75_000 and ir[-1] == 1_000_000  # 59 / 8 + 2.7 = 10.075
    assert len(ir) == 9 and record.streams["skeleton"].times[-1] == 1_000_000


def test_a_part_without_ends_is_what_the_streams_share(folder):
    paths = {"rgb": folder / "rgb.mp4", "ir": folder / "ir.avi"}
    record = cut(Part(clocks={"ir": Clock(2.7)}), **paths)
    # ir lasts from 2.7 to 19.95, rgb from 0 to 20: rgb's frames 67.5 to 498.75
    assert numbers(record, "rgb") == list(range(68, 499))
    assert numbers(record, "ir") == list(range(138))
    record = cut(Part(start=18.0, clocks={"ir": Clock(2.7)}), **paths)
    assert numbers(record, "rgb") == list(range(450, 499))


def test_a_rate_stands_over_time_stamps(folder):
    record = cut(Part(1.0, 2.0, {"rgb": Clock(rate=50)}), rgb=folder / "rgb.mp4")
    assert numbers(record, "rgb") == list(range(50, 100))
    assert record.streams["rgb"].times is None  # alone and even: numbers will do


def test_parts_in_frames_are_of_the_stream_that_counts(folder):
    paths = {"rgb": folder / "rgb.mp4", "ir": folder / "ir.avi"}
    counted = ("rgb", folder / "rgb.mp4")
    record = cut(Part(250, 275, {"ir": Clock(2.7)}, counted), **paths)
    assert numbers(record, "rgb") == list(range(250, 275))
    assert numbers(record, "ir") == list(range(59, 67))
    record = cut(Part(490, 500, {}, counted), rgb=folder / "rgb.mp4")
    assert numbers(record, "rgb") == list(range(490, 500))
    with pytest.raises(ClipError, match="frame 510, which is 10 more than rgb.mp4 has"):
        cut(Part(490, 510, {}, counted), rgb=folder / "rgb.mp4")


def test_folders_of_pictures(folder):
    record = cut(Part(1.0, 2.0, {"ir": Clock(rate=8)}), ir=folder / "pictures")
    assert numbers(record, "ir") == list(range(8, 16))
    with pytest.raises(ClipError, match="its 40 frames were taken.*column ir_rate"):
        cut(Part(1.0, 2.0), ir=folder / "pictures")
    record = cut(Part(1611234568.0, 1611234569.0), ir=folder / "stamped")
    assert numbers(record, "ir") == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("part", "match"),
    [
        (Part(19, 21), "ends 1.000 s after rgb does, which ends at 20.000 s"),
        (Part(25, 26), "ends 6.000 s after rgb"),
        (
            Part(1, 2, {"rgb": Clock(1.5)}),
            "begins 0.500 s before rgb does, .* at 1.500",
        ),
        (Part(9.01, 9.02), "too short: the part from 9.010 to 9.020 s holds no frame"),
        (Part(start=20.5), "would last from 20.500 to 20.000 s.* rgb 0.000 to 20.000"),
    ],
)
def test_parts_that_are_not_there(folder, part, match):
    with pytest.raises(ClipError, match=match):
        cut(part, rgb=folder / "rgb.mp4")


def test_an_end_within_the_last_frame_is_the_end(folder):
    record = cut(Part(19.9, 20.03), rgb=folder / "rgb.mp4")
    assert numbers(record, "rgb") == [498, 499]
    with pytest.raises(ClipError, match="too short: 2 frames; at least 8"):
        cut(Part(19.9, 20.0), 8, rgb=folder / "rgb.mp4")


@pytest.mark.parametrize(
    "part",
    [
        Part(1, 3, {"ir": Clock(rate=8)}),
        Part(8, 24, {"ir": Clock(rate=8)}, ("ir", Path("a.y16"))),
    ],
)
def test_raw_values_of_a_size_that_is_said(tmp_path, part):
    if part.counted:
        part = dataclasses.replace(part, counted=("ir", tmp_path / "a.y16"))
    values = np.broadcast_to(np.arange(80, dtype="<u2")[:, None, None], (80, 9, 11))
    values.tofile(tmp_path / "a.y16")
    scalings = parse_scalings("fixed:0:255")
    video = VideoOptions(scalings=scalings, frame_sizes={"ir": (11, 9)})
    clip = Clip("a", 0, {"ir": tmp_path / "a.y16"}, {}, part=part)
    found = encode_clip(clip, EncodeOptions(("ir",), video)).video("ir")
    images = [Image.open(io.BytesIO(frame)) for frame in found.frames]
    assert [image.getpixel((5, 4)) for image in images] == list(range(8, 24))
    with pytest.raises(ClipError, match="give --frame_size STREAM=WIDTHxHEIGHT"):
        encode_clip(clip, EncodeOptions(("ir",), VideoOptions()))


def test_the_times_in_a_table_are_its_own_clock(tmp_path):
    rows = [f"{105 + i / 8:.3f}," + ",".join(64 * [str(i)]) for i in range(40)]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    record = cut(Part(106, 107), ir=tmp_path / "a.csv")
    (low, high) = record.video("ir").levels
    assert (low, high) == (8, 15)
    with pytest.raises(ClipError, match="begins 104.000 s before ir does"):
        cut(Part(1, 106), ir=tmp_path / "a.csv")
