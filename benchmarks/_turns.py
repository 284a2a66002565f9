"""Two sides timed by turns in one run, so that a busy machine slows both alike."""

import pathlib
import statistics
import subprocess
import time
from collections.abc import Callable
from typing import Any


class TorchSide:
    """A script of this folder in an interpreter with torch, driven by lines on stdin.

    It answers its start with versions and every line with one line.
    """

    def __init__(self, python: str, script: str, **sizes: Any) -> None:
        self._script = script
        path = pathlib.Path(__file__).with_name(script)
        options = [part for key, value in sizes.items() for part in (f"--{key}", value)]
        self._process = subprocess.Popen(
            [python, str(path), *map(str, options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.versions = self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            raise SystemExit(
                "The torch side ended without an answer. --torch_python must name an "
                f"interpreter with torch and what else {self._script} imports."
            )
        return line

    def ask(self, command: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._answer()

    def seconds(self, command: str) -> float:
        """Asks for a call and returns how long it took."""
        return float(self.ask(command))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def compare(
    name: str, call: Callable[[], Any], other: Callable[[], float] | None, turns: int
) -> float | None:
    """Prints the median time of ``call`` and, with another side, the ratio's.

    Args:
      name: what is timed.
      call: our side; returns when the result is there.
      other: the other side; returns its seconds.
      turns: how often each is timed, after once for compilation.

    Returns:
      The other side's median seconds, None where there is none.
    """
    call()
    if other is not None:
        other()
    mine, theirs = [], []
    for _ in range(turns):
        start = time.perf_counter()
        call()
        mine.append(time.perf_counter() - start)
        if other is not None:
            theirs.append(other())
    text = f"  {name:14} jaxact {statistics.median(mine):7.3f} s"
    if theirs:
        ratios = sorted(b / a for a, b in zip(mine, theirs, strict=True))
        text += (
            f"   torch {statistics.median(theirs):7.3f} s   "
            f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f}..{ratios[-1]:.2f})"
        )
    print(text, flush=True)
    return statistics.median(theirs) if theirs else None
