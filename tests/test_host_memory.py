"""Freed memory is kept: counted in a process of its own, by the pages it is given."""

import subprocess
import sys

from jaxact.host_memory import keep_freed_memory

COUNT = """
import resource, sys
import numpy as np
from jaxact.host_memory import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
pages = []
for _ in range(4):
    np.ones(16_000_000)  # 128 MB, given back at once
    pages.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(pages[-1] - pages[0])
"""


def test_pages_are_mapped_once_and_not_in_every_step():
    def count(how: str) -> int:
        command = [sys.executable, "-c", COUNT, how]
        return int(subprocess.run(command, capture_output=True, check=True).stdout)

    if sys.platform.startswith("linux"):
        assert count("keep") < 100 < count("default")
    else:
        assert not keep_freed_memory()
