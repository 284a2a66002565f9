"""A run's folder belongs to one run at a time.

Two runs in one folder would remove each other's half-written checkpoints and mix their
lines in metrics.jsonl. The main process holds a lock on the folder; the system frees
it when the process ends, however it ends.
"""

import contextlib
import errno
import functools
import os
import pathlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import filelock

from jaxact import config as config_lib
from jaxact import errors
from jaxact.devices import distributed

LOCK_FILE = ".lock"
# What a file system answers that knows no locks; the run then goes on without.
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


def default_workdir(experiment: config_lib.Experiment) -> pathlib.Path:
    """Returns the folder of a run that was given none."""
    return pathlib.Path("runs") / experiment.name


def with_locked_workdir(train: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps ``train(experiment, workdir, ...)`` so that it owns its folder meanwhile.

    Raises:
      UserError: another run is at work there, or the folder cannot be written to.
    """

    @functools.wraps(train)
    def wrapped(experiment: Any, workdir: pathlib.Path, *more: Any) -> Any:
        with lock_workdir(workdir):
            return train(experiment, workdir, *more)

    return wrapped


@contextlib.contextmanager
def lock_workdir(folder: pathlib.Path) -> Iterator[None]:
    """Keeps all other runs out of a folder; every process of the run must call it.

    Raises:
      UserError: on all processes, if another run is at work there or the folder cannot
        be written to.
    """
    held = None
    otherwise = f"The main process cannot use the folder {folder}; it says why."
    try:
        with distributed.raise_on_all(otherwise):
            if distributed.is_main():
                held = _lock(folder)
        yield
    finally:
        if held is not None:
            held.release()


def _lock(folder: pathlib.Path) -> filelock.FileLock:
    """Returns the lock on a folder, whose file has this process's name in it."""
    path = folder / LOCK_FILE
    # A soft lock, a file that must not exist, would outlive a process that is killed.
    held = filelock.FileLock(path, blocking=False, fallback_to_soft=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held.acquire()
        path.write_text(f"{os.getpid()} on {socket.gethostname()}")
    except filelock.Timeout:
        owner = path.read_text(errors="replace") or "unknown"
        raise errors.UserError(
            f"Another run is at work in {folder}: process {owner} holds {path}. Wait "
            "until it is done, end it (kill PID saves and leaves), or choose another "
            "--workdir."
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            held.release()
            raise _unusable(folder, error) from error
        print(f"{folder} knows no locks: see that no second run writes there.")
    return held


def _unusable(folder: pathlib.Path, error: OSError) -> errors.UserError:
    return errors.UserError(
        f"The run cannot be kept in {folder}: {error.strerror} ({error.filename or ''}"
        "). Choose a folder that you may write to, on a disk with room, with --workdir."
    )
