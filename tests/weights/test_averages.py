"""Averages of weights beside the weights: which are taken, and that it is said."""

import numpy as np
import pytest

from jaxact.weights import averages, readers
from jaxact.weights.keymap import WeightsError

PLAIN = {"conv.weight": np.zeros(3, np.float32), "fc.bias": np.zeros(2, np.float32)}
MEAN = {name: array + 1 for name, array in PLAIN.items()}
COUNTER = {"bn.num_batches_tracked": np.array(7)}


def chosen(tree, average=False):
    """0 for weights, 1 for averages, under the names of weights; and what was said."""
    arrays, said = readers.state_dict(tree, average)
    arrays = {name: array for name, array in arrays.items() if name not in COUNTER}
    assert arrays.keys() == PLAIN.keys()
    (value,) = {float(array.mean()) for array in arrays.values()}
    return value, " ".join(said)


KEYS = [
    ("state_dict", "state_dict_ema"),  # timm
    ("model", "model_ema"),  # DeiT, VideoMAE
    ("params", "params_ema"),  # BasicSR
    ("model_state", "ema"),
]


@pytest.mark.parametrize(("key", "ema"), KEYS)
def test_averages_under_a_key_of_their_own(key, ema):
    if key != "params":
        both = {"epoch": 3, key: PLAIN, ema: MEAN}
        value, said = chosen(both)
        assert (
            value == 0 and f"under '{ema}'; they are left out. FILE#ema takes" in said
        )
        value, said = chosen(both, average=True)
        assert value == 1 and f"under '{ema}' are taken" in said
    value, said = chosen({"epoch": 3, ema: MEAN})
    assert value == 1 and f"under '{ema}' are taken" in said
    value, said = chosen({"state_dict": PLAIN})
    assert value == 0 and not said


def test_averages_in_a_checkpoint_of_a_checkpoint():
    tree = {"model_ema": {"epoch": 1, "state_dict": MEAN}}
    assert chosen(tree) == (
        1,
        "The averages (EMA) of weights under 'model_ema' are taken.",
    )


def test_mmengine_exchanges_them_when_it_saves():
    tree = {"meta": {}, "state_dict": MEAN, "ema_state_dict": PLAIN}
    assert chosen(tree)[0] == 1 and "mmengine stores the averages" in chosen(tree)[1]
    assert chosen(tree, average=True)[0] == 1


@pytest.mark.parametrize(
    "name",
    [
        lambda name: "ema_" + name.replace(".", "_"),  # mmcv, mmaction
        lambda name: "model_ema." + name,  # Lightning
        lambda name: "ema_model." + name,
    ],
)
def test_averages_among_the_weights(name):
    before = "model." if name("").endswith(".") else ""
    plain = {before + n: array for n, array in PLAIN.items()}
    mixed = plain | {name(n): array for n, array in MEAN.items()} | COUNTER

    def found(average):
        arrays, said = readers.state_dict({"state_dict": mixed}, average)
        assert arrays.keys() == plain.keys() | COUNTER.keys()
        return [float(arrays[n].mean()) for n in plain], said[0]

    values, said = found(average=False)
    assert values == [0, 0] and "left out. FILE#ema takes them" in said
    values, said = found(average=True)
    assert values == [1, 1] and "are taken" in said


@pytest.mark.parametrize("before", ["ema_", "ema."])
def test_nothing_but_averages(before):
    arrays, said = readers.state_dict({before + n: array for n, array in MEAN.items()})
    assert arrays.keys() == MEAN.keys() and "are taken" in said[0]


def test_torch_counts_its_averages():
    tree = {"n_averaged": np.array(5)} | {f"module.{n}": a for n, a in MEAN.items()}
    arrays, said = readers.state_dict(tree)
    assert "n_averaged" not in arrays and said == [
        "The weights are averages (AveragedModel)."
    ]
    assert readers.state_dict(tree, average=True)[0].keys() == arrays.keys()


def test_averages_that_are_not_there():
    with pytest.raises(WeightsError, match="holds no averages of weights, which #ema"):
        readers.state_dict({"state_dict": PLAIN}, True)
    assert averages.SUFFIX == "#ema"


def test_flax_pickles_with_two_trees():
    tree = {"params/a": PLAIN["fc.bias"], "ema_params/a": MEAN["fc.bias"]}
    for average in (False, True):
        arrays, said = readers.state_dict(tree, average)
        assert arrays.keys() == {"params/a"} and len(said) == 1
        assert float(arrays["params/a"].mean()) == average
