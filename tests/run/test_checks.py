"""What a run may be continued with."""

import pytest

from jaxact import config, errors
from jaxact.run import checks
from tests import tiny


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
