"""The folder of a report: tried before anything is computed, and written to."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxact import errors
from jaxact.devices import distributed


def check(folder: Path) -> None:
    """Makes a folder and tries to write there; all processes must call it.

    Raises:
      UserError: on all processes, if the main one, which writes, cannot.
    """
    trial = folder / f".{os.getpid()}.tmp"
    otherwise = f"The main process cannot write to {folder}; it says why."
    with distributed.raise_on_all(otherwise):
        if distributed.is_main():
            with writing(folder):
                folder.mkdir(parents=True, exist_ok=True)
                try:
                    write(trial, bytes(4096))  # a few bytes may fit on a full disk
                finally:
                    trial.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns what the system says of the disk into an error that a person can mend."""
    try:
        yield
    except OSError as error:
        raise errors.UserError(
            f"Nothing can be written to {folder}: {error.strerror or error}. Make room "
            "there, or choose a folder that you may write to, with --out; then run the "
            "same command again."
        ) from error


def write_page(folder: Path, name: str, page: str, found: Any) -> Path:
    """Writes ``NAME.json``, what was found, and ``NAME.html``; returns the page's path.

    Args:
      folder: made if it is missing.
      found: of what JSON has, see `numbers.plain`.

    Raises:
      UserError: the folder cannot be written to.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        data = json.dumps(found, indent=1, allow_nan=False)
        write(folder / f"{name}.json", data.encode())
        write(folder / f"{name}.html", page.encode())
    return folder / f"{name}.html"


def write(path: Path, content: bytes) -> None:
    """Writes a file through to the disk."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
