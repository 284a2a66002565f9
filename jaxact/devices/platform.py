"""For which platform a program is made: that of the devices here, or another."""

import contextlib
import contextvars
import functools
import os
import tempfile
from collections.abc import Iterator

import jax

from jaxact import errors

# XLA hands convolutions on CPU to YNNPACK by default, where the gradients of kernels
# take twice as long as in XLA's own (I3D's training: 1.3 times). Reductions and matrix
# products are the better there.
_CPU_OPTIONS = {
    "xla_cpu_experimental_ynn_fusion_type": (
        "LIBRARY_FUSION_TYPE_REDUCE,LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"
    )
}

# What is traced for export holds what every format has: no sorting, no gathering by
# computed places, erf by its rational form. It is no device, and the slowest form.
PORTABLE = "portable"

_PLATFORM: contextvars.ContextVar[str] = contextvars.ContextVar("platform", default="")


def platform() -> str:
    """Returns "cpu", "gpu" or "tpu"; what is computed in several ways asks here.

    Or `PORTABLE`, inside an export.
    """
    return _PLATFORM.get() or jax.default_backend()


def is_portable() -> bool:
    """Says whether what is traced must be such that every export format holds it."""
    return platform() == PORTABLE


@contextlib.contextmanager
def compiling_for(name: str) -> Iterator[None]:
    """What is traced inside is made for devices of this platform, wherever it runs."""
    token = _PLATFORM.set(name)
    try:
        yield
    finally:
        _PLATFORM.reset(token)


def compiler_options() -> dict[str, str]:
    """Returns what `jax.jit` tells the compiler, for whatever holds convolutions."""
    return _known_cpu_options() if platform() == "cpu" else {}


@functools.cache
def _known_cpu_options() -> dict[str, str]:
    """The name of the option is XLA's affair: another release may have none of it."""
    try:
        with jax.default_device(jax.devices("cpu")[0]):
            jax.jit(lambda x: x, compiler_options=_CPU_OPTIONS).lower(0.0).compile()
    except (jax.errors.JaxRuntimeError, ValueError):
        return {}
    return _CPU_OPTIONS


def cache_programs(folder: str) -> None:
    """Keeps compiled programs in a folder for later processes; "": as it was.

    Raises:
      UserError: nothing can be written there.
    """
    if not folder:
        return
    if "://" not in folder:  # JAX itself says no more than a warning, of every program
        try:
            os.makedirs(folder, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise errors.UserError(
                f"train.compilation_cache is {folder!r}, where nothing can be written: "
                f"{error.strerror}. Name a folder that can be, or leave it empty."
            ) from None
    jax.config.update("jax_compilation_cache_dir", folder)
