"""The page of a model whose streams fail."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from jaxact.errors import UserError
from jaxact.report import robustness

FIGURES = {
    "clips": 80,
    "top1": 0.8125,
    "confidence": 0.9,
    "calibration_error": 0.0875,
    "sure_and_wrong": 0.05,
}
FOUND = {
    **dict(experiment="a <model>", checkpoint="runs/a/checkpoints/7", clips=80),
    "classes": 4,
    **dict(dataset="tiny 1.0.0", protocol="xsub", split="test"),
    **dict(share_of_frames=1.0, share_of_clips=0.25),
    "failures": {"noisy": "normal noise"},
    "rows": [
        {"stream": "", "failure": "none", "strength": 0.0, **FIGURES}
        | {"examples": {"ir": np.ones((8, 4, 6, 1), np.uint8)}},
        {"stream": "ir", "failure": "noisy", "strength": 0.3, **FIGURES}
        | {"clips": 60, "top1": 0.25, "change": -0.55, "interval": [-0.655, -0.4375]}
        | {"example": np.zeros((8, 4, 6, 1), np.uint8)},
        {
            **{"stream": "ir", "failure": "missing", "strength": 1.0},
            "refused": "It needs <all>.",
        },
    ],
}


def test_the_page_and_the_figures(tmp_path):
    page = robustness.write(tmp_path / "new", FOUND)
    text = page.read_text(encoding="utf-8")
    assert "a &lt;model&gt;" in text and "It needs &lt;all&gt;." in text
    assert "<model>" not in text and "<all>" not in text
    # Top-1 of .25 is a bar of 105 of 420.
    assert text.count('width="105.0" height="11.2"') == 1
    # In each row, right without the failure on the same clips: .8125, .25 + .55.
    for share in (0.8125, 0.8):
        assert text.count(f'class="grid" d="M{190 + 420 * share:.1f} ') == 1
    assert text.count("81.2\u2009%") == 1 and "ir noisy 0.3" in text
    assert text.count("<img") == 2 and 'alt="ir noisy 0.3"' in text
    assert 'alt="ir as it is"' in text
    assert text.count("-55.0 (-65.5 to -43.8)") == 1
    stored = json.loads((tmp_path / "new" / "robustness.json").read_text())
    plain = [
        {k: v for k, v in row.items() if not k.startswith("example")}
        for row in FOUND["rows"]
    ]
    assert stored["rows"] == plain and stored["format"] == robustness.FORMAT


def test_four_frames_of_a_clip_from_the_first_to_the_last():
    """Of eight, whose pixels are 0, 30, ... 210: the first, third, sixth and last."""
    clip = np.broadcast_to(
        30 * np.arange(8, dtype=np.uint8)[:, None, None, None], (8, 6, 12, 1)
    )
    data = robustness.strip(clip).partition("base64,")[2]
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("L"))
    assert sheet.shape == (72, 4 * 146 - 2)
    middles = sheet[36, 72::146].astype(int)
    np.testing.assert_allclose(middles, [0, 60, 150, 210], atol=6)
    for kind in (np.uint16, np.int16):
        channels = 15 if kind == np.int16 else 1
        assert robustness.strip(np.ones((4, 6, 6, channels), kind))


def test_the_table_in_words():
    head, whole, noisy, missing = robustness.text(FOUND).splitlines()
    assert head.split()[:3] == ["clips", "Top-1", "mean"]
    assert whole.split() == ["nothing", "fails", "80", "81.2%", "90.0%", "8.8%", "5.0%"]
    assert noisy.split()[:5] == ["ir", "noisy", "0.3", "60", "25.0%"]
    assert noisy.endswith("-55.0 (-65.5 to -43.8)")
    assert missing.split() == ["ir", "missing", "It", "needs", "<all>."]


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Nothing can be written"):
        robustness.write(tmp_path / "file" / "x", FOUND)
