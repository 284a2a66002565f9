"""Metrics against numbers worked out by hand."""

import numpy as np
import pytest

from jaxact import metrics

SCORES = np.array(
    [[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.1, 0.3, 0.6], [0.3, 0.4, 0.3]], np.float32
)
LABELS = np.array([0, 1, 1, 2])


def test_top_k():
    assert metrics.top_k(SCORES, LABELS, 1) == (1.0, 4.0)
    # Example 3 ties with class 0, which comes first.
    assert metrics.top_k(SCORES, LABELS, 2) == (3.0, 4.0)
    assert metrics.top_k(SCORES, LABELS, 5) == (4.0, 4.0)


def test_top_1_is_the_diagonal_of_the_confusion_matrix_with_ties():
    scores = np.random.default_rng(0).integers(0, 3, (50, 5)).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 5, 50)
    confusion = metrics.confusion_matrix(labels, scores.argmax(axis=1), 5)
    assert metrics.top_k(scores, labels, 1) == (np.diag(confusion).sum(), 50)


def test_confusion_matrix_has_true_classes_in_rows():
    got = metrics.confusion_matrix(LABELS, SCORES.argmax(axis=1), 3)
    np.testing.assert_array_equal(got, [[1, 0, 0], [1, 0, 1], [0, 1, 0]])


def test_per_class_table():
    confusion = np.array([[3, 1, 0], [1, 1, 0], [0, 0, 0]])
    first, second, third = metrics.per_class(confusion)
    assert first == {
        "examples": 4,
        "predicted": 4,
        "recall": 0.75,
        "precision": 0.75,
        "f1": 0.75,
    }
    assert (second["recall"], second["precision"]) == (0.5, 0.5)
    assert third["examples"] == 0 and np.isnan(third["recall"])


def test_mean_class_accuracy_leaves_out_classes_without_examples():
    confusion = np.array([[3, 1, 0], [1, 1, 0], [0, 0, 0]])
    assert metrics.mean_class_accuracy(confusion) == (0.75 + 0.5) / 2
    assert np.isnan(metrics.mean_class_accuracy(np.zeros((2, 2), int)))


def test_cross_entropy_is_the_mean_of_minus_log_score():
    total, count = metrics.cross_entropy(SCORES, LABELS)
    assert count == 4
    np.testing.assert_allclose(total, -np.log(0.7 * 0.4 * 0.3 * 0.3), rtol=1e-6)
    assert np.isfinite(metrics.cross_entropy(np.array([[0.0, 1.0]]), np.array([0]))[0])


def test_patches_in_box_go_by_their_centres():
    # Two rows, three columns: centres at y = 1/4, 3/4 and x = 1/6, 3/6, 5/6.
    box = np.array([[0.0, 0.4, 0.5, 1.0], [0.0, 0.0, 0.2, 1.0]])
    got = metrics.patches_in_box(box, (2, 3))
    np.testing.assert_array_equal(got, [[0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]])


def selection_case():
    # One clip of four frames, three show the actor; each frame has 1 x 2 patches.
    frame_marks = np.array([[2, 1, 0, 0]])
    visible = np.array([[True, False, True, True]])
    left, nothing = [0.0, 0.0, 1.0, 0.5], [0.0, 0.0, 0.0, 0.0]
    box = np.array([[left, nothing, [0.0, 0.0, 1.0, 1.0], left]])
    keep = np.array([[[True, False], [True, True], [False, False], [False, False]]])
    return frame_marks, keep, visible, box


def test_selection_recall_by_hand():
    got = metrics.summary(metrics.selection_recall(*selection_case(), grid=(1, 2)))
    # Marked: frames 0 and 1, of which frame 0 shows the actor.
    assert got["frame_precision"] == 1 / 2
    assert got["frame_recall"] == 1 / 3
    # Two of four frames at random hit 2 * 3/4 = 1.5 of the three that show the actor.
    assert got["frame_precision_chance"] == 1.5 / 2
    assert got["frame_chance"] == 1.5 / 3
    # Four patches show the actor (1 + 2 + 1), one of them is kept, and a random half
    # of frame 0 would keep half of its one.
    assert got["region_recall"] == 1 / 4
    assert got["region_chance"] == 0.5 / 4
    assert got["marked_region_recall"] == 1.0
    assert got["marked_region_chance"] == 0.5


def test_choosing_everything_is_perfect_recall_and_no_better_than_chance():
    frame_marks, keep, visible, box = selection_case()
    pairs = metrics.selection_recall(
        np.ones_like(frame_marks), np.ones_like(keep), visible, box, (1, 2)
    )
    got = metrics.summary(pairs)
    assert got["frame_recall"] == got["frame_chance"] == 1.0
    assert got["region_recall"] == got["region_chance"] == 1.0
    assert got["frame_precision"] == got["frame_precision_chance"] == 3 / 4


def test_selection_pairs_add_over_batches():
    random = np.random.default_rng(3)
    arrays = (
        random.integers(0, 3, (6, 4)),
        random.random((6, 4, 6)) < 0.5,
        random.random((6, 4)) < 0.7,
        np.sort(random.random((6, 4, 2, 2)), axis=2).reshape(6, 4, 4),
    )
    whole = metrics.selection_recall(*arrays, grid=(2, 3))
    parts: dict = {}
    for rows in (slice(0, 1), slice(1, 4), slice(4, 6)):
        part = metrics.selection_recall(*(a[rows] for a in arrays), grid=(2, 3))
        parts = metrics.add(parts, part)
    assert whole.keys() == parts.keys()
    for name in whole:
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-12)


def test_a_wrong_grid_is_refused():
    with pytest.raises(ValueError, match=r"grid \(2, 2\)"):
        metrics.selection_recall(*selection_case(), grid=(2, 2))


def test_calibration_by_hand():
    """Two clips at .8, one of them right, and one at .6, wrong: (2 x .3 + .6) / 3."""
    scores = np.array([[0.8, 0.2], [0.2, 0.8], [0.6, 0.4]])
    labels = np.array([0, 0, 1])
    error = metrics.calibration_error(scores, labels)
    np.testing.assert_allclose(error, (2 * 0.3 + 0.6) / 3)
    # A score on a border belongs to the range below: .4 and .41 do not mix.
    border = np.array([[0.4, 0.3, 0.3], [0.41, 0.3, 0.29]])
    np.testing.assert_allclose(
        metrics.calibration_error(border, np.array([0, 1])), (0.6 + 0.41) / 2
    )


def test_sure_and_wrong_by_hand():
    scores = np.array([[0.9, 0.1], [0.89, 0.11], [0.95, 0.05], [0.0, 1.0]])
    found = metrics.sure_and_wrong(scores, np.array([1, 1, 0, 0]))
    assert found == (2.0, 4.0)
