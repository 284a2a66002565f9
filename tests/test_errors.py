"""Which error ends a script with which exit code."""

import pytest

from jaxact import config, errors


def test_friendly_ends_with_the_documented_codes(capsys):
    def fail(error):
        raise error

    for error, code in (
        (errors.UserError("bad"), 2),
        (config.ConfigError("bad"), 2),
        (KeyError("known here"), 2),
        (errors.NotFiniteError("bad"), 3),
    ):
        with pytest.raises(SystemExit) as stop:
            errors.friendly(fail, KeyError)(error)
        assert stop.value.code == code
    with pytest.raises(ZeroDivisionError):
        errors.friendly(fail)(ZeroDivisionError())


def test_the_first_line_of_an_error_has_its_type_and_no_more_than_160_characters():
    assert errors.first_line(ValueError("bad\nand long")) == "ValueError: bad"
    assert errors.first_line(KeyError()) == "KeyError: "
    assert errors.first_line(OSError("x" * 161)) == "OSError: " + "x" * 160
