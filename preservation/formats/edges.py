"""The two ends of a file, kept while its bytes stream by, so that its format can be told without reading it again."""

from __future__ import annotations

from dataclasses import dataclass

WINDOW = 128 << 10  # bytes; FIDO looks at as many at the beginning and at the end


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
