"""How the commands that make data end."""

import pytest

from input_pipeline import leaving
from jaxact import errors


def test_commands_end_as_the_scripts_do(capsys):
    with pytest.raises(SystemExit) as caught:
        leaving.die(ValueError("Got 3; expected 4."))
    assert caught.value.code == 2 == errors.EXIT_USER_ERROR
    assert capsys.readouterr() == ("", "error: Got 3; expected 4.\n")
