"""Reading a file of a local store, without pushing out of memory what others work with.

What nobody had in memory before is forgotten as it is read; what was there stays.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from storage_adapters.local_errors import explain_os_errors
from storage_adapters.verifying import CHUNK

_FORGET = 8 << 20  # bytes read before they are forgotten


class Opened:
    """An opened object; an error of the disk while it is read is the store's. `begun`: the keys of what came into
    memory by a glimpse of ours.
    """

    def __init__(self, file: int, key: str, *, store: str, root: Path, begun: set[str]) -> None:
        self._file = file
        self._key = key
        self._store = store
        self._root = root
        self._ours = key in begun or not in_memory(file)
        begun.discard(key)
        self._read = self._forgotten = 0

    def read(self, size: int = -1, /) -> bytes:
        """See Reader.read."""
        with explain_os_errors(self._store, self._key, root=self._root):
            if size >= 0:
                chunk = os.read(self._file, size)
                self._count(len(chunk))
                return chunk
            return b"".join(iter(lambda: os.read(self._file, CHUNK), b""))

    def readinto(self, buffer: memoryview, /) -> int:
        """The same into memory that is given; how many bytes."""
        with explain_os_errors(self._store, self._key, root=self._root):
            count = os.readv(self._file, (buffer,))
        self._count(count)
        return count

    def forget(self) -> None:
        """Have what follows read from the disk, whoever has it in memory: for a second look."""
        forget(self._file)

    def _count(self, count: int) -> None:
        self._read += count
        if self._ours and (self._read - self._forgotten >= _FORGET or not count):
            forget(self._file, self._read)
            self._forgotten = self._read


def forget(file: int, upto: int = 0) -> None:
    """Let go of what the system keeps in memory of a file (its first bytes, or all), as far as it is on the disk."""
    with suppress(OSError):  # a file system that keeps nothing, or cannot say
        os.posix_fadvise(file, 0, upto, os.POSIX_FADV_DONTNEED)


def in_memory(file: int) -> bool:
    """Whether the beginning of the file could be read without waiting for the disk; yes where nobody can tell."""
    try:
        return bool(os.preadv(file, (bytearray(1),), 0, os.RWF_NOWAIT) or True)
    except BlockingIOError:
        return False
    except OSError:
        return True
