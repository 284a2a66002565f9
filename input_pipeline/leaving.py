"""How the commands that make data end where a person can mend what is wrong."""

import sys
from typing import NoReturn

# As of the scripts (`jaxact.errors`): a mistake in the call, the config or the data.
EXIT_USER_ERROR = 2


def die(message: object) -> NoReturn:
    """Print one paragraph on stderr and end the program with `EXIT_USER_ERROR`."""
    print(f"error: {message}", file=sys.stderr, flush=True)
    sys.exit(EXIT_USER_ERROR)
