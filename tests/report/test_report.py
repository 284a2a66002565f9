"""The report: numbers by hand, one safe and whole page, files that replace whole."""

import html.parser
import json

import numpy as np
import pytest

from jaxact import metrics, report
from jaxact.errors import UserError
from jaxact.report import numbers

NASTY = '<b>&"'


def video(frames=2, height=150, width=150, channels=3, seed=0):
    generator = np.random.default_rng(seed)
    shape = (frames, height, width, channels)
    return generator.integers(40, 256, shape, dtype=np.uint8)


def evaluation(**changes):
    """Four clips of three classes (and one class without clips), two of them right."""
    scores = [[0.7, 0.1, 0.1, 0.1], [0.1, 0.6, 0.2, 0.1], [0.0, 0.9, 0.1, 0.0]]
    scores.append([0.5, 0.2, 0.2, 0.1])
    values = {
        "experiment": "tiny",
        "classes": ["sit", "stand", NASTY, "absent"],
        "ids": np.array([7, 3, 11, 5]),
        "names": ["a", "b", NASTY, "d"],
        "labels": np.array([0, 1, 2, 2]),
        "scores": np.array(scores),
    }
    return report.Evaluation(**(values | changes))


def whole_evaluation():
    marks = np.array([2, 0, 1, 0])
    keep = np.zeros((4, 9), bool)
    keep[0, :5], keep[2, :2] = True, True
    example = {
        "name": NASTY,
        "label": 2,
        "scores": [0.1, 0.2, 0.6, 0.1],
        "streams": {"rgb": video(), "ir": video(channels=1)},
        "frame_marks": marks,
        "frame_scores": np.array([1.0, 0.0, 0.5, 0.25], np.float32),
        "keep": keep,
        "region_scores": keep.astype(np.float32),
        "actor_visible": np.array([True, True, False, True]),
        "actor_box": np.full((4, 4), [0.2, 0.2, 0.8, 0.6]),
        "difficulty": np.int32(3),
    }
    return evaluation(
        checkpoint="runs/tiny/3",
        dataset="synthetic/1.0.0",
        protocol="xview",
        split="test",
        views=3,
        loss=0.25,
        difficulty=np.array([0, 1, 3, 2]),
        difficulty_names=["dark", NASTY],
        selection={"frame_recall": 0.75, "frame_chance": 0.5, "other": 0.1},
        examples=[example],
        history=[
            {"step": 1, "loss": 2.0, "accuracy": 0.25, "lr": 0.01},
            {"step": 2, "loss": float("nan"), "accuracy": 0.5, "lr": 0.001},
            {"step": 2, "eval/top1": np.float32(0.5)},
        ],
        config=f"Experiment(name={NASTY!r})",
    )


# Numbers.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": None}, r"scores \(\) for 4 labels"),
        ({"branches": {"rgb": np.ones((4, 3))}}, r"\(4, 3\) of the branch 'rgb'"),
        ({"labels": [0, 1, 2, 4]}, "from 0 to 4; with 4 classes"),
        ({"classes": ["a", "b"]}, r"scores \(4, 4\) for 4 labels and 2 classes"),
        ({"names": ["a"]}, "1 names for 4 labels"),
        ({"labels": []}, "no clips"),
    ],
)
def test_unfit_evaluations_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        evaluation(**change)


# Files.


class Page(html.parser.HTMLParser):
    """Collects tags, attributes and text; checks that tags close in order."""

    VOID = ("meta", "img", "br", "link", "rect", "circle", "line", "path", "polyline")

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts, self.open = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes.extend((tag, *pair) for pair in attributes)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes.extend((tag, *pair) for pair in attributes)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.parametrize("streams", [("rgb",), ("rgb_diff",), ("rgb", "ir", "flow")])
def test_plain_examples_of_any_streams(tmp_path, streams):
    every = {
        "rgb": video(2, 48, 48),
        "ir": video(3, 48, 48, 1),
        "rgb_diff": np.zeros((2, 48, 48, 15), np.int16),
        "flow": np.zeros((2, 48, 48, 2), np.float32),
    }
    example = {"name": "x", "label": 0, "scores": [0.7, 0.1, 0.1, 0.1]}
    example["streams"] = {name: every[name] for name in streams}
    path = report.write_report(tmp_path, evaluation(examples=[example]))
    page = Page(path.read_text())
    assert page.tags.count("img") == 1
    assert ("not shown: flow" in page.texts) == ("flow" in streams)
    assert not any("Bright regions" in text for text in page.texts)


def test_json_holds_the_numbers(tmp_path):
    report.write_report(tmp_path, whole_evaluation())
    result = json.loads((tmp_path / "report.json").read_text())
    assert result["format"] == numbers.FORMAT
    assert result["top1"] == 0.5
    assert result["selection"] == {
        "frame_recall": 0.75,
        "frame_chance": 0.5,
        "other": 0.1,
    }
    assert result["classes"][3]["accuracy"] is None  # no clips: not a number
    assert result["history"][1]["loss"] is None
    assert result["history"][2] == {"step": 2, "eval/top1": 0.5}


def test_predictions_survive_the_file(tmp_path):
    given = whole_evaluation()
    report.write_report(tmp_path, given)
    with np.load(tmp_path / "predictions.npz", allow_pickle=False) as file:
        stored = dict(file)
    np.testing.assert_array_equal(stored["ids"], given.ids)
    np.testing.assert_array_equal(stored["labels"], given.labels)
    np.testing.assert_array_equal(stored["scores"], np.float32(given.scores))
    assert stored["names"].tolist() == given.names
    assert stored["classes"].tolist() == given.classes
    assert str(stored["dataset"]) == "synthetic/1.0.0"
    top1 = metrics.ratio(metrics.top_k(stored["scores"], stored["labels"], 1))
    assert top1 == 0.5


@pytest.mark.parametrize("broken", ["render", "fsync", "replace"])
def test_failure_leaves_the_former_report(tmp_path, monkeypatch, broken):
    report.write_report(tmp_path, evaluation())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {"report.html", "report.json", "predictions.npz"}

    def fail(*_, **__):
        raise OSError("no space left on device")

    owner = report.html if broken == "render" else report.os
    monkeypatch.setattr(owner, broken, fail)
    # What the disk says can be mended by a person; the page's error cannot.
    kind = OSError if broken == "render" else UserError
    with pytest.raises(kind, match="no space"):
        report.write_report(tmp_path, whole_evaluation())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
