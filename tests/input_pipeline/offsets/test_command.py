"""python -m input_pipeline.offsets: what is printed and how it ends."""

import numpy as np
import pytest

from input_pipeline.offsets.__main__ import main
from tests.input_pipeline import recorded


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    return recorded.stage(tmp_path_factory.mktemp("minutes"), 180, 20)


def test_files_and_manifest(staged, tmp_path, capsys):
    out = ["--out", str(tmp_path), "--within", "20"]
    main(["--rgb", str(staged.rgb), "--ir", str(staged.ir), *out])
    said = capsys.readouterr().out
    assert said.startswith("rgb.mp4, ir.mkv: ir_offset 2.")
    assert abs(float(said.split()[3]) - 2.7) < 0.1
    assert (tmp_path / "recording_ir.svg").read_text().startswith("<svg")
    main(["--manifest", str(staged.manifest), *out])
    assert capsys.readouterr().out == said.replace("recording_ir", "000_ir")


def test_raw_values_of_a_size_that_is_said(tmp_path, capsys):
    random = np.random.default_rng(0)
    moves = (random.random(150) < 0.4).repeat(10)
    last = np.maximum.accumulate(np.where(moves, np.arange(1500), 0))
    levels = 1000 * random.random(1500)[last]  # another one while something moves
    values = np.broadcast_to(levels[:, None, None], (1500, 9, 11))
    np.save(tmp_path / "a.npy", values)
    values[20:].astype("<u2").tofile(tmp_path / "a.y16")
    files = ["--rgb", str(tmp_path / "a.npy"), "--ir", str(tmp_path / "a.y16")]
    files += ["--rgb_rate", "8", "--ir_rate", "8", "--out", str(tmp_path)]
    main([*files, "--frame_size", "ir=11x9", "--within", "60"])
    assert capsys.readouterr().out.startswith("a.npy, a.y16: ir_offset 2.50 ")


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--rgb", "RGB"], "Give files of two streams"),
        (["--rgb", "RGB", "--ir", "gone.mkv"], "missing: there is no such file"),
        (["--rgb", "RGB", "--ir", "IR", "--ir_rate", "-1"], "--ir_rate is -1"),
        (["--rgb", "RGB", "--ir", "IR", "--within", "0"], "--within is 0"),
        (["--rgb", "RGB", "--ir", "IR", "--frame_size", "8x8"], "frame size is '8x8'"),
        (["--manifest", "gone.csv"], "The manifest gone.csv does not exist"),
    ],
)
def test_what_cannot_be_compared(staged, arguments, match, capsys):
    names = {"RGB": str(staged.rgb), "IR": str(staged.ir)}
    with pytest.raises(SystemExit) as ended:
        main([names.get(argument, argument) for argument in arguments])
    assert ended.value.code == 2 and match in capsys.readouterr().err


def test_what_cannot_be_told(staged, tmp_path, capsys):
    still = recorded.write(
        tmp_path / "still.mkv", 300, 8, image=lambda i: recorded.image_of(0)
    )
    with pytest.raises(SystemExit) as ended:
        main(["--rgb", str(staged.rgb), "--ir", str(still), "--out", str(tmp_path)])
    assert ended.value.code == 1 and "cannot tell: " in capsys.readouterr().out
