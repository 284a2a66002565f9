"""What all targets are made with: the list of them, and the files that they read."""

import pathlib
import tempfile
from collections.abc import Callable

Target = Callable[[bytes], None]
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="jaxact-fuzz-"))
TARGETS: dict[str, Target] = {}
SEEDS: dict[str, list[bytes]] = {}


def target(*seeds: bytes) -> Callable[[Target], Target]:
    """Lists a target under its function's name, with the inputs to start from."""

    def add(function: Target) -> Target:
        TARGETS[function.__name__] = function
        SEEDS[function.__name__] = list(seeds)
        return function

    return add


def written(name: str, data: bytes) -> pathlib.Path:
    """Writes a file that the reader under test opens."""
    path = FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
