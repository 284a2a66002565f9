"""A timeline's files, line by line."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from jaxact import errors
from jaxact.report.timeline import files
from jaxact.report.timeline.merging import Moment
from jaxact.report.timeline.segments import Segment

CLASSES = ["sit down", 'a <b>, "c"']


def jpeg(value):
    buffer = io.BytesIO()
    Image.fromarray(np.full((40, 60), value, np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def write(line):
    scores = np.array([0.25, 0.75])
    line.moment(Moment(0, 500_000, scores, 2))
    line.moment(Moment(500_000, 1_000_000, None, 0))
    line.event(400_000, "ir", "stalled: it ended")
    line.segment(Segment(0, 500_000, 1, 0.75))
    line.segment(Segment(3_723_004_000, 3_724_000_000, 0, 0.5))


def test_the_files_by_hand(tmp_path):
    with files.TimelineFiles(tmp_path / "new", CLASSES, {"rgb": "a.avi"}) as line:
        write(line)
    folder = tmp_path / "new"
    assert (folder / "timeline.csv").read_text() == (
        "start,end,class,score\n"
        '0.000,0.500,"a <b>, ""c""",0.7500\n'
        "3723.004,3724.000,sit down,0.5000\n"
    )
    assert (folder / "timeline.srt").read_text() == (
        '1\n00:00:00,000 --> 00:00:00,500\na \u2039b\u203a, "c" (75%)\n\n'
        "2\n01:02:03,004 --> 01:02:04,000\nsit down (50%)\n\n"
    )
    whole = json.loads((folder / "timeline.json").read_text())
    assert whole["format"] == "jaxact-timeline/1" and whole["rgb"] == "a.avi"
    assert whole["classes"] == CLASSES
    assert whole["moments"] == [
        {
            "start": 0,
            "end": 500_000,
            "windows": 2,
            "scores": {CLASSES[1]: 0.75, CLASSES[0]: 0.25},
        },
        {"start": 500_000, "end": 1_000_000, "windows": 0},
    ]
    assert whole["segments"][0] == {
        "start": 0,
        "end": 500_000,
        "score": 0.75,
        "class": CLASSES[1],
    }
    (event,) = whole["events"]
    assert event == {"at": 400_000, "stream": "ir", "text": "stalled: it ended"}
    assert "a.avi" in (folder / "timeline.html").read_text()
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_kill_loses_the_last_lines_at_most(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(files.time, "monotonic", lambda: now[0])
    line = files.TimelineFiles(tmp_path, CLASSES, {"rgb": "a.avi"}).__enter__()
    write(line)
    assert (tmp_path / "timeline.jsonl").read_text() == ""
    now[0] = 1.5
    line.event(0, "", "a second later")
    lines = (tmp_path / "timeline.jsonl").read_text().splitlines()
    assert [next(iter(json.loads(text))) for text in lines] == [
        *("moment", "moment", "event", "segment", "segment", "event")
    ]
    assert (tmp_path / "timeline.csv").read_text().count("\n") == 3
    assert not (tmp_path / "timeline.json").exists()
    now[0] = 31.0
    line.event(0, "", "half a minute later")
    assert len(json.loads((tmp_path / "timeline.json").read_text())["events"]) == 3
    line.__exit__()


def test_stills_are_few_and_even():
    stills = files.Stills(most=8, side=20)
    for second in range(100):
        stills.add(second, jpeg(second))
    times = [at for at, _ in stills.taken]
    assert 4 <= len(times) <= 8 and times[0] == 0
    assert set(np.diff(times)) == {16}
    assert stills.taken[0][1].startswith("data:image/webp;base64,")


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.UserError, match="Nothing can be written to"):
        with files.TimelineFiles(tmp_path / "file", CLASSES, {}):
            pass


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0, "00:00:00.000"),
        (59_999_600, "00:01:00.000"),
        (3_723_004_000, "01:02:03.004"),
    ],
)
def test_clock(microseconds, text):
    assert files.clock(microseconds) == text
