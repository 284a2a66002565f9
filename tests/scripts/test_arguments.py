"""The benchmarks' command lines refuse numbers that mean nothing, in a line."""

import argparse

import pytest

from benchmarks.arguments import at_least


@pytest.mark.parametrize(
    ("text", "least", "message"),
    [
        ("-3", 0, "argument --turns: it is -3; expected 0 or more"),
        ("0", 1, "argument --turns: it is 0; expected 1 or more"),
        ("two", 1, "argument --turns: invalid int value: 'two'"),
    ],
)
def test_numbers_that_are_too_small(capsys, text, least, message):
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=at_least(least))
    with pytest.raises(SystemExit) as caught:
        parser.parse_args([f"--turns={text}"])
    assert caught.value.code == 2 and message in capsys.readouterr().err
    assert parser.parse_args([f"--turns={least}"]).turns == least
