"""``python -m jaxact``: odd values end in a paragraph and exit code 2."""

import pytest

from jaxact import __main__ as command
from jaxact import errors
from tests.paths import ROOT

DAM, STAFUSION = (
    str(ROOT / "configs" / f"demo_{name}.py") for name in ("dam", "stafusion")
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([DAM, "model.frames"], "Got the override 'model.frames'; expected KEY=VALUE"),
        ([DAM, "=3"], "Got the override '=3'; expected KEY=VALUE"),
        ([DAM, "frames=3"], "Experiment has no field 'frames'"),
        ([DAM, "model.frames=0"], "model.frames is 0; expected 1 or more"),
        ([DAM, "model.image_size=-8"], "model.image_size is -8; expected 1 or more"),
        ([DAM, "model.num_classes=0"], "model.num_classes is 0; expected 1 or more"),
        ([DAM, "model.frames=nan"], "got 'nan' of type str, expected int"),
        ([DAM, "--depth", "0"], "--depth is 0; expected 1 or more"),
        ([DAM, "--depth=-1"], "--depth is -1; expected 1 or more"),
        ([STAFUSION, "model.heads=3"], "width must be a multiple of the number of hea"),
        ([STAFUSION, "model.depth=-1"], "model.depth is -1; expected 1 or more"),
        ([str(ROOT / "README.md")], "is no Python file"),
        (["nowhere.py"], "No config file at 'nowhere.py'"),
    ],
)
def test_ledger_with_odd_values(capsys, arguments, message):
    with pytest.raises(SystemExit) as caught:
        errors.friendly(command.main)(["ledger", *arguments])
    said = capsys.readouterr()
    assert caught.value.code == errors.EXIT_USER_ERROR and not said.out
    assert message in said.err and said.err.strip().count("\n") == 0


def test_sizes_that_may_be_none_may(capsys):
    overrides = ["model.key_width=0", "model.value_width=0"]
    command.main(["ledger", DAM, *overrides, "--depth", "1"])
    assert capsys.readouterr().out.splitlines()[-1].startswith("total")
