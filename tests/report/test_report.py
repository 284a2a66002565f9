"""The report: numbers by hand, one safe and whole page, files that replace whole."""

import base64
import html.parser
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from jaxact import metrics, report
from jaxact.errors import UserError
from jaxact.report import numbers, overlays

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


def test_numbers_equal_those_by_hand():
    result = numbers.summarise(whole_evaluation())
    assert (result["clips"], result["views"], result["loss"]) == (4, 3, 0.25)
    assert (result["top1"], result["top5"]) == (0.5, 1.0)
    assert result["mean_class_accuracy"] == pytest.approx((1 + 1 + 0) / 3)
    assert result["confusion"] == [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 0, 0],
    ]
    nasty = result["classes"][2]
    assert (nasty["clips"], nasty["correct"], nasty["accuracy"]) == (2, 0, 0.0)
    assert nasty["most_confused_with"] == {"index": 0, "name": "sit", "clips": 1}
    assert result["classes"][0]["most_confused_with"] is None
    assert [(d["name"], d["clips"], d["top1"]) for d in result["difficulties"]] == [
        ("dark", 2, 0.5),
        (NASTY, 2, 0.0),
        ("none", 1, 1.0),
    ]
    assert [(m["id"], m["probability"]) for m in result["mistakes"]] == [
        (11, 0.9),
        (5, 0.5),
    ]
    assert result["mistakes"][0]["difficulties"] == ["dark", NASTY]
    assert result["mistakes"][1]["probability_of_true"] == 0.2


def test_interval_of_a_share():
    # Wilson's interval of 8 in 10, from its formula with z = 1.96: 0.4901 to 0.9433.
    assert numbers.interval(8, 10) == pytest.approx((0.4901, 0.9433), abs=1e-4)
    assert numbers.interval(0, 5)[0] == 0.0
    assert numbers.interval(5, 5)[1] == 1.0


def test_loss_of_the_scores_where_none_is_given():
    result = numbers.summarise(evaluation())
    expected = -np.log([0.7, 0.6, 0.1, 0.2]).mean()
    assert result["loss"] == pytest.approx(expected)


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


def test_page_is_one_file_and_shows_any_name_as_text(tmp_path):
    path = report.write_report(tmp_path, whole_evaluation())
    text = path.read_text()
    page = Page(text)
    sources = [a for a in page.attributes if a[1] in ("src", "href", "xlink:href")]
    assert [value.split(",")[0] for _, _, value in sources] == [
        "data:image/webp;base64"
    ]
    assert not re.search(r"url\(|@import|https?://", text)
    assert not {"script", "link", "iframe", "b&"} & set(page.tags)
    assert "<b>&" not in text
    assert sum(NASTY in part for part in page.texts) >= 6
    assert page.texts.count(f"dark, {NASTY}") == 2  # of the picture, of the mistake
    assert page.tags.count("svg") == 4  # confusion, loss, accuracy, learning rate


def test_page_without_optional_entries(tmp_path):
    page = Page(report.write_report(tmp_path, evaluation()).read_text())
    assert "img" not in page.tags
    titles = [text for text in page.texts if text.strip() and len(text) < 40]
    assert "Confusion matrix" in titles
    assert not {"Selection against chance", "By difficulty", "Training"} & set(titles)


def test_page_where_numbers_are_missing(tmp_path):
    changes = {
        "difficulty": np.zeros(4, int),
        "difficulty_names": ["dark"],
        "loss": float("inf"),
        "selection": {"region_recall": float("nan"), "region_chance": float("nan")},
    }
    page = Page(report.write_report(tmp_path, evaluation(**changes)).read_text())
    assert page.texts.count("–") >= 4  # the loss, dark's top-1, recall and chance


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


def test_image_in_the_page_is_the_sheet(tmp_path):
    given = whole_evaluation()
    text = report.write_report(tmp_path, given).read_text()
    (encoded,) = re.findall(r'src="data:image/webp;base64,([^"]*)"', text)
    picture = Image.open(io.BytesIO(base64.b64decode(encoded)))
    example = given.examples[0]
    sheet = overlays.selection_sheet(
        example["streams"],
        overlays.Selection(
            example["frame_marks"],
            example["frame_scores"],
            example["keep"],
            example["actor_visible"],
            example["actor_box"],
        ),
    )
    assert picture.size == sheet.size
    difference = np.asarray(picture.convert("RGB"), float) - np.asarray(sheet)
    assert np.abs(difference).mean() < 20  # WebP of noise: lossy, yet the same picture
