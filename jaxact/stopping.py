"""Termination signals: noticed between two steps, so that a run can save and leave."""

import signal
from types import FrameType
from typing import Any

import jax
from jax.experimental import multihost_utils

from jaxact import distributed

# Several processes agree on SIGINT at steps that this divides: asking takes time.
ASK_EVERY = 10


class StopSignal:
    """A context that turns SIGTERM and SIGINT into a question asked between steps.

    A second signal of the same kind acts as it would without this.

    Where several processes train together, SIGTERM is left to JAX's preemption
    service, which is there since `jax.distributed.initialize`: schedulers and Cloud TPU
    announce with SIGTERM that a machine will be taken away, often to one process only.
    The service tells the others, and all of them stop after the same step.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._former: dict[int, Any] = {}
        # On, unless somebody minds; JAX does not tell type checkers.
        served = jax.config.jax_enable_preemption_service  # type: ignore[attr-defined]
        self._announced = jax.process_count() > 1 and served

    def __enter__(self) -> "StopSignal":
        numbers = [signal.SIGINT]
        if not self._announced:
            numbers.append(signal.SIGTERM)
        for number in numbers:
            former = signal.signal(number, self._notice)
            # None: a handler of JAX's preemption service, which Python cannot put back.
            self._former[number] = signal.SIG_DFL if former is None else former
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

        All processes must ask after every step, beginning with the same one.
        """
        if self._announced:
            # Costs nothing: the service agrees on a step behind our back.
            if multihost_utils.reached_preemption_sync_point(step):
                return 128 + signal.SIGTERM
        if jax.process_count() > 1 and step % ASK_EVERY:
            return None
        if distributed.any_process(self._number is not None):
            usual = signal.SIGINT if self._announced else signal.SIGTERM
            return 128 + (self._number or usual)
        return None
