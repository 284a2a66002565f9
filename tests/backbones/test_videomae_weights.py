"""VideoMAE's files under three namings, of pre-training, and such as do not fit."""

import jax
import numpy as np
import pytest

from jaxact.backbones.videomae import VideoMAE
from jaxact.weights.keymap import WeightsError
from tests.backbones.parity import close, golden, loaded
from tests.backbones.test_videomae import TINY

OFFICIAL = {"layers.0.0": "fc1", "layers.1": "fc2", "embed.projection": "embed.proj"}


def official(stored, prefix=""):
    """The golden weights under the authors' names."""
    found = {}
    for name, array in stored.items():
        if name.startswith("weights/"):
            for theirs, ours in OFFICIAL.items():
                name = name.replace(theirs, ours)
            found[name.replace("backbone.", prefix)] = array
    return found


def hugging_face(stored):
    return {
        name.replace("hf/", "weights/"): array
        for name, array in stored.items()
        if name.startswith("hf/")
    }


def test_logits_equal_hugging_face_s(tmp_path):
    stored = golden("videomae")
    model, video = VideoMAE(**TINY), stored["hf_video"]
    variables, report = loaded(model, video, hugging_face(stored), tmp_path)
    assert not report.fresh and "Hugging Face" in report.source
    token = jax.jit(model.apply)(variables, video)["token"]
    logits = np.asarray(token) @ stored["hf/classifier.weight"].T.astype(np.float32)
    logits += stored["hf/classifier.bias"].astype(np.float32)
    close(logits, stored["hf_logits"])


def test_older_names_of_hugging_face_s_biases(tmp_path):
    stored = hugging_face(golden("videomae"))
    older = {
        name.replace("query.bias", "q_bias").replace("value.bias", "v_bias"): array
        for name, array in stored.items()
    }
    video = golden("videomae")["hf_video"]
    found, _ = loaded(VideoMAE(**TINY), video, stored, tmp_path)
    again, _ = loaded(VideoMAE(**TINY), video, older, tmp_path)
    jax.tree.map(np.testing.assert_array_equal, found, again)


def test_the_authors_names_and_their_pre_training(tmp_path):
    stored = golden("videomae")
    video = stored["video"]
    found, _ = loaded(VideoMAE(**TINY), video, stored, tmp_path)
    again, report = loaded(VideoMAE(**TINY), video, official(stored), tmp_path)
    assert "authors' names" in report.source
    jax.tree.map(np.testing.assert_array_equal, found, again)

    encoder = official(stored, "encoder.")
    encoder = {n.replace("fc_norm", "norm"): array for n, array in encoder.items()}
    encoder |= {
        "weights/mask_token": np.zeros((1, 1, 6)),
        "weights/encoder_to_decoder.weight": np.zeros((6, 12)),
        "weights/decoder.blocks.0.attn.qkv.weight": np.zeros((18, 6)),
    }
    again, report = loaded(VideoMAE(**TINY), video, encoder, tmp_path)
    assert set(report.fresh) == {f"backbone/final_norm/{x}" for x in ("scale", "bias")}
    assert len(report.unused) == 6  # three of the decoder, a norm, the positions
    same = again["params"]["blocks_1"]
    jax.tree.map(np.testing.assert_array_equal, found["params"]["blocks_1"], same)


def test_learnt_positions_are_refused(tmp_path):
    stored = golden("videomae")
    stored["weights/backbone.pos_embed"] = 0.5 + stored["weights/backbone.pos_embed"]
    with pytest.raises(WeightsError, match="learnt positions"):
        loaded(VideoMAE(**TINY), stored["video"], stored, tmp_path)
