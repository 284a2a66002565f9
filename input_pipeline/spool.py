"""Pictures of a long clip that wait on the disk until its record is written.

A record begins with its length, so that nothing of it can be written before all of its
pictures are known; those of half an hour are more than a process should hold. They lie
in a file without a name, in the folder of temporary files (TMPDIR).
"""

import dataclasses
import os
import tempfile
import weakref


class Spool:
    """A temporary file of pictures; it is gone when the last of them is."""

    def __init__(self) -> None:
        # No buffer: the file's contents are read past it.
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._size = 0

    def add(self, data: bytes) -> "Spooled":
        """Write bytes; return what stands for them."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._size += len(data)
        return Spooled(self, self._size - len(data), len(data))

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes that were written."""
        return os.pread(self._file.fileno(), length, offset)


@dataclasses.dataclass(frozen=True)
class Spooled:
    """Bytes on the disk: ``len(it)`` knows how many, ``bytes(it)`` reads them."""

    spool: Spool
    offset: int
    length: int

    def __len__(self) -> int:
        return self.length

    def __bytes__(self) -> bytes:
        return self.spool.read(self.offset, self.length)


# One or the other: both have a length, and bytes() of both are bytes.
Picture = bytes | Spooled
