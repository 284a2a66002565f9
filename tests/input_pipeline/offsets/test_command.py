"""python -m input_pipeline.offsets: what is printed and how it ends."""

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


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--rgb", "RGB"], "Give files of two streams"),
        (["--rgb", "RGB", "--ir", "gone.mkv"], "missing: there is no such file"),
        (["--rgb", "RGB", "--ir", "IR", "--ir_rate", "-1"], "--ir_rate is -1"),
        (["--rgb", "RGB", "--ir", "IR", "--within", "0"], "--within is 0"),
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
