"""Any table to a manifest."""

import csv
import re

import pytest

from input_pipeline.builders.clips import Clips
from input_pipeline.conversions import table
from input_pipeline.encode import EncodeOptions

SEGMENTS = (
    "recording,first,stop,tag,who\na,3,9,walk1,p1\na,9,20,sit,p2\nb,0,8,walk2,p1\n"
)
COLUMNS = ["ir=raw/{recording}.npy", "start_frame={first}", "end_frame={stop}"]
COLUMNS += ["label={tag}", "person={who}"]


def run(folder, *more, columns=COLUMNS, text=SEGMENTS):
    (folder / "set").mkdir(exist_ok=True)
    (folder / "set/segments.csv").write_text(text)
    files = ["--table", f"{folder}/set/segments.csv", "--out", f"{folder}/o/m.csv"]
    table.main([*columns, *files, *more])
    with (folder / "o/m.csv").open() as file:
        return [*csv.reader(file)]


def test_a_table_of_segments_becomes_a_manifest(tmp_path):
    rows = run(tmp_path, "--rename", "label", "walk1=walk", "walk2=walk")
    assert rows == [
        ["ir", "start_frame", "end_frame", "label", "person"],
        ["../set/raw/a.npy", "3", "9", "walk", "p1"],
        ["../set/raw/a.npy", "9", "20", "sit", "p2"],
        ["../set/raw/b.npy", "0", "8", "walk", "p1"],
    ]
    manifest, options = tmp_path / "o/m.csv", EncodeOptions(("ir",))
    clips = Clips(raw=manifest, options=options, data_dir=tmp_path, allow_outside=True)
    assert clips.classes == ["sit", "walk"] and len(clips.clips()) == 3


def test_lines_can_be_left_out_and_other_separators_read(tmp_path):
    rows = run(tmp_path, "--where", "who=p1", text=SEGMENTS.replace(",", ";"))
    assert [row[3] for row in rows] == ["label", "walk1", "walk2"]


@pytest.mark.parametrize(
    ("columns", "more", "message"),
    [
        (
            ["ir={file}", "label={tag}"],
            [],
            "has no column 'file'; it has recording, fi",
        ),
        (
            ["ir={recording}", "tag={tag}"],
            [],
            "A manifest has no column 'tag'; it may ",
        ),
        (["label={tag}"], [], "No column names a file: give one of rgb, ir"),
        (COLUMNS, ["--where", "who=p9"], "No line of .* is as --where wants it"),
        (
            COLUMNS,
            ["--rename", "label", "run=walk"],
            "names 'run', which no line has as",
        ),
        (COLUMNS, ["--rename", "day", "a=b"], "--rename is of the column 'day', which"),
        (["ir"], [], "Got 'ir'; expected COLUMN=TEXT"),
    ],
)
def test_wrong_commands_say_what_there_is(tmp_path, capsys, columns, more, message):
    with pytest.raises(SystemExit):
        run(tmp_path, *more, columns=columns)
    assert re.search(message, capsys.readouterr().err)


def test_rows_of_another_length_are_named(tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path, text=SEGMENTS + "b,1\n")
    assert "line 5: it has not as many cells as the header" in capsys.readouterr().err
