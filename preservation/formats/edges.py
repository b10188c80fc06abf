"""The two ends of a file: read where it lies, or kept while its bytes stream by, so that it is not read again.

Identification looks at nothing else of a file, whatever its size; only containers are opened whole.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from preservation.formats.pronom.facts import WINDOW


class BecameShorter(Exception):
    """The file became shorter while it was read."""


class Edges:
    """Give every piece in order; `size` is the size expected. Pieces may be overwritten once they were added."""

    __slots__ = ("_seen", "_tail_at", "_tails", "head")

    def __init__(self, size: int) -> None:
        self._tail_at = max(0, size - WINDOW)
        self._seen = 0
        self.head = b""
        self._tails: list[bytes] = []

    def add(self, piece: bytes | memoryview) -> None:
        """The next piece of the file."""
        begin, self._seen = self._seen, self._seen + len(piece)
        if begin < WINDOW:
            part = bytes(piece[: WINDOW - begin]) if begin + len(piece) > WINDOW else bytes(piece)
            self.head = self.head + part if self.head else part
        if self._tail_at and self._seen > self._tail_at:
            self._tails.append(bytes(piece[max(0, self._tail_at - begin) :]))

    @property
    def tail(self) -> bytes:
        """The last bytes of the file; of a small one the same as `head`."""
        return b"".join(self._tails) if self._tail_at else self.head


@dataclass(frozen=True, slots=True)
class Seen:
    """A file whose ends are known. `name` serves for its extension; `opens` is where all of it can be read."""

    name: str
    opens: str
    size: int
    head: bytes
    tail: bytes


def edges_of(descriptor: int, size: int) -> tuple[bytes, bytes]:
    """The first and the last 128 KiB of the open file of so many bytes; of a small one the same twice.

    Raises BecameShorter, OSError.
    """
    head = _exactly(descriptor, min(size, WINDOW), 0)
    return head, head if size <= WINDOW else _exactly(descriptor, WINDOW, size - WINDOW)


def _exactly(descriptor: int, wanted: int, place: int) -> bytes:
    data = os.pread(descriptor, wanted, place)
    while len(data) < wanted:  # a network disk may give less than was asked for; the end of the file gives nothing
        more = os.pread(descriptor, wanted - len(data), place + len(data))
        if not more:
            raise BecameShorter
        data += more
    return data
