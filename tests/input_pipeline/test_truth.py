"""Ground truth in training: it goes where crop, flip and choice of frames go."""

import itertools
import types

import numpy as np
import pytest

from input_pipeline import records
from input_pipeline.config import DataConfigError
from input_pipeline.pipeline import train_batches
from tests.input_pipeline import tiny

INPUTS = {
    "rgb": types.SimpleNamespace(shape=(3, 40, 40, 3), dtype=np.uint8),
    "ir": types.SimpleNamespace(shape=(3, 40, 40, 1), dtype=np.uint8),
}


def walking(width: int, frames: int, channels: int, side: int) -> records.Video:
    """A bright band that walks through the left half; every other frame is dark."""
    start = 0.05 + 0.3 * np.arange(frames) / frames
    images = np.zeros((frames, width * 4 // 5, width, channels), np.uint8)
    visible = np.arange(frames) % 2 == side
    for i in np.flatnonzero(visible):
        columns = slice(round(start[i] * width), round((start[i] + 0.2) * width))
        images[i, :, columns] = 255
    zero, one = np.zeros(frames), np.ones(frames)
    box = np.stack([zero, start, one, start + 0.2], -1).astype(np.float32)
    return records.Video(
        [tiny.jpeg(image) for image in images],
        *images.shape[1:3],
        actor_visible=visible,
        actor_box=np.where(visible[:, None], box, np.float32(0)),
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    clips = [
        records.Record(
            f"w{i}",
            i % 3,
            streams={
                "rgb": walking(160, 18, 3, 0),
                "ir": walking(100, 11, 1, 1),
            },
            difficulty=i % 4,
        )
        for i in range(8)
    ]
    tiny.write(path, clips, 2, truth=True)
    return path


def config(root, **changes):
    sizes = {"resize_min": 42, "resize_max": 50, "test_resize": 44, "truth": True}
    return tiny.config(root, **(sizes | changes))


@pytest.mark.parametrize(
    "changes",
    [{}, {"shared_crop": False, "shared_flip": False, "shared_time": False}],
    ids=["shared", "apart"],
)
def test_truth_follows_crop_flip_and_frames(root, changes):
    batches = train_batches(config(root, **changes), INPUTS, 4, seed=3)
    seen, left, right = 0, 0, 0
    for batch in itertools.islice(batches, 6):
        assert batch["actor_visible"].shape == (4, 6)
        assert batch["difficulty"].tolist() == (batch["id"] % 4).tolist()
        frames = np.concatenate(
            [batch["rgb"][..., 0], batch["ir"][..., 0]], 1
        )  # [b s*t h w]
        bright = frames.mean(2) > 127  # [b s*t w]
        for b, f in np.ndindex(4, 6):
            box, columns = batch["actor_box"][b, f], np.flatnonzero(bright[b, f])
            if not batch["actor_visible"][b, f]:
                # What is left of a band at the very edge may not be bright enough.
                assert len(columns) <= 1 and not box.any()
                continue
            if box[3] - box[1] < 0.08:
                continue
            edges = np.array([columns[0], columns[-1] + 1]) / 40
            np.testing.assert_allclose(box[[1, 3]], edges, atol=0.05)
            seen += 1
            left, right = left + (box[3] < 0.5), right + (box[1] > 0.5)
    # Both kinds of frames came, and both sides: a band on the right was mirrored.
    assert 30 < seen < 110 and left > 5 and right > 5


def test_truth_is_asked_for_where_there_is_one(root, tmp_path):
    plain = next(train_batches(config(root, truth=False), INPUTS, 4, seed=3))
    asked = next(train_batches(config(root), INPUTS, 4, seed=3))
    assert set(asked) - set(plain) == {"actor_visible", "actor_box", "difficulty"}
    for key, array in plain.items():  # nothing else is drawn for it
        np.testing.assert_array_equal(array, asked[key])
    tiny.write(tmp_path, [tiny.clip(i) for i in range(5)], 1)
    with pytest.raises(DataConfigError, match=r"data.truth .* 'tiny' has none"):
        train_batches(config(tmp_path), INPUTS, 2, seed=0)
