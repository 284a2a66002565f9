"""The runners in examples/: what goes wrong at their door, and what they print."""

import json
import subprocess
import sys
from importlib.util import find_spec

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
    for name in ("broken.npz", "broken.npy", "broken.avi"):
        for content in (b"", b"PK\x03\x04 cut off"):
            (tmp_path / name).write_bytes(content)
            word = f"{'' if name.endswith('z') else 'rgb='}{tmp_path / name}"
            with pytest.raises(SystemExit, match="The clip cannot be read: "):
                clip.read_clip([word], FACTS)


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


# What a runner does without. LiteRT's falls back on TensorFlow where it is alone here.
OURS = ("jaxact", "input_pipeline")
JAX = (*OURS, "jax", "jaxlib", "flax", "orbax")
WITHOUT = {
    "stablehlo": (*OURS, "flax", "orbax", "tensorflow"),
    "savedmodel": JAX,
    "tflite": (*JAX, *(("tensorflow",) if find_spec("ai_edge_litert") else ())),
    "onnx": (*JAX, "tensorflow"),
}


def run(kind, folder, *words):
    """Runs a runner where what it does without cannot be imported."""
    for name in WITHOUT[kind]:
        (folder / "without").mkdir(exist_ok=True)
        said = f"raise ImportError('{name} is not here')"
        (folder / "without" / f"{name}.py").write_text(said)
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / f"run_{kind}.py"), "out", *words],
        cwd=folder,
        env={
            "PATH": "",
            "PYTHONPATH": str(folder / "without"),
            "JAX_PLATFORMS": "cpu",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
        capture_output=True,
        text=True,
    )


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
def test_runners_say_what_jax_says_and_what_is_wrong(model, tmp_path, kind, module):  # noqa: F811
    pytest.importorskip(module)
    experiment, variables, clips = model
    export(model, tmp_path / "out", kind)
    logits = experiment.model.build().apply(variables, clips, train=False)["logits"]
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for clip in range(2):
        np.savez(tmp_path / "clip.npz", rgb=clips["rgb"][clip])
        done = run(kind, tmp_path, "clip.npz")
        assert done.returncode == 0, done.stderr
        lines = [line.split() for line in done.stdout.splitlines()]
        assert len(lines) == tiny.CLASSES
        assert lines[0][1] == LABELS[int(np.argmax(logits[clip]))]
        for percent, label in lines:
            score = 100 * wanted[clip, LABELS.index(label)]
            assert float(percent.rstrip("%")) == pytest.approx(score, abs=0.06)
    right = clips["rgb"][0]
    shape = list(right.shape)
    for wrong, said in (
        (right[:1], f"Got rgb uint8{[1, *shape[1:]]}; the model reads uint8{shape} "),
        (right / 255, f"Got rgb float64{shape}; the model reads uint8{shape} "),
    ):
        np.save(tmp_path / "wrong.npy", wrong)
        done = run(kind, tmp_path, "rgb=wrong.npy")
        assert done.returncode == 1 and not done.stdout
        assert done.stderr.splitlines()[-1].startswith(said), done.stderr
        assert "Traceback" not in done.stderr
