"""The studies behind the README's tables: their rows, their figures, their tables."""

import json

import numpy as np
import pytest

from input_pipeline.dataset import DatasetError
from jaxact.report import Evaluation, predictions, write_report
from results import paired, study, tables

CLASSES = ["sit down", "stand up", "wave"]


def small(**fields):
    return study.Study(name="small", config="", recipe={}, **fields)


def reported(folder, scores, labels):
    scores = np.asarray(scores, np.float32)
    count = len(labels)
    evaluation = Evaluation(
        experiment=folder.name,
        classes=CLASSES,
        ids=np.arange(count),
        names=[f"clip{i}" for i in range(count)],
        labels=np.asarray(labels),
        scores=scores,
        difficulty=np.asarray([0, 2, 3, 0]),
        difficulty_names=["occluded", "dark_rgb"],
    )
    write_report(folder, evaluation)
    return folder


@pytest.mark.parametrize("one", tables.STUDIES, ids=lambda one: one.name)
def test_every_network_of_a_study_is_one_that_can_be_built(one):
    folders = {}
    for row in one.rows:
        for network in one.networks(row):
            spec = one.experiment(network, seed=2)
            assert spec.train.seed == 2 and one.name.startswith(spec.data.name)
            spec.model.build()
            folders[one.folder(network, 2)] = network
    # Different networks never share a folder.
    assert len(folders) == len({str(network) for network in folders.values()})


def test_figures_by_hand_of_one_network_and_of_an_average(tmp_path, monkeypatch):
    a = reported(
        tmp_path / "a",
        [[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.2, 0.2, 0.6], [0.5, 0.1, 0.4]],
        labels=[0, 1, 2, 2],
    )
    b = reported(
        tmp_path / "b",
        [[0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.5, 0.1, 0.4]],
        labels=[0, 1, 2, 2],
    )
    monkeypatch.setattr(study, "evaluated", lambda _, network, seed: network[1]["at"])
    given = small(
        rows={"one": ("", {"at": a}), "both": (("", {"at": a}), ("", {"at": b}))},
        classes={"ordered": CLASSES[:2]},
        difficulties=("dark_rgb",),
    )
    (one,), (both,) = study.run(given, "one", 0), study.run(given, "both", 1)
    assert one["top1"] == 0.5 and one["top5"] == 1.0
    assert one["top1/ordered"] == 0.5  # clips 0 and 1; the first is right
    assert one["top1/dark_rgb"] == 0.5  # clips 1 and 2; the second is right
    assert both["top1"] == 0.75 and both["top1/ordered"] == 1.0
    assert both["row"] == "both" and both["seed"] == 1


