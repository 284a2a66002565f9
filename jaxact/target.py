"""For which platform a program is made: that of the devices here, or another."""

import contextlib
import contextvars
from collections.abc import Iterator

import jax

_PLATFORM: contextvars.ContextVar[str] = contextvars.ContextVar("platform", default="")


def platform() -> str:
    """Returns "cpu", "gpu" or "tpu"; what is computed in several ways asks here."""
    return _PLATFORM.get() or jax.default_backend()


@contextlib.contextmanager
def compiling_for(name: str) -> Iterator[None]:
    """What is traced inside is made for devices of this platform, wherever it runs."""
    token = _PLATFORM.set(name)
    try:
        yield
    finally:
        _PLATFORM.reset(token)
