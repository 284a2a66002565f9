"""What was found out about a raw file, kept while the file stays as it is.

Many clips may be parts of one recording; a process then asks each file once.
"""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from input_pipeline.formats import container, notes
from input_pipeline.formats.errors import UnusableFile

_T = TypeVar("_T")
_More = ParamSpec("_More")
_Asked = Callable[Concatenate[Path, _More], _T]


def kept(files: int) -> Callable[[_Asked[_More, _T]], _Asked[_More, _T]]:
    """Keep what a function of a path and more returned for the last ``files`` times.

    What it notes (`notes`) is not heard.
    """

    def decorate(function: _Asked[_More, _T]) -> _Asked[_More, _T]:
        @functools.lru_cache(files)
        def remembered(path: Path, state: Any, *more: Any) -> _T:
            del state  # only tells whether the file is another one now
            # Else it would be heard of the first clip alone.
            with notes.listening():
                return function(path, *more)  # type: ignore[call-arg]

        @functools.wraps(function)
        def asked(path: Path, *more: _More.args, **named: _More.kwargs) -> _T:
            assert not named
            try:
                stat = os.stat(container.split(path)[0])
            except FileNotFoundError:
                raise UnusableFile("missing", "there is no such file") from None
            return remembered(path, (stat.st_size, stat.st_mtime_ns), *more)

        return asked

    return decorate
