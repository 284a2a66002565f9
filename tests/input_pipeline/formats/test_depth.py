"""Depth maps: 16-bit PNG images, whole pixels, and what is refused."""

import io

import numpy as np
import pytest
from PIL import Image

from input_pipeline.formats import depth
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.video import VideoOptions

OPTIONS = VideoOptions(short_side=8, min_frames=2)


def write(folder, *images):
    folder.mkdir(exist_ok=True)
    for number, image in enumerate(images):
        path = folder / f"MDepth-{number:08d}.png"
        Image.fromarray(np.asarray(image, np.uint16)).save(path)
    return folder


def stored(video):
    return [np.asarray(Image.open(io.BytesIO(data))) for data in video.frames]


def test_small_images_are_stored_without_loss(tmp_path):
    image = np.arange(8 * 11).reshape(8, 11) * 700
    folder = write(tmp_path / "a", *([image + i for i in range(11)]))
    video = depth.read_depth(folder, OPTIONS)
    assert (video.height, video.width, len(video.frames)) == (8, 11, 11)
    for i, frame in enumerate(stored(video)):
        np.testing.assert_array_equal(frame, image + i)


def test_larger_images_become_whole_pixels(tmp_path):
    # 16 x 20 to 8 x 10: the centre of new pixel i lies in old pixel 2 i + 1.
    image = np.random.default_rng(0).choice([0, 1000, 60_000], (16, 20))
    video = depth.read_depth(write(tmp_path / "a", image, image), OPTIONS)
    assert (video.height, video.width) == (8, 10)
    np.testing.assert_array_equal(stored(video)[0], image[1::2, 1::2])


def test_nearest_by_hand():
    image = np.array([[10, 20, 30]])
    assert depth.nearest(image, (1, 2)).tolist() == [[10, 30]]  # centres 0.75, 2.25
    assert depth.nearest(image, (2, 4)).tolist() == [[10, 20, 20, 30]] * 2
    assert depth.nearest(image, (1, 1)).tolist() == [[20]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "none", "missing: there is no such folder"),
        (lambda folder: write(folder / "a", np.ones((8, 8))), "too short: 1 PNG"),
        (
            lambda folder: write(folder / "a", np.ones((8, 8)), np.ones((8, 9))),
            r"the image size changes from \(8, 8\) to \(8, 9\)",
        ),
    ],
)
def test_what_is_no_clip_of_depth(tmp_path, make, message):
    with pytest.raises(UnusableFile, match=message):
        depth.read_depth(make(tmp_path), OPTIONS)


def test_images_of_8_bits_and_damaged_ones_are_refused(tmp_path):
    folder = write(tmp_path / "a", np.ones((8, 8)), np.ones((8, 8)))
    damaged = folder / "MDepth-00000001.png"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnusableFile, match="undecodable: MDepth-00000001.png"):
        depth.read_depth(folder, OPTIONS)
    damaged.write_bytes(b"")
    with pytest.raises(UnusableFile, match="empty: MDepth-00000001.png"):
        depth.read_depth(folder, OPTIONS)
    Image.fromarray(np.ones((8, 8), np.uint8)).save(damaged)
    with pytest.raises(UnusableFile, match="'L'; expected is one channel of 16 bits"):
        depth.read_depth(folder, OPTIONS)
    file = tmp_path / "a.avi"
    file.write_bytes(b"x")
    with pytest.raises(UnusableFile, match="depth is a folder of 16-bit PNG"):
        depth.read_depth(file, OPTIONS)
