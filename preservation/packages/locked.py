"""Files locked with a password: noticed in passing, while the bytes go by, in PDF and ZIP.

A hint for the officer and no judgement: the file is kept as it is. Whether a password is needed to read a PDF, or
only to print it, is not looked into. Office documents that are locked are told by their format (fmt/494).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from preservation.findings import Finding, Severity
from wording import say

_HEAD, _TAIL = 4096, 4096  # bytes kept: the trailer of a PDF is at its end or, linearized, at its start


class Look:
    """The pieces of one file as they pass; remembers how it begins and how it ends."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self._head = self._tail = b""

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if len(self._head) < _HEAD:
                self._head += piece[: _HEAD - len(self._head)]
            self._tail = piece[-_TAIL:] if len(piece) >= _TAIL else (self._tail + piece)[-_TAIL:]
            yield piece

    def locked(self) -> bool:
        """Whether what passed was locked, as far as its beginning and end tell (ISO 32000-1 7.6; APPNOTE 4.4.4)."""
        if self._head.startswith(b"%PDF-"):
            return b"/Encrypt" in self._head or b"/Encrypt" in self._tail
        if self._head.startswith(b"PK\3\4") and len(self._head) >= 8:
            return bool(struct.unpack_from("<H", self._head, 6)[0] & 1)
        return False


def locked_finding(path: str) -> Finding:
    """The finding for a locked file."""
    message = say(
        "This file is locked: without its password it may never be read again. It is kept as it is. "
        "Ask the producer for one without a lock."
    )
    return Finding("file-encrypted", Severity.WARNING, message, path=path)
