"""The runners in examples/: what goes wrong at their door, and what they print."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests import tiny
from tests.export.test_convert import LABELS, export, model  # noqa: F401
from tests.paths import ROOT

FACTS = {
    "format_version": 1,
    "kind": "onnx",
    "batch": 2,
    "inputs": {
        "rgb": {"shape": [2, 4, 4, 3], "axes": "t h w c", "dtype": "uint8"}
        | {"values": "intensities, 0 to 255"}
    },
    "sampling": {"test_resize": 4},
    "labels": LABELS,
}


@pytest.fixture
def clip(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    import clip

    return clip


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "Got a clip of nothing; the model reads rgb."),
        ({"ir": np.zeros(1)}, "Got a clip of ir; the model reads rgb."),
        (
            {"rgb": np.zeros((2, 4, 4, 3))},
            "Got rgb float64[2, 4, 4, 3]; the model reads uint8[2, 4, 4, 3] (t h w c; "
            "intensities, 0 to 255).",
        ),
        (
            {"rgb": np.zeros((2, 4, 4, 1), np.uint8)},
            "Got rgb uint8[2, 4, 4, 1]; the model reads uint8[2, 4, 4, 3] (t h w c; "
            "intensities, 0 to 255).",
        ),
    ],
)
def test_a_wrong_clip_gets_a_sentence(clip, tmp_path, arrays, message):
    np.savez(tmp_path / "clip.npz", **arrays)
    with pytest.raises(SystemExit) as error:
        clip.read_clip([str(tmp_path / "clip.npz")], FACTS)
    assert error.value.code == message


def test_a_folder_of_another_kind_gets_a_sentence(clip, tmp_path):
    with pytest.raises(SystemExit, match="has no model.json"):
        clip.description(str(tmp_path), "onnx")
    (tmp_path / "model.json").write_text(json.dumps(FACTS))
    assert clip.description(str(tmp_path), "onnx") == FACTS
    with pytest.raises(SystemExit, match="holds 'onnx', version 1; .* reads 'tflite'"):
        clip.description(str(tmp_path), "tflite")
    with pytest.raises(SystemExit, match="cannot be read: .*No such file"):
        clip.read_clip(["rgb=none.npy"], FACTS)
    with pytest.raises(SystemExit, match="Got 'ir=x.avi'; expected clip.npz, or rgb="):
        clip.read_clip(["ir=x.avi"], FACTS)


def test_a_video_is_sampled_at_the_middle_of_equal_parts(clip, tmp_path):
    import av

    # Frame i of 8 is grey 30 i; of two halves the middle frames are 2 and 6.
    with av.open(str(tmp_path / "v.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 16, 8, "yuv444p"
        for index in range(8):
            image = np.full((8, 16, 3), 30 * index, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv444p")))
        container.mux(stream.encode())
    found = clip.read_clip([f"rgb={tmp_path / 'v.mkv'}"], FACTS)["rgb"]
    assert found.shape == (2, 4, 4, 3)
    np.testing.assert_allclose(found[0], 60, atol=2)
    np.testing.assert_allclose(found[1], 180, atol=2)


def test_the_best_classes_are_printed(clip, capsys):
    clip.show(np.array([0.2, 0.7, 0.1]), FACTS, top=2)
    assert capsys.readouterr().out == "  70.0%  green\n  20.0%  red\n"
    batch = clip.batched({"rgb": np.arange(3)}, FACTS)
    assert batch["rgb"].tolist() == [[0, 1, 2], [0, 1, 2]]


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "module"),
    [
        ("stablehlo", "jax"),
        ("savedmodel", "tensorflow"),
        ("tflite", "tensorflow"),
        ("onnx", "jax2onnx"),
    ],
)
def test_runners_name_the_class_that_jax_names(model, tmp_path, kind, module):  # noqa: F811
    pytest.importorskip(module)
    experiment, variables, clips = model
    export(model, tmp_path / "out", kind)
    np.savez(tmp_path / "clip.npz", rgb=clips["rgb"][1])
    runner = ROOT / "examples" / f"run_{kind}.py"
    words = [sys.executable, str(runner), str(tmp_path / "out"), "clip.npz"]
    environment = {"PATH": "", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        words, cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    out = experiment.model.build().apply(variables, clips, train=False)
    best = LABELS[int(np.argmax(out["logits"][1]))]
    lines = done.stdout.splitlines()
    assert len(lines) == tiny.CLASSES and lines[0].split()[-1] == best
