"""What a run may be continued with."""

import types

import pytest

from jaxact import config, errors
from jaxact.run import checks
from tests import tiny


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"choose_on": "zzz"},
            "'zzz' .* which eval.choose_on names; it has .*choose_on",
        ),
        (
            {"split": "zzz"},
            "'zzz' of protocol 'p', which eval.split names; it has train",
        ),
    ],
)
def test_a_split_without_clips_is_named_by_its_key(values, message):
    counts = {"train": 3, "test": 2, "val": 0}
    facts = types.SimpleNamespace(num_clips=counts, name="d", protocol="p")
    experiment = tiny.experiment(**{f"eval.{k}": v for k, v in values.items()})
    with pytest.raises(errors.UserError, match=message):
        checks.in_training(experiment, facts)
    chosen = checks.in_training(tiny.experiment(**{"eval.choose_on": "train"}), facts)
    assert chosen.eval.split == "train"


def test_a_value_that_did_not_exist_then_does_not_block_a_continuation():
    experiment = tiny.experiment()
    stored = config.config_text(experiment).replace("optim.clip_norm = 0.0\n", "")
    checks.check_same_config(stored, experiment, "here")
    experiment.optim.clip_norm = 1.0
    with pytest.raises(errors.UserError, match="clip_norm: was absent, now 1.0"):
        checks.check_same_config(stored, experiment, "here")
    # One that does not exist any more had an effect then.
    with pytest.raises(errors.UserError, match="optim.ema: was 0.9, now absent"):
        checks.check_same_config(stored + "optim.ema = 0.9\n", experiment, "here")


@pytest.mark.parametrize(
    ("of_data", "message"),
    [
        (("a", "c", "b"), "class 1 is 'b', the data set's 'c'"),
        (("a", "b"), "class 2 is 'c', the data set's none"),
        (("a", "b", "c", "d"), "class 3 is none, the data set's 'd'"),
    ],
)
def test_other_labels_are_refused(of_data, message):
    with pytest.raises(errors.UserError, match=message):
        checks.check_labels(("a", "b", "c"), of_data)


def test_the_same_labels_and_none_are_fine():
    checks.check_labels(("a", "b"), ("a", "b"))
    checks.check_labels((), ("a", "b"))
