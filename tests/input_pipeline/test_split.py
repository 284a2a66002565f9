"""A suggested split: nobody on two sides, classes shared out, a manifest written."""

from collections import Counter

import pytest

from input_pipeline import split
from input_pipeline.builders import manifests
from tests.input_pipeline import small_set


def test_people_are_kept_apart_and_classes_shared_out(tmp_path, capsys):
    table = small_set.manifest(tmp_path / "clips.csv", None)
    out = tmp_path / "split.csv"
    split.main([str(table), "--test", "0.3", "--val", "0.2", "--out", str(out)])
    printed = capsys.readouterr().out.splitlines()
    header, rows = manifests.read(out)
    assert header == ["rgb", "ir", "label", "person", "day", "split"]
    sides = {(row["person"], row["split"]) for _, row in rows}
    assert len(sides) == 10  # each person on one side
    assert Counter(s for _, s in sides) == {"train": 5, "test": 3, "val": 2}
    # Seven clips of class walk a person.
    of_walk = Counter(row["split"] for _, row in rows if row["label"] == "walk")
    assert of_walk == {"train": 35, "test": 21, "val": 14}
    assert printed[0].split() == ["train", "test", "val"]
    assert "walk         35      21      14" in printed
    assert "persons       5       3       2" in printed
    # The table is the manifest but for its splits, and gives the same once more.
    assert [row["rgb"] for _, row in rows] == [f"rgb/{i:03d}" for i in range(86)]
    again = split.suggest(rows, "person", 0.3, 0.2)[0]
    assert again == [row["split"] for _, row in rows]


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--test", "1"], "The shares are 1 to test on"),
        (["--by", "recording"], "has no column recording"),
        (
            ["--by", "day", "--val", "0.2"],
            "There are 2 groups by day; each of train, test, val",
        ),
        (["--out", "/elsewhere/split.csv"], "another folder"),
    ],
)
def test_splits_that_cannot_be_made_are_refused(tmp_path, words, match, capsys):
    table = small_set.manifest(tmp_path / "clips.csv", None)
    with pytest.raises(SystemExit):
        split.main([str(table), *words])
    assert match in capsys.readouterr().err
