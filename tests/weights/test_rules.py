"""Layers by torch's names and layouts: every element goes where the equation says."""

import numpy as np
import pytest

from jaxact.weights import rules
from jaxact.weights.keymap import WeightsError


def applied(made, source):
    return {
        rule.target: rule.transform(*(source[n] for n in rule.sources)) for rule in made
    }


def test_dense_kernels_are_transposed():
    source = {"fc.weight": np.arange(6).reshape(2, 3), "fc.bias": np.array([7, 8])}
    found = applied(rules.dense("head", "fc"), source)
    np.testing.assert_array_equal(found["head/kernel"], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(found["head/bias"], [7, 8])
    assert len(rules.dense("head", "fc", bias=False)) == 1


def test_an_image_s_patches_are_divided_over_the_frames():
    weight = np.arange(8.0).reshape(2, 1, 2, 2)  # o i h w
    source = {"p.weight": weight, "p.bias": np.zeros(2)}
    made = rules.patches("embed", "p", 2, {"embed/kernel": None})
    still = [[0, 2], [0.5, 2.5], [1, 3], [1.5, 3.5]]
    np.testing.assert_array_equal(applied(made, source)["embed/kernel"], still + still)


def test_a_stem_of_one_channel_starts_as_the_mean_over_colours():
    source = {"p.weight": np.arange(6.0).reshape(2, 3), "p.bias": np.array([7, 8])}
    params = dict.fromkeys(["in/stem/kernel", "in/stem_1/kernel", "in/stem_1/bias"])
    found = applied(rules.stems("in/stem", "p", np.transpose, params), source)
    np.testing.assert_array_equal(found["in/stem/kernel"], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(found["in/stem_1/kernel"], [[1, 4]])
    np.testing.assert_array_equal(found["in/stem_1/bias"], [7, 8])


@pytest.mark.parametrize(
    ("rank", "shape", "place", "ours"),
    [
        (2, (5, 4, 1, 1, 1), (3, 2, 0, 0, 0), (2, 3)),
        (3, (5, 4, 3, 1, 1), (3, 2, 1, 0, 0), (1, 2, 3)),
        (4, (5, 1, 3, 2, 2), (3, 0, 2, 1, 0), (2, 1, 0, 3)),
        (4, (5, 4, 3, 2), (3, 2, 1, 0), (1, 0, 2, 3)),
        (5, (5, 4, 3, 2, 2), (3, 2, 1, 0, 1), (1, 0, 1, 2, 3)),
    ],
)
def test_one_weight_of_a_convolution_is_found_again(rank, shape, place, ours):
    weight = np.zeros(shape)
    weight[place] = 1
    rule = rules.convolution("conv", "c", rank)
    kernel = applied([rule], {"c.weight": weight})["conv/kernel"]
    assert kernel.ndim == rank
    assert kernel[ours] == 1 and kernel.sum() == 1


def test_a_classifier_of_another_size_stays_fresh():
    source = {"fc.weight": np.zeros((7, 4))}
    params = {"a/head/fc/kernel": np.zeros((4, 7)), "head/kernel": np.zeros((4, 9))}
    found = rules.heads(source, params, ("cls", "fc"))
    assert [rule.target for rule in found] == ["a/head/fc/kernel", "a/head/fc/bias"]
    assert rules.heads({}, params, ("fc",)) == []


def test_a_model_without_such_a_backbone_is_told():
    with pytest.raises(WeightsError, match="begin with a, b"):
        rules.key_map("a ViT", {}, {"b": 0, "a": 0}, [], [], "x")
