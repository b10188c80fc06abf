"""Memory for what is on its way to a store: so much at once and no more, and the same memory again and again.

Fresh memory costs half as much as hashing what is written into it, so what was lent is kept for the next one; when
nothing is lent any more, one piece is kept. What is larger than all the room waits until it has it for itself.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

SMALL = 1 << 20  # below, fresh memory costs nothing worth keeping it for
STEP = 8 << 20  # pieces are whole multiples of this, so that they fit again


class Buffers:
    """At most `room` bytes are lent at once, to any number of threads."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._lent = 0
        self._kept: list[bytearray] = []
        self._changed = threading.Condition()

    @contextmanager
    def lend(self, size: int) -> Iterator[memoryview]:
        """A piece of memory of that many bytes, with anything in it; waits until there is room."""
        piece = self._take(size)
        try:
            yield memoryview(piece)[:size]
        finally:
            self._give_back(piece, size)

    def _take(self, size: int) -> bytearray:
        with self._changed:
            self._changed.wait_for(lambda: not self._lent or self._lent + size <= self._room)
            self._lent += size
            for place, piece in enumerate(self._kept):
                if size > SMALL and len(piece) >= size:
                    return self._kept.pop(place)
        return bytearray(size if size <= SMALL else -(-size // STEP) * STEP)

    def _give_back(self, piece: bytearray, size: int) -> None:
        with self._changed:
            self._lent -= size
            if len(piece) > SMALL:
                self._kept.append(piece)
                while sum(map(len, self._kept)) > (self._room - self._lent if self._lent else len(piece)):
                    self._kept.pop(0)
            self._changed.notify_all()
