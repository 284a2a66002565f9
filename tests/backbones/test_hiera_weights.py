"""Hiera's files: other frames, pre-training, another variant."""

import numpy as np
import pytest

from jaxact.backbones.hiera import Hiera
from jaxact.weights.keymap import WeightsError
from tests.backbones.parity import golden, loaded
from tests.backbones.test_hiera import TINY


def test_positions_in_time_are_interpolated(tmp_path):
    """Three times become two: the means of neighbours, antialiased."""
    stored = golden("hiera")
    stored["weights/pos_embed_temporal"] = np.full((1, 3, 6), [[[1], [2], [6]]], float)
    clip = stored["video"][:, :4]
    variables, report = loaded(Hiera(**TINY), clip, stored, tmp_path)
    assert set(report.resized) == {"backbone/time"}
    time = variables["params"]["time"]
    # Weights of a triangle 1.5 wide around 0.75 and 2.25, places .5, 1.5 and 2.5.
    first = (1 * 1.25 + 2 * 0.75) / 2
    np.testing.assert_allclose(time[0], np.full(6, first), rtol=1e-5)


def test_a_file_of_pre_training(tmp_path):
    stored = golden("hiera")
    stored = {name.replace("/norm.", "/encoder_norm."): x for name, x in stored.items()}
    stored = {name: x for name, x in stored.items() if "/head" not in name}
    stored |= {
        "weights/mask_token": np.zeros((1, 1, 4)),
        "weights/decoder_pos_embed": np.zeros((1, 6, 4)),
        "weights/decoder_blocks.0.norm1.weight": np.zeros(4),
        "weights/multi_scale_fusion_heads.0.weight": np.zeros((4, 6, 1, 4, 4)),
    }
    _, report = loaded(Hiera(**TINY), stored["video"], stored, tmp_path)
    assert set(report.fresh) == {f"backbone/final_norm/{x}" for x in ("scale", "bias")}
    assert len(report.unused) == 6  # four of the decoder, and a norm


def test_another_variant_is_refused(tmp_path):
    stored, model = golden("hiera"), Hiera(**TINY | {"depths": (1, 1, 3)})
    with pytest.raises(WeightsError, match="file has no blocks.4"):
        loaded(model, stored["video"], stored, tmp_path)
