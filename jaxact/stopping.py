"""Termination signals: noticed between two steps, so that a run can save and leave."""

import signal
from types import FrameType
from typing import Any

import jax

from jaxact import distributed


class StopSignal:
    """A context that turns SIGTERM and SIGINT into a question asked between steps.

    A second signal of the same kind acts as it would without this.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._former: dict[int, Any] = {}

    def __enter__(self) -> "StopSignal":
        for number in (signal.SIGTERM, signal.SIGINT):
            self._former[number] = signal.signal(number, self._notice)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _notice(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._number = number
        signal.signal(number, self._former[number])
        name = signal.Signals(number).name
        print(f"\n{name}: saving after this step, then leaving.", flush=True)

    def exit_code(self, step: int) -> int | None:
        """Returns 128 + signal number if any process was told to stop, else None.

        All processes must ask at the same steps. Several processes agree every tenth
        step only: asking the others takes time.
        """
        if jax.process_count() > 1 and step % 10:
            return None
        if distributed.any_process(self._number is not None):
            return 128 + (self._number or signal.SIGTERM)
        return None
