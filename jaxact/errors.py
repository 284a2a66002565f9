"""Errors a person can mend, and how the scripts show them: one paragraph, no traceback.

Exit codes of the scripts: 0 done; 1 a fault of the program, with its traceback;
2 a mistake in the call, the config, the data or the weights; 3 a loss that is not
finite; 128 + n stopped by signal n (143 SIGTERM, 130 SIGINT) after saving.
"""

import functools
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags

from jaxact import config as config_lib

EXIT_USER_ERROR = 2
EXIT_NOT_FINITE = 3


class UserError(Exception):
    """Says what was got, what was expected and how to mend it."""


class NotFiniteError(UserError):
    """The loss or the gradient is no number any more; training must stop."""


def friendly(main: Callable[..., Any], *also: type[Exception]) -> Callable[..., Any]:
    """Wraps a script's main so that user errors end it with a paragraph.

    Args:
      main: the function to wrap.
      *also: further exception types whose message is meant for the person.
    """
    known = (UserError, config_lib.ConfigError, *also)

    @functools.wraps(main)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return main(*args, **kwargs)
        except NotFiniteError as error:
            _die(error, EXIT_NOT_FINITE)
        except known as error:
            _die(error, EXIT_USER_ERROR)

    return wrapped


def parse_flags(argv: Sequence[str]) -> list[str]:
    """Parses the command line for ``absl.app.run``; a wrong one ends the program.

    ``--config.KEY=VALUE`` is tried on the config first, because absl answers an
    unknown key with a traceback.
    """
    try:
        check_overrides(argv)
        return flags.FLAGS(list(argv))
    except (flags.Error, config_lib.ConfigError) as error:
        _die(error, EXIT_USER_ERROR)


def check_overrides(argv: Sequence[str]) -> None:
    """Applies the ``--config...`` arguments to a throw-away copy of the experiment.

    Raises:
      ConfigError: no such file or key, or a value of another type.
    """
    path, overrides = "", {}
    words = iter(argv[1:])
    for word in words:
        name, has_value, value = word.lstrip("-").partition("=")
        if not word.startswith("-") or name.partition(".")[0] != "config":
            continue
        if not has_value:  # "--config FILE": the value is the next word
            value = next(words, "")
        if name == "config":
            path = value
        else:
            overrides[name.removeprefix("config.")] = value
    if not path:
        if overrides:
            raise config_lib.ConfigError(
                "--config.KEY=VALUE needs a config to change. Add "
                "--config FILE, for example --config configs/demo_stafusion.py."
            )
        return
    config_lib.load_experiment(path, overrides)


def _die(error: Exception, code: int) -> Any:
    paragraphs = str(error).strip("'\"").split("\n")
    text = "\n".join(
        line if line.startswith(" ") else textwrap.fill(line, 88) for line in paragraphs
    )
    print(f"\nError: {text}", file=sys.stderr, flush=True)
    sys.exit(code)
