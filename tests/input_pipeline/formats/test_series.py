"""Arrays, tables, raw values and pages as frames: values that one can check by hand."""

import io

import numpy as np
import pytest
from PIL import Image

from input_pipeline import readers
from input_pipeline.formats import notes
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.levels import parse_scalings
from input_pipeline.formats.series import is_series
from input_pipeline.formats.video import VideoOptions

# Three frames of 8 x 10: 20, 30 and 40 degrees, and a pixel of 25 in the first.
DEGREES = np.full((3, 8, 10), 20.0, np.float32) + [[[0]], [[10]], [[20]]]
DEGREES[0, 2, 3] = 25
FIXED = VideoOptions(min_frames=1, scalings=parse_scalings("ir=fixed:20:40"))


def pixels(video):
    return np.array([np.asarray(Image.open(io.BytesIO(f))) for f in video.frames])


def read(path, options=FIXED, stream="ir"):
    with notes.listening() as heard:
        return readers.images(path, stream, options), heard


def files(folder):
    """The same frames in every form, and the size where it must be said."""
    counts = np.round(DEGREES * 100).astype(np.uint16)
    np.save(folder / "a.npy", DEGREES)
    np.save(folder / "b.npy", DEGREES[..., None].astype(np.float64))
    pages = [Image.fromarray(frame) for frame in DEGREES]
    pages[0].save(folder / "c.tif", save_all=True, append_images=pages[1:])
    counts.tofile(folder / "d.y16")
    rows = DEGREES.reshape(3, -1)
    np.savetxt(folder / "e.csv", rows, delimiter=",")
    np.save(folder / "f.npy", rows)
    for kind in ("g", "h", "i"):
        (folder / kind).mkdir()
    for i in range(3):
        np.save(folder / f"g/{i}.npy", DEGREES[i])
        Image.fromarray(DEGREES[i]).save(folder / f"h/{i}.tiff")
        Image.fromarray(counts[i]).save(folder / f"i/{i}.png")


@pytest.mark.parametrize("name", ["a.npy", "b.npy", "c.tif", "d.y16", "e.csv", "f.npy"])
def test_every_form_of_file_gives_the_same_pictures(tmp_path, name):
    files(tmp_path)
    scale = 100 if name == "d.y16" else 1
    options = VideoOptions(
        min_frames=1,
        scalings=parse_scalings(f"ir=fixed:{20 * scale}:{40 * scale}"),
        frame_sizes={"ir": (10, 8)},
    )
    check(read(tmp_path / name, options)[0], scale)


@pytest.mark.parametrize(("name", "scale"), [("g", 1), ("h", 1), ("i", 100)])
def test_folders_of_pictures_give_them_too(tmp_path, name, scale):
    files(tmp_path)
    scalings = parse_scalings(f"fixed:{20 * scale}:{40 * scale}")
    check(read(tmp_path / name, VideoOptions(90, 90, 1, scalings))[0], scale)


def check(video, scale):
    assert (video.height, video.width) == (8, 10)
    assert video.levels == (20 * scale, 40 * scale)
    found = pixels(video).astype(int)
    want = np.round((DEGREES - 20) / 20 * 255)
    # A small frame loses nothing but a level to its JPEG, the lonely pixel neither.
    assert np.abs(found - want).max() <= 2


def test_eight_bits_are_taken_as_they_are(tmp_path):
    values = np.array([10, 200], np.uint8)[:, None, None, None]
    np.save(tmp_path / "a.npy", np.broadcast_to(values, (2, 16, 16, 3)))
    video, heard = read(tmp_path / "a.npy", stream="rgb")
    np.testing.assert_allclose(pixels(video).mean((1, 2, 3)), [10, 200], atol=1)
    assert video.levels is None and heard == []


def test_large_frames_are_reduced_and_small_ones_are_not(tmp_path):
    np.save(tmp_path / "a.npy", np.tile(DEGREES, (1, 10, 10)))
    options = VideoOptions(short_side=40, min_frames=1)
    assert read(tmp_path / "a.npy", options)[0].height == 40
    np.save(tmp_path / "a.npy", DEGREES)
    assert read(tmp_path / "a.npy", options)[0].height == 8


def nan(values):
    values[1, 0, 0] = np.nan
    return values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (nan(DEGREES.copy()), r"frame 1 holds values that are not finite \(1 of 80"),
        (DEGREES[0, 0], r"the array is \[10\]; expected are frames \[t h w\]"),
        (DEGREES[None, None], r"the array is \[1, 1, 3, 8, 10\]"),
        (DEGREES[..., None].repeat(2, 3), r"the array is \[3, 8, 10, 2\]"),
        (DEGREES > 25, "its values are bool; expected are numbers"),
        (DEGREES.astype(object), "its values are Python objects; expected are num"),
        (DEGREES.astype(complex), "its values are complex128"),
        (np.zeros((3, 71)), "a row has 71 cells, of which no known sensor"),
        (np.zeros((0, 8, 8)), "0 frames; at least 1 are needed"),
    ],
)
def test_what_is_no_frames_is_said(tmp_path, values, message):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(UnusableFile, match=message):
        read(tmp_path / "a.npy")


def test_raw_values_need_a_size_that_fits(tmp_path):
    files(tmp_path)
    with pytest.raises(UnusableFile, match="give --frame_size STREAM=WIDTHxHEIGHT"):
        read(tmp_path / "d.y16")
    wrong = VideoOptions(min_frames=1, frame_sizes={"ir": (10, 7)})
    with pytest.raises(UnusableFile, match=r"480 bytes are no whole .*3 frames and 60"):
        read(tmp_path / "d.y16", wrong)
    with pytest.raises(UnusableFile, match="--frame_size says 10 x 7"):
        read(tmp_path / "a.npy", wrong)


def test_damaged_and_missing_files(tmp_path):
    files(tmp_path)
    data = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(data[:-8])
    with pytest.raises(UnusableFile, match="undecodable"):
        read(tmp_path / "a.npy")
    (tmp_path / "a.npy").write_bytes(b"")
    with pytest.raises(UnusableFile, match="empty"):
        read(tmp_path / "a.npy")
    with pytest.raises(UnusableFile, match="missing"):
        read(tmp_path / "z.npy")
    assert not is_series(tmp_path / "g") and not is_series(tmp_path / "a.avi")
