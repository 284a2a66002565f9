"""Two models on the same clips: differences, intervals and tests by hand."""

import json
import math

import numpy as np
import pytest

from jaxact import __main__ as command
from jaxact.errors import UserError
from jaxact.report import compare, predictions, write_report
from tests.report.test_predictions import CLASSES, FIRST, SECOND, evaluation, write


@pytest.mark.parametrize(
    ("a", "b", "p"),
    [
        (1, 7, 2 * (1 + 8) / 2**8),
        (7, 1, 2 * (1 + 8) / 2**8),
        (0, 5, 2 / 2**5),
        (3, 3, 1.0),
        (0, 0, 1.0),
        # The table of McNemar's test in Agresti's book: 86 against 150.
        (86, 150, sum(math.comb(236, i) for i in range(87)) / 2**235),
    ],
)
def test_mcnemar_by_hand(a, b, p):
    assert compare.mcnemar(a, b) == pytest.approx(p, rel=1e-9)


def test_mcnemar_of_many_clips_is_the_normal_one():
    # (b - a) / sqrt(a + b) = 2 standard deviations, p = 0.0455.
    assert compare.mcnemar(4900, 5100) == pytest.approx(0.0466, abs=0.002)


def test_bootstrap_has_the_closed_form_s_width():
    a, b, n = 60, 100, 1000
    low, high = compare.bootstrap(a, b, n)
    # A clip is +1, -1 or 0: variance of the mean (a + b - (b - a)^2 / n) / n^2.
    spread = math.sqrt(a + b - (b - a) ** 2 / n) / n
    assert low == pytest.approx(0.04 - 1.96 * spread, abs=0.0012)
    assert high == pytest.approx(0.04 + 1.96 * spread, abs=0.0012)
    assert compare.bootstrap(0, 0, 10) == (0.0, 0.0)
    # It is the bootstrap over clips itself.
    clips = np.repeat([-1, 1, 0], [a, b, n - a - b])
    rng = np.random.default_rng(1)
    means = [rng.choice(clips, n).mean() for _ in range(4000)]
    expected = np.percentile(means, [2.5, 97.5])
    np.testing.assert_allclose([low, high], expected, atol=0.003)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    one = write(folder / "a", FIRST)
    # Its clips come in another order; they are joined by id.
    other = write(folder / "b", SECOND, order=(2, 0, 1), experiment="differences")
    return folder, one, other


def test_comparison_by_hand(two):
    _, one, other = two
    found = compare.compare(one, other)
    # Clip 11 is right in the first alone, clip 5 in the second alone, clip 7 in both.
    assert found["right"] == {
        "both": 1, "first_only": 1, "second_only": 1, "neither": 0,
    }  # fmt: skip
    assert found["top1"] == [2 / 3, 2 / 3] and found["difference"] == 0
    assert found["p"] == 1.0
    assert found["confusion"][0] == [[1, 0, 0], [1, 0, 0], [0, 0, 1]]
    assert found["confusion"][1] == [[1, 0, 0], [0, 1, 0], [1, 0, 0]]
    difference = [[0, 0, 0], [-1, 1, 0], [1, 0, -1]]
    assert found["confusion_difference"] == difference
    assert found["one_right"]["first_only"] == [
        {"id": 11, "name": "clip 11", "true": "wave", "predicted": ["wave", "sit"]}
    ]
    assert [clip["id"] for clip in found["one_right"]["second_only"]] == [5]


def test_chosen_classes_and_the_others(two):
    _, one, other = two
    found = compare.compare(one, other, ["wave"])
    assert found["classes"] == ["wave", "others"]
    assert found["confusion"] == [[[1, 0], [0, 2]], [[0, 1], [0, 2]]]
    assert sum(map(sum, found["confusion"][1])) == found["clips"]
    assert compare.compare(one, other, CLASSES)["classes"] == list(CLASSES)
    with pytest.raises(UserError, match="no classes run; the classes are sit, stand"):
        compare.compare(one, other, ["run", "sit"])


def test_the_command_writes_a_page(two, tmp_path, capsys):
    folder, *_ = two
    out = tmp_path / "out"
    words = ["compare", str(folder / "a"), str(folder / "b"), "--classes", "sit, wave"]
    command.main([*words, "--out", str(out)])
    said = capsys.readouterr().out
    assert "+0.00 points, 95 % interval" in said and "McNemar's p = 1" in said
    assert json.loads((out / "compare.json").read_text())["clips"] == 3
    page = (out / "compare.html").read_text()
    assert page.count("<svg") == 3 and "differences against colours" in page
    assert "clip 11" in page and "clip 5" in page and "<script" not in page
    # Figure 5's two matrices stand beside one another.
    assert page.index('class="broad pair"') < page.index("<svg")

    # evaluate.py --show takes the clips from there.
    first = f"{out / 'compare.json'}#first_only"
    assert compare.shown_clips(["wave", first, "clip 7"]) == (
        "wave",
        "clip 11",
        "clip 7",
    )


@pytest.mark.parametrize(
    ("content", "key", "said"),
    [
        (None, "first_only", "No such file"),
        ({"one_right": {"first_only": []}}, "first_only", "no clip that this model"),
        ({"one_right": {"first_only": []}}, "first", "#first_only or #second_only"),
        ([], "first_only", "#first_only or #second_only"),
    ],
)
def test_what_names_no_clips_is_told(content, key, said, tmp_path):
    path = tmp_path / "compare.json"
    if content is not None:
        path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=said):
        compare.shown_clips([f"{path}#{key}"])


def test_other_clips_are_refused(two, tmp_path):
    _, one, _ = two
    write_report(tmp_path, evaluation(SECOND, ids=np.array([7, 5, 12])))
    with pytest.raises(UserError, match="not of the same clips"):
        compare.compare(one, predictions.read(tmp_path))
