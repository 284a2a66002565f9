"""What is odd about a data set is said by `prepare`, a line each, with the names."""

import os

import numpy as np
import pytest

from input_pipeline.encode import Clip
from input_pipeline.formats.levels import Scaling
from input_pipeline.prepare import __main__ as command
from input_pipeline.prepare import doubts, plan


def clips(*entries: tuple[str, int, str]) -> list[Clip]:
    """Clips of (name, label, split), each of its own file that is not there."""
    return [Clip(n, i, {"rgb": f"/no/{n}"}, {"manifest": s}) for n, i, s in entries]


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["Walk", "walk"], "'Walk', 'walk'"),
        (["caf\u00e9", "cafe\u0301"], r"'caf\xe9', 'cafe\u0301'"),
        (["walk", "walk\u200b"], r"'walk', 'walk\u200b'"),
        (["walk", "\ufeffwalk"], r"'walk', '\ufeffwalk'"),
        (["walk dog", "walk\u00a0dog"], r"'walk dog', 'walk\xa0dog'"),
        (["walk dog", "walk  dog", "walk_dog"], "'walk dog', 'walk  dog', 'walk_dog'"),
        (["ﬁght", "fight"], r"'\ufb01ght', 'fight'"),
        (["Straße", "STRASSE"], r"'Stra\xdfe', 'STRASSE'"),
        (["walk", "w\u0430lk"], r"'walk', 'w\u0430lk'"),  # a Cyrillic a
        (["so\u00adft", "soft"], r"'so\xadft', 'soft'"),
    ],
)
def test_classes_that_look_alike(names, shown):
    every = [(f"c{i}", i, "train") for i in range(len(names) + 1)]
    every.append(("d", 0, "test"))
    (line,) = doubts.of_clips([*names, "jump"], clips(*every))
    assert f"The classes {shown} differ only in case" in line


def test_classes_that_differ_are_not_said_to_look_alike():
    names = [
        "walk",
        "wall",
        "wälk",
        "1",
        "11",
        "put on",
        "put off",
        "歩く",
        "走る",
        "a",
        "b",
    ]
    every = [(f"c{i}", i, "train") for i in range(len(names))]
    every.append(("d", 0, "test"))
    assert doubts.of_clips(names, clips(*every)) == []


def test_classes_without_a_training_clip():
    made = clips(("a", 0, "train"), ("b", 1, "test"), ("c", 2, "val"))
    (line,) = doubts.of_clips(["run", "sit", "jump"], made)
    assert line == (
        "2 of 3 classes have no training clip in protocol 'manifest': 'sit', 'jump'."
    )
    names = [f"class{i}" for i in range(20)]
    (line,) = doubts.of_clips(names, clips(("a", 0, "train"), ("b", 0, "test")))
    assert line.startswith("19 of 20") and line.endswith("'class8' and 11 more.")


def test_a_protocol_of_training_or_of_test_clips_alone():
    entries = [("a", 0, "train"), ("b", 0, "train"), ("c", 0, "val")]
    assert doubts.of_clips(["x"], clips(*entries)) == [
        "Protocol 'manifest' has no test clip, only 2 train, 1 val: nothing can be "
        "evaluated on it, but with --config.eval.split."
    ]
    # That no class has a training clip goes without saying.
    assert doubts.of_clips(["x", "y"], clips(("a", 0, "test"), ("b", 1, "test"))) == [
        "Protocol 'manifest' has no train clip, only 2 test: nothing can be trained on "
        "it."
    ]


def test_one_file_under_two_splits(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    os.link(tmp_path / "a", tmp_path / "hard")
    (tmp_path / "soft").symlink_to(tmp_path / "b")

    def clip(name: str, file: str, split: str, stream: str = "rgb") -> Clip:
        return Clip(name, 0, {stream: tmp_path / file}, {"manifest": split})

    made = [clip("1", "a", "train"), clip("2", "hard", "test"), clip("3", "b", "val")]
    made += [clip("4", "soft", "train"), clip("5", "c", "test"), clip("6", "c", "test")]
    made += [clip("7", "gone", "train"), clip("8", "./gone", "test")]
    made += [clip("9", "c", "train", "ir")]  # as another stream: no clip of that one
    (line,) = doubts.of_clips(["run"], made)
    assert line == (
        "3 files are in two splits of protocol 'manifest', so that what is tested was "
        "trained on: 1 (train) = 2 (test), 3 (val) = 4 (train), 7 (train) = 8 (test)."
    )


def test_two_clips_of_one_name_are_refused():
    with pytest.raises(plan.PrepareError, match="2 clips are called 'a'; expected a n"):
        plan.check_names(clips(("a", 0, "train"), ("b", 0, "test"), ("a", 0, "test")))


def test_prepare_says_what_readers_noted(tmp_path, capsys):
    points = np.random.default_rng(0).uniform(0.01, 1, (10, 17, 3))
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", points)
    points[..., 2] += 3
    np.save(tmp_path / "c.npy", points)
    (tmp_path / "m.csv").write_text(
        "skeleton,label,split\na.npy,walk,train\nb.npy,Walk,test\nc.npy,walk,test\n"
    )
    arguments = ["clips", "--manifest", str(tmp_path / "m.csv"), "--layout", "coco"]
    command.main([*arguments, "--out", str(tmp_path / "out"), "--workers", "1"])
    said = [
        line.removeprefix("Warning: ")
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("Warning: ")
    ]
    assert len(said) == 6
    assert said[0].startswith("The classes 'Walk', 'walk' differ only in case")
    assert "1 of 2 classes have no training clip" in said[1] and "'Walk'" in said[1]
    assert said[2].startswith("2 clips: z looks like a score: ")
    (table,) = tmp_path.glob("out/clips/*/noted.csv")
    assert f"(so in a; all are in {table})" in said[2]
    # What will not hold of the splits: tests/input_pipeline/test_split_doubts.py.
    assert "fewer than 10 training clips, 'Walk' (0), 'walk' (1)" in said[3]
    assert "fewer than 5 test clips" in said[4] and "(b = a)" in said[5]
    rows = table.read_text().splitlines()
    assert rows[0] == "name,note" and [row[:2] for row in rows[1:]] == ["a,", "b,"]


def test_one_file_as_two_streams_is_a_line_of_warning(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    pairs = [("a", "b"), ("a", "link"), ("b#0", "b#1"), ("gone", "gone")]
    clips = [
        Clip(str(i), 0, {"rgb": tmp_path / x, "ir": tmp_path / y}, {})
        for i, (x, y) in enumerate(pairs)
    ]
    assert doubts.of_clips(["x"], clips) == [
        "In 2 clips one file is two streams: 1 (rgb = ir), 3 (rgb = ir)."
    ]


def test_a_scaling_of_a_stream_that_is_not_there():
    scaled = {"rgb": Scaling.parse("fixed:20:40")}
    assert doubts.of_scalings(scaled, {"ir": {}}) == [
        "The scaling has no effect: it is of rgb, and the set has ir."
    ]
    assert doubts.of_scalings(scaled, {"rgb": {"scaling": "fixed:20:40"}}) == []


def test_a_column_that_is_empty_in_all_lines_is_a_line_of_warning():
    made = clips(("a", 0, "train"), ("b", 0, "test"))
    assert doubts.of_clips(["x"], made, ("rgb", "depth")) == [
        "No clip has the stream depth."
    ]
