"""The report's page: one file, safe and whole."""

import base64
import io
import re

import numpy as np
from PIL import Image

from jaxact import report
from jaxact.report import overlays
from tests.report.test_report import NASTY, Page, evaluation, whole_evaluation


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
