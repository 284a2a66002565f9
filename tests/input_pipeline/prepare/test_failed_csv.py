"""failed.csv: every reason that can stand there, by its text."""

import ast
import csv
import io
import json
import pathlib
import struct

import av
import numpy as np
import pytest
from PIL import Image

from input_pipeline import encode
from input_pipeline.formats.errors import REASONS
from input_pipeline.formats.video import VideoOptions
from input_pipeline.prepare import plan, shards
from input_pipeline.recordings import Part
from tests.input_pipeline import raw

ROOT = pathlib.Path(encode.__file__).parent
# What is wrong with parts of recordings, by file, reason and part.
PARTS = (
    (
        "b.avi",
        "outside: the part from 0.500 to 9.000 s ends 7.800 s after",
        Part(0.5, 9),
    ),
    ("b.avi", "outside: the part would last from 3.000 to 1.200 s", Part(3)),
    ("b.avi", "outside: the part reaches to frame 99, which is 87 more", None),
    ("b.avi", "too short: the part from 0.410 to 0.420 s holds no", Part(0.41, 0.42)),
    ("tall", "undecodable: it does not say when its 8 frames were", Part(0, 1)),
    ("spot.avi", "undecodable: frame 20 of the recording cannot be", Part(1.5, 2.5)),
    ("nothing.avi", "undecodable: not one frame could be decoded", Part(0, 1)),
    ("empty.avi", "empty: the file has no bytes", Part(0, 1)),
    ("gone.avi", "missing: there is no such file", Part(0, 1)),
)
OPTIONS = encode.EncodeOptions(video=VideoOptions(short_side=16))


