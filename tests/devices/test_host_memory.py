"""Freed memory is kept: counted in a process of its own, by the pages it is given."""

import os
import subprocess
import sys

from jaxact.devices.host_memory import keep_freed_memory

SETTINGS = ("MALLOC_", "GLIBC_TUNABLES")
COUNT = """
import resource, sys
import numpy as np
from jaxact.devices.host_memory import keep_freed_memory

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
        # Who runs the tests may have asked malloc for the same.
        env = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}
        done = subprocess.run(command, capture_output=True, check=True, env=env)
        return int(done.stdout)

    if sys.platform.startswith("linux"):
        assert count("keep") < 100 < count("default")
    else:
        assert not keep_freed_memory()
