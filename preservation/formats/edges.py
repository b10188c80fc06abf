"""The two ends of a file: read where it lies, or kept while its bytes stream by, so that it is not read again.

Identification looks at nothing else of a file, whatever its size; only containers are opened whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from preservation.formats.pronom.facts import WINDOW

NEAR = 8192  # bytes of a file's end that are read at once: more than nearly all signatures look at


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


class Tail:
    """The last bytes of a file: `ending` at once, all 128 KiB when they are asked for; few formats ask."""

    __slots__ = ("_read", "_whole", "ending")

    def __init__(self, ending: bytes, read: Callable[[], bytes] | None = None) -> None:
        """`ending` is all that there is unless `read` gives more."""
        self.ending = ending
        self._whole = ending if read is None else None
        self._read = read

    def whole(self) -> bytes:
        """The last 128 KiB, or the whole of a smaller file. Raises BecameShorter, OSError."""
        if self._whole is None:
            assert self._read is not None
            self._whole = self._read()
        return self._whole


def edges_of(descriptor: int, size: int) -> tuple[bytes, Tail]:
    """The first 128 KiB of the open file of so many bytes, and its last, which are read as far as they are asked for,
    while the file is open. Of a small file both are the same.

    Raises BecameShorter, OSError.
    """
    head = _exactly(descriptor, min(size, WINDOW), 0)
    if size <= WINDOW:
        return head, Tail(head)
    ending = _exactly(descriptor, NEAR, size - NEAR)
    return head, Tail(ending, lambda: _exactly(descriptor, WINDOW, size - WINDOW))


def _exactly(descriptor: int, wanted: int, place: int) -> bytes:
    data = os.pread(descriptor, wanted, place)
    while len(data) < wanted:  # a network disk may give less than was asked for; the end of the file gives nothing
        more = os.pread(descriptor, wanted - len(data), place + len(data))
        if not more:
            raise BecameShorter
        data += more
    return data
