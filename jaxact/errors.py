"""Errors a person can mend, and how the scripts show them: one paragraph, no traceback.

Exit codes of the scripts: 0 done; 1 a fault of the program, with its traceback;
2 a mistake in the call, the config, the data or the weights; 3 a loss that is not
finite; 128 + n stopped by signal n (143 SIGTERM, 130 SIGINT) after saving.
"""

import functools
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import jax

from jaxact import config as config_lib

EXIT_FAULT = 1
EXIT_USER_ERROR = 2
EXIT_NOT_FINITE = 3


class UserError(Exception):
    """Says what was got, what was expected and how to mend it."""


class NotFiniteError(UserError):
    """The loss or the gradient is no number any more; training must stop."""

    def advised(self, workdir: Any, steps: list[int]) -> "NotFiniteError":
        """Returns the error with what can be done, given the checkpoints' steps."""
        return NotFiniteError(
            f"{self} Training has stopped; the last good checkpoints in "
            f"{workdir / 'checkpoints'} are of the steps {steps}. Lower optim.lr, set "
            "optim.clip_norm, or look at the data; then train in another --workdir, "
            f"with --config.train.init_from={workdir} to keep these weights."
        )


def friendly(main: Callable[..., Any], *also: type[Exception]) -> Callable[..., Any]:
    """Wraps a script's main so that user errors end it with a paragraph.

    Args:
      main: the function to wrap.
      *also: further exception types whose message is meant for the person.
    """
    known: tuple[type[Exception], ...] = (UserError, config_lib.ConfigError, *also)

    @functools.wraps(main)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return main(*args, **kwargs)
        except NotFiniteError as error:
            die(error, EXIT_NOT_FINITE)
        except known as error:
            die(error, EXIT_USER_ERROR)
        except Exception:
            if not jax.distributed.is_initialized():
                raise
            traceback.print_exc()
            print(
                "\nIf another process of this run ended first, its output says why.",
                file=sys.stderr,
            )
            _leave(EXIT_FAULT)

    return wrapped


def first_line(error: BaseException) -> str:
    """Returns an error's type and the first line of its message, of 160 at most."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:160]}"


def die(error: Exception, code: int) -> NoReturn:
    """Prints the message on stderr and ends the program.

    Lines are left as they are: a command in the message can be copied whole.
    """
    print(f"\nError: {error}", file=sys.stderr, flush=True)
    _leave(code)


def _leave(code: int) -> NoReturn:
    """Ends the program; of several processes, without waiting for the others.

    They may wait for this one, and then both would for minutes.
    """
    if jax.distributed.is_initialized():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
