"""The staged sets of `results.own_recordings`."""

import numpy as np
from PIL import Image

from results import own_recordings
from tests.input_pipeline import small_set


def test_a_class_is_a_place_that_both_streams_show(tmp_path):
    table = own_recordings.stage_small(tmp_path)
    assert len(table.read_text().splitlines()) == 1 + small_set.CLIPS
    for clip in (0, 71, 85):
        label = small_set.CLASSES.index(small_set.LABELS[clip])
        for stream in ("rgb", "ir"):
            path = tmp_path / stream / f"{clip:03d}" / "2.png"
            picture = np.asarray(Image.open(path).convert("L"), float)[:15, :15]
            places = picture.reshape(3, 5, 3, 5).mean((1, 3)).ravel()
            assert places.argmax() == label
            assert np.sort(places)[-1] > np.sort(places)[-2] + 50
