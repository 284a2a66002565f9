"""Videos in batches: crop, flip and truth of a staged clip."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from input_pipeline import records
from input_pipeline.config import DataConfig, DataConfigError
from input_pipeline.pipeline import (
    eval_batches,
    train_batches,
)
from tests.input_pipeline import tiny
from tests.input_pipeline.test_pipeline import spec, take


def staged(width: int, frames: int) -> records.Video:
    """A bright band from 40 % to 60 % of the width, box and all, on a dark frame."""
    image = np.zeros((width * 4 // 5, width, 3), np.uint8)
    image[:, width * 2 // 5 : width * 3 // 5] = 255
    box = np.tile(np.array([0, 0.4, 1, 0.6], np.float32), (frames, 1))
    return records.Video(
        [tiny.jpeg(image)] * frames,
        *image.shape[:2],
        actor_visible=np.ones(frames, bool),
        actor_box=box,
    )


def infrared(video: records.Video) -> records.Video:
    video.frames = [
        tiny.jpeg(tf.io.decode_jpeg(frame, channels=1).numpy())
        for frame in video.frames
    ]
    return video


def band(frames: np.ndarray) -> np.ndarray:
    """Where the bright columns begin and end, as fractions of the width [t 2]."""
    bright = frames[..., 0].mean(1) > 127
    width = bright.shape[-1]
    return np.stack(
        [bright.argmax(-1) / width, 1 - bright[:, ::-1].argmax(-1) / width], -1
    )


@pytest.fixture(scope="module")
def staged_root(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    clips = [
        records.Record(
            f"s{i}",
            0,
            difficulty=2,
            streams={"rgb": staged(160, 9), "ir": infrared(staged(100, 5))},
        )
        for i in range(8)
    ]
    tiny.write(path, clips, 4, truth=True)
    return path


def staged_config(root, **changes) -> DataConfig:
    sizes = {"resize_min": 42, "resize_max": 50, "test_resize": 44}
    return tiny.config(root, **(sizes | changes))


# Lenses of the whole field of view and of the inner half of it, either way.
WIDE = [[0.5, 0, 0.5, 0], [0, -0.5, 0.5, 0]]
NARROW = [[1, 0, 0.5, 0], [0, -1, 0.5, 0]]
SQUARE = {"rgb": spec(3, 40, 40, 3), "ir": spec(3, 40, 40, 1)}


def test_streams_share_crop_and_flip(staged_root):
    shared = take(train_batches(staged_config(staged_root), SQUARE, 4, seed=0), 4)
    bands = [(band(b["rgb"][i]), band(b["ir"][i])) for b in shared for i in range(4)]
    for rgb, ir in bands:
        np.testing.assert_allclose(rgb, ir, atol=0.06)
    # They do move about: it is not that every crop is the same.
    assert np.ptp([rgb[0, 0] for rgb, _ in bands]) > 0.2
    apart = staged_config(staged_root, shared_crop=False, shared_flip=False)
    shared = take(train_batches(apart, SQUARE, 4, seed=0), 4)
    differ = [
        np.abs(band(b["rgb"][i]) - band(b["ir"][i])).max()
        for b in shared
        for i in range(4)
    ]
    assert max(differ) > 0.2


def test_truth_follows_the_crop_in_evaluation(staged_root):
    batch = next(eval_batches(staged_config(staged_root), SQUARE, "test", 4))
    assert batch["actor_visible"].shape == (4, 6) and batch["actor_visible"].all()
    assert batch["actor_box"].shape == (4, 6, 4)
    assert batch["difficulty"].tolist() == [2] * 4
    for i in range(4):
        seen = np.concatenate([band(batch["rgb"][i]), band(batch["ir"][i])])
        np.testing.assert_allclose(batch["actor_box"][i][:, [1, 3]], seen, atol=0.04)


def test_crops_are_taken_of_what_both_sensors_see(staged_root, tmp_path):
    shutil.copytree(staged_root, tmp_path / "data")
    config = staged_config(tmp_path / "data", common_view=True)
    with pytest.raises(DataConfigError, match="does not know its cameras. lenses"):
        next(eval_batches(config, SQUARE, "test", 4))
    (path,) = tmp_path.glob("data/*/*/dataset.json")
    facts = json.loads(path.read_text())
    seen = {"-1": {"rgb": WIDE, "ir": NARROW}}
    facts["streams"]["skeleton"] = {"joints": tiny.JOINTS, "lenses": seen}
    path.write_text(json.dumps(facts))
    batch = next(eval_batches(config, SQUARE, "test", 4))
    # Of colour's 128 x 160 pixels 64 x 80 are in view, from row 32 and column 40 on;
    # 58 x 58 of them are shown, from column 51 on. The band is columns 64 to 96.
    colour, infrared = [(64 - 51) / 58, (96 - 51) / 58], [26.5 / 73, 46.5 / 73]
    np.testing.assert_allclose(band(batch["rgb"][0]), [colour] * 3, atol=0.03)
    np.testing.assert_allclose(band(batch["ir"][0]), [infrared] * 3, atol=0.03)
    want = [colour] * 3 + [infrared] * 3
    np.testing.assert_allclose(batch["actor_box"][0][:, [1, 3]], want, atol=0.01)
    # In training, too: no crop shows what lies outside.
    for seen in take(train_batches(config, SQUARE, 4, seed=0), 2):
        widths = [np.ptp(band(video)[0]) for video in seen["rgb"]]
        assert min(widths) > 0.3  # 32 of at most 64 columns; else of at most 128