def test_a_row_that_is_no_network_stands_beside_them_with_every_seed(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(study, "DATA", tmp_path)
    a = reported(tmp_path / "a", np.eye(3)[[0, 1, 1, 0]], labels=[0, 1, 2, 2])
    b = reported(tmp_path / "b", np.eye(3)[[0, 1, 2, 0]], labels=[0, 1, 2, 2])
    monkeypatch.setattr(study, "evaluated", lambda *_: b)
    given = small(
        rows={"network": ("", {})},
        beside={"machine": lambda: predictions.read(a)},
        against="machine",
    )
    lines = [
        line
        for row in ("machine", "network")
        for seed in (0, 1)
        for line in study.run(given, row, seed)
    ]
    given.data.write_text("".join(json.dumps(each) + "\n" for each in lines))
    machine, network = study.table(given).split("\n")[2:]
    assert machine == "| machine | 50.0 ± 0.0 | 100.0 ± 0.0 | 2 |  |"
    assert network.startswith("| network | 75.0 ± 0.0 | 100.0 ± 0.0 | 2 | +25.0 (")


def test_a_finished_row_counts_once_and_the_table_says_mean_and_spread(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(study, "DATA", tmp_path)
    path = tmp_path / "small.jsonl"
    line = '{{"row": "one", "seed": {}, "top1": {}, "top5": 1.0}}\n'
    path.write_text(line.format(0, 0.9) + line.format(0, 0.5) + line.format(1, 0.7))
    runs = study.read(path)
    assert [(run["seed"], run["top1"]) for run in runs] == [(0, 0.5), (1, 0.7)]
    given = small(rows={"one": ("", {}), "not yet": ("", {})})
    head, _, row = study.table(given).split("\n")
    assert head == "| | Top-1 % | Top-5 % | seeds |"
    assert row == "| one | 60.0 ± 14.1 | 100.0 ± 0.0 | 2 |"
    with path.open("a") as file:  # what else was found, of a row that has it
        file.write('{"row": "two", "seed": 0, "top1": 1, "top5": 1, "kept": 0.25}\n')
    rows = {"one": ("", {}), "two": ("", {})}
    given = small(rows=rows, columns={"kept": "kept %"})
    head, _, *found = study.table(given).split("\n")
    assert head == "| | Top-1 % | Top-5 % | kept % | seeds |"
    assert found == [
        "| one | 60.0 ± 14.1 | 100.0 ± 0.0 |  | 2 |",
        "| two | 100.0 | 100.0 | 25.0 | 1 |",
    ]


@pytest.mark.parametrize("answer", ["student", "both"])
def test_teacher_and_both_have_lines_below_the_student_s(answer, tmp_path, monkeypatch):
    monkeypatch.setattr(study, "DATA", tmp_path)
    student, teacher = np.float32(
        [
            [[0.9, 0.1, 0], [0, 0.9, 0.1], [0, 0.5, 0.5]],
            [[0.8, 0.1, 0.1], [0.6, 0.4, 0], [0, 0.4, 0.6]],
        ]
    )
    branches = {"teacher": teacher}
    if answer == "both":
        branches["student"] = student
    evaluation = Evaluation(
        experiment="e",
        classes=CLASSES,
        ids=np.arange(3),
        names=list("abc"),
        labels=np.asarray([0, 1, 2]),
        scores=student if answer == "student" else (student + teacher) / 2,
        branches=branches,
    )
    write_report(tmp_path / "run", evaluation)
    monkeypatch.setattr(study, "evaluated", lambda *_: tmp_path / "run")
    given = small(rows={"one": ("", {})}, taught=True, against="one")
    lines = study.run(given, "one", 0)
    assert [(each["row"], round(3 * each["top1"])) for each in lines] == [
        ("one", 2),
        ("one: its teacher", 2),
        ("one: with its teacher", 3),
    ]
    given.data.write_text("".join(json.dumps(each) + "\n" for each in lines))
    rows = study.table(given).split("\n")[2:]
    assert [row.split(" | ")[0] for row in rows] == [
        "| one",
        "| one: its teacher",
        "| one: with its teacher",
    ]
    assert rows[2].startswith("| one: with its teacher | 100.0 |")


def test_a_network_that_starts_from_a_row_is_given_that_rows_run(monkeypatch):
    first, second = ("baseline", {}), ("", {"train.init_from": "<first>"})
    given = study.Study(
        name="synthetic_small",
        config="configs/demo_stafusion.py",
        recipe={"train.init_from": "runs/before"},
        rows={"first": first, "second": second},
        pretraining={"runs/before": first, "runs/nobody": second},
    )
    for seed in (0, 3):
        spec = given.experiment(second, seed)
        assert spec.train.init_from == str(given.folder(first, seed))
    assert given.experiment(first, 0).train.init_from == "runs/before"
    trained = []
    monkeypatch.setattr(study, "reported", lambda spec, folder: trained.append(folder))
    study.evaluated(given, second, 3)
    assert trained == [given.folder(first, 3), given.folder(second, 3)]
    trained.clear()
    given.pretrain(["second"])  # which needs it by the first
    assert [str(each) for each in trained] == ["runs/before"]


def test_each_row_may_be_compared_with_one_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "DATA", tmp_path)
    rights = {"plain": [0, 0, 1, 1], "first": [1, 0, 1, 1], "second": [1, 1, 1, 1]}
    with (tmp_path / "small.jsonl").open("w") as file:
        for row, right in rights.items():
            bits = paired.packed(np.asarray(right) > 0, np.arange(4))
            entry = {"row": row, "top1": np.mean(right), "top5": 1.0, "clips": 4}
            for seed in range(2):
                line = entry | {"seed": seed, paired.RIGHT: bits}
                file.write(json.dumps(line) + "\n")
    given = small(
        rows=dict.fromkeys(rights, ("", {})),
        against={"first": "plain", "second": "first"},
    )
    head, _, *lines = study.table(given).split("\n")
    assert head.endswith("| points above another row (95 % interval) |")
    last = [line.split("|")[-2].strip() for line in lines]
    assert last[0] == ""
    assert last[1].startswith("+25.0 (") and last[1].endswith("), plain")
    assert last[2].startswith("+25.0 (") and last[2].endswith("), first")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--seeds", "0"], "--seeds is 0; expected 1 or more"),
        (["--part", "x"], "expected two numbers, as 0/2"),
        (["--part", "2/2"], "expected 0/2 to 1/2"),
        (["--rows", "("], "no regular expression"),
        (["--rows", "nothing"], "the rows are one"),
        ([], "small: The data set 'synthetic' is not prepared"),
    ],
)
def test_a_study_that_cannot_be_made_says_why(flags, said, monkeypatch, capsys):
    def missing(*_):
        raise DatasetError("The data set 'synthetic' is not prepared.")

    monkeypatch.setattr(study.Study, "pretrain", missing)
    monkeypatch.setattr("sys.argv", ["small", *flags])
    with pytest.raises(SystemExit) as left:
        study.main(small(rows={"one": ("", {})}))
    assert said in capsys.readouterr().err + str(left.value)
