"""What the benchmarks' command lines take."""

import argparse
from collections.abc import Callable


def at_least(least: int) -> Callable[[str], int]:
    """Returns a type of argparse: a whole number that is no smaller."""

    def number(text: str) -> int:
        value = int(text)  # argparse names a text that is no number
        if value < least:
            raise argparse.ArgumentTypeError(f"it is {value}; expected {least} or more")
        return value

    number.__name__ = "int"  # as argparse calls it
    return number
