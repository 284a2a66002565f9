"""Termination signals: noticed between two steps, so that a run can save and leave."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any, TypeVar

import jax

from jaxact.devices import distributed

# Several processes agree at steps that this divides, and before evaluations: asking
# takes time.
ASK_EVERY = 10
_T = TypeVar("_T")


class Stopped(Exception):
    """What was being done is given up, because a signal came."""

    def __init__(self, code: int):
        super().__init__(code)
        self.code = code


class StopSignal:
    """A context that turns SIGTERM and SIGINT into a question asked between steps.

    A second signal of the same kind acts as it would without this. What must not be
    cut short either, ``last``, is called at the end of the context: a machine that was
    stopped by another's signal may get its own while it still writes.

    Schedulers and Cloud TPU announce with SIGTERM that a machine will be taken away,
    often to one process of several only: all of them ask one another, and stop after
    the same step. (JAX's own preemption service counts from the first question on, and
    never answers in a run that was continued; `distributed.initialize` turns it off.)
    """

    def __init__(self, last: Callable[[], None] = lambda: None) -> None:
        self._last = last
        self._number: int | None = None
        self._former: dict[int, Any] = {}

    def __enter__(self) -> "StopSignal":
        for number in (signal.SIGINT, signal.SIGTERM):
            former = signal.signal(number, self._notice)
            # None: a handler that is not Python's, which Python cannot put back.
            self._former[number] = signal.SIG_DFL if former is None else former
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._last()
        finally:
            for number, handler in self._former.items():
                signal.signal(number, handler)

    def _notice(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._number = number
        signal.signal(number, self._former[number])
        name = signal.Signals(number).name
        # Not by print, which may be what was interrupted; and a pipe's reader, as
        # `tee`, has got the same signal.
        with contextlib.suppress(OSError):
            os.write(1, f"\n{name}: saving, then leaving.\n".encode())

    def exit_code(self, step: int = 0) -> int | None:
        """Returns 128 + signal number if any process was told to stop, else None.

        All processes must ask, with the same steps; 0 is answered in any case.
        """
        if jax.process_count() > 1 and step % ASK_EVERY:
            return None
        if distributed.any_process(self._number is not None):
            return 128 + (self._number or signal.SIGTERM)
        return None

    def until_stopped(self, items: Iterable[_T]) -> Iterator[_T]:
        """Yields the items; raises Stopped between two, once a process must stop."""
        for item in items:
            code = self.exit_code()
            if code is not None:
                raise Stopped(code)
            yield item