def jpeg(height: int, width: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def promising(path: pathlib.Path, height: int, width: int) -> bytes:
    """A small video without compression whose header says another size."""
    data = bytearray(raw.write_video(path, codec="rawvideo").read_bytes())
    at = data.index(b"strf") + 12
    data[at : at + 8] = width.to_bytes(4, "little") + height.to_bytes(4, "little")
    return bytes(data)


def sound_alone(path: pathlib.Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_files(folder: pathlib.Path) -> dict[str, tuple[str, pathlib.Path, str]]:
    """Writes unusable files; returns stream, path and reason by the clip's name."""
    cases: dict[str, tuple[str, pathlib.Path, str]] = {}

    def case(stream: str, file: str, reason: str, data: bytes | None = None):
        path = folder / file
        if data is not None:
            path.write_bytes(data)
        cases[f"{len(cases):02d} {file[:20]}"] = stream, path, reason
        return path

    case("rgb", "gone.avi", "missing: there is no such file")
    case("rgb", "empty.avi", "empty: the file has no bytes", b"")
    case("rgb", "text.avi", "undecodable: its container is not read", b"no" * 99)
    case("rgb", "one.avi", "undecodable: it is a JPEG picture, no", jpeg(16, 16))
    start = b"\0\0\0\x10ftypisom\0\0\2\0\0\1\0\0mdat" + bytes(99)
    case("rgb", "cut.mp4", "undecodable: it was cut off: 99.8 % of", start)
    raw.write_video(folder / "b.avi")
    case("rgb", "b.avi#4", "undecodable: there is no video stream #4; the file has #0")
    noise = np.random.default_rng(0).integers(0, 255, (60, 24, 32), np.uint8)
    whole = raw.write_timed(folder / "b.mkv", (noise, np.arange(60) / 25)).read_bytes()
    case("rgb", "cut.mkv", "truncated: ", whole[: len(whole) * 6 // 10])
    raw.write_timed(folder / "b.flv", (noise, np.arange(60) / 25), codec="flv")
    whole = (folder / "b.flv").read_bytes()
    case("rgb", "cut.flv", "truncated: ", whole[: len(whole) * 6 // 10])
    raw.write_video(case("rgb", "long.avi", "too long: more than "), 160)
    sound_alone(case("rgb", "sound.avi", "undecodable: the file holds no video stream"))
    large = "undecodable: frames of 81000000 pixels; at most 67108864"
    case("rgb", "large.avi", large, promising(folder / "whole.avi", 9000, 9000))
    reason = "undecodable: the image size changes from (16, 16) to (12, 14) (height, w"
    case("rgb", "sizes.mjpeg", reason, jpeg(16, 16) * 9 + jpeg(12, 14))
    coded = (
        raw.write_video(folder / "coded.avi").read_bytes().replace(b"MJPG", b"\1Q\2Z")
    )
    case("rgb", "coded.avi", "undecodable: its codec is not known", coded)
    said = (folder / "whole.avi").read_bytes()
    at = said.index(b"strf") + 22  # bits of a pixel, and no codec
    said = said[:at] + struct.pack("<H4s", 16, bytes(4)) + said[at + 6 :]
    case("rgb", "bits.avi", "undecodable: it says that it holds colours of 15", said)
    raw.write_video(
        case("rgb", "short.avi", "too short: 5 frames; at least 8 are needed"), 5
    )
    noise = np.random.default_rng(0).integers(0, 255, (30, 24, 32, 3), np.uint8)
    whole = raw.write_video(folder / "whole.avi", noise).read_bytes()
    cut = case("rgb", "cut.avi", "truncated: ", whole[: len(whole) * 6 // 10])
    assert cut.exists()
    spot = bytearray(raw.write_video(folder / "whole.avi", 40).read_bytes())
    starts = [i for i in range(len(spot)) if spot[i : i + 3] == b"\xff\xd8\xff"]
    spot[starts[20] : starts[21] - 8] = bytes(starts[21] - 8 - starts[20])
    case("rgb", "spot.avi", "undecodable: damaged after 20 frames (", bytes(spot))
    for a, b in zip(starts, [*starts[1:], len(spot)], strict=True):
        spot[a : b - 8] = bytes(b - 8 - a)
    case("rgb", "nothing.avi", "undecodable: ", bytes(spot))

    for name, sizes in {
        "few": [(16, 16)] * 3,
        "two": [(16, 16)] * 8 + [(12, 14)],
    }.items():
        (folder / name).mkdir()
        for number, size in enumerate(sizes):
            (folder / name / f"{number}.jpg").write_bytes(jpeg(*size))
    case("rgb", "few", "too short: 3 images; at least 8 are needed, and read are .jpg")
    reason = "undecodable: the image size changes from (16, 16) to (12, 14) (height, w"
    case("rgb", "two", reason)
    (folder / "odd").mkdir()
    for number in range(8):
        (folder / "odd" / f"{number}.png").write_bytes(b"no image")
    case("rgb", "odd", "undecodable: 0.png is damaged, or of a form that is not read")
    (folder / "strips").mkdir()
    for number in range(8):
        picture = raw.tiff(np.zeros((16, 16), np.uint16), height=99)
        (folder / "strips" / f"{number}.tif").write_bytes(picture)
    case("rgb", "strips", "undecodable: 0.tif: 16 x 99 pixels, of which the file has 2")
    (folder / "tall").mkdir()
    for number in range(8):
        tall = Image.fromarray(np.zeros((65_501, 1), np.uint8))
        tall.save(folder / "tall" / f"{number}.png")
    case("rgb", "tall", "undecodable: frames of 1 x 65501 pixels")

    for name, last, reason in (
        ("twice", "01.png", "undecodable: the order of the images is ambiguous"),
        ("blank", "1.png", "empty: 1.png has no bytes"),
        ("mixed", "9.tif", "undecodable: 9.tif has more than 8 bits"),
    ):
        (folder / name).mkdir()
        for number in range(8):
            Image.new("L", (16, 16)).save(folder / name / f"{number}.png")
        Image.new("F", (16, 16)).save(folder / name / last, "TIFF")
        if name == "blank":
            (folder / name / last).write_bytes(b"")
        case("rgb", name, reason)
    for name, value in (("deep", np.nan), ("eight", 1.0)):
        (folder / name).mkdir()
        for number in range(8):
            image = Image.fromarray(np.full((16, 16), value, np.float32))
            image.save(folder / name / f"{number}.tif")
    case("rgb", "deep", "undecodable: 0.tif holds values that are not finite")
    Image.new("L", (16, 16)).save(folder / "eight" / "8.png")
    case("rgb", "eight", "undecodable: 8.png has 8 bits, 0.tif has more")

    case("ir", "gone.npy", "missing: there is no such file")
    case("ir", "empty.csv", "empty: the file has no bytes", b"")
    case("ir", "odd.npy", "undecodable: ", b"no array at all")
    rows = [",".join(map(str, range(64)))] * 9
    text = "\n".join([*rows, "1,2,3"]).encode()
    case(
        "ir", "cells.csv", "undecodable: line 10 has 3 cells, those before it 64", text
    )
    text = "\n".join([*rows, rows[0].replace("7", "x")]).encode()
    case("ir", "cell.csv", "undecodable: line 10, column 8: 'x' is no number", text)
    wide = "\n".join(rows).encode("utf-16")
    case("ir", "wide.csv", "undecodable: the table is in UTF-16; export it again", wide)
    case("ir", "words.csv", "empty: no line holds a row of numbers", b"a,b\nc,d\n")

    case("skeleton", "gone.skeleton", "missing: there is no such file")
    case("skeleton", "empty.skeleton", "empty: the file has no bytes", b"")
    reason = "undecodable: a skeleton file ends in .skeleton, .npy, .csv"
    case("skeleton", "a.txt", reason, b"1 2 3")
    case(
        "skeleton", "word.csv", "undecodable: line 2: 'two' is no", b"1,2,3\n1,two,3\n"
    )
    np.save(folder / "short.npy", np.ones((5, 4, 3)))
    case("skeleton", "short.npy", "too short: 5 frames; at least 8 are needed")
    np.save(folder / "zero.npy", np.zeros((9, 4, 3)))
    case("skeleton", "zero.npy", "empty: nobody is seen in any frame")

    case("truth", "gone.json", "missing: there is no such file")
    reason = "undecodable: not the truth of this clip (KeyError: 'difficulty')"
    case("truth", "odd.json", reason, json.dumps({}).encode())
    case("rgb", "x" * 300 + ".avi", "[Errno 36] File name too long: ")
    return cases


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The cases, and the rows of failed.csv that preparing them leaves, by name."""
    folder = tmp_path_factory.mktemp("failed")
    (folder / "raw").mkdir()
    cases = write_files(folder / "raw")
    clips = [
        encode.Clip(name, 0, {stream: path}, {})
        for name, (stream, path, _) in cases.items()
    ]
    for number, (file, reason, part) in enumerate(PARTS):
        path, name = folder / "raw" / file, f"part {number}"
        part = part or Part(1, 99, {}, ("rgb", path))
        clips.append(encode.Clip(name, 0, {"rgb": path}, {}, part=part))
        cases[name] = "rgb", path, reason
    (folder / "out" / shards.WORK).mkdir(parents=True)
    job = shards.ShardJob(folder / "out", "odd", 0, 1, tuple(clips), OPTIONS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("input_pipeline.records.MAX_BYTES", 60_000)
        shards.write_shard(job)
    plan.write_failed(folder / "out", shards.finished_table(job)["failed"])
    with (folder / "out" / plan.FAILED_FILE).open() as file:
        return cases, {row["name"]: row for row in csv.DictReader(file)}


def test_every_unusable_file_is_listed_with_its_reason(written):
    cases, rows = written
    found = {
        name: (row["stream"], row["path"], row["reason"][: len(cases[name][2])])
        for name, row in rows.items()
    }
    assert found == {
        name: (s, str(p), reason) for name, (s, p, reason) in cases.items()
    }


def test_each_kind_of_reason_is_among_them(written):
    kinds = {row["reason"].partition(":")[0] for row in written[1].values()}
    assert kinds == {*REASONS, "[Errno 36] File name too long"}


def test_no_reason_was_added_without_an_example():
    """Whoever adds a reason adds a case above, and the number here."""
    calls = [
        node
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "UnusableFile"
    ]
    assert len(calls) == 66
