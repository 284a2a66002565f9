"""Lets the C library keep freed memory for the next step: for runs on one CPU core."""

import ctypes
import sys

# Of glibc's malloc.h; its sizes are C ints.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Makes malloc reuse large blocks instead of giving them back to the system.

    XLA on CPU takes a step's working memory anew in every step. By default glibc gives
    blocks of that size back as soon as they are freed, so that the system has to map
    and clear all their pages again in every step. A process on one core computes in the
    thread whose heap this sets, and its page faults all but vanish; with more, XLA's
    own threads map large blocks as before, and nothing is gained or lost
    (`benchmarks.host_memory`). One heap for all threads (M_ARENA_MAX) was tried: fewer
    faults, but slower.

    Returns:
      Whether the C library has these settings; others than glibc do not.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    # No block is too large for the heap, and the heap's free end is kept.
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _LARGEST))
    return all(mallopt(name, value) == 1 for name, value in settings)
