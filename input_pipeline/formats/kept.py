"""What was found out about a raw file, kept while the file stays as it is.

Many clips may be parts of one recording; a process then asks each file once.
"""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from input_pipeline.formats import container
from input_pipeline.formats.errors import UnusableFile

_T = TypeVar("_T")


def kept(files: int) -> Callable[[Callable[[Path], _T]], Callable[[Path], _T]]:
    """Keep what a function of a path returned for the last ``files`` of them."""

    def decorate(function: Callable[[Path], _T]) -> Callable[[Path], _T]:
        @functools.lru_cache(files)
        def remembered(path: Path, state: Any) -> _T:
            del state  # only tells whether the file is another one now
            return function(path)

        @functools.wraps(function)
        def asked(path: Path) -> _T:
            try:
                stat = os.stat(container.split(path)[0])
            except FileNotFoundError:
                raise UnusableFile("missing", "there is no such file") from None
            return remembered(path, (stat.st_size, stat.st_mtime_ns))

        return asked

    return decorate
