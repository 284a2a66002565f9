"""Bytes that wait on the disk come back as they were, and leave nothing behind."""

import os

import numpy as np

from input_pipeline.spool import Spool


def test_bytes_are_read_as_they_were_written():
    random = np.random.default_rng(0)
    written = [random.bytes(size) for size in (0, 1, 70_000, 3)]
    spool = Spool()
    found = [spool.add(data) for data in written]
    assert [*map(len, found)] == [0, 1, 70_000, 3]
    for place in (2, 0, 3, 1, 2):
        assert bytes(found[place]) == written[place]


def test_the_file_is_closed_with_the_last_of_them():
    before = len(os.listdir("/proc/self/fd"))
    spooled = Spool().add(b"abc")
    assert len(os.listdir("/proc/self/fd")) == before + 1
    assert bytes(spooled) == b"abc"
    del spooled
    assert len(os.listdir("/proc/self/fd")) == before
