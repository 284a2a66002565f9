"""Words about a raw file that is read, though not quite as it lies there.

A reader calls `note`; who reads a clip may listen (`listening`), and need not.
"""

import contextlib
import contextvars
from collections.abc import Iterator

_heard: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar("heard")


def note(kind: str, detail: str) -> None:
    """Say of the file at hand "KIND: DETAIL"; `prepare` counts clips by their kind."""
    heard = _heard.get(None)
    if heard is not None:
        heard.append(f"{kind}: {detail}")


@contextlib.contextmanager
def listening() -> Iterator[list[str]]:
    """Yield a list to which everything that is noted meanwhile is added."""
    heard: list[str] = []
    token = _heard.set(heard)
    try:
        yield heard
    finally:
        _heard.reset(token)
