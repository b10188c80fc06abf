"""Verification at the door: no adapter can finish storing bytes other than the promised ones.

Promises that the last bytes are handed on only after length and digest were found right.
Does not own the source: reads forward only, never closes or rewinds it, lets its errors pass unchanged.
"""

from __future__ import annotations

import hashlib
import threading

from storage_adapters.errors import ObjectDamaged, place
from storage_adapters.store import Reader
from wording import Message, say

CHUNK = 1 << 20
_OWN = threading.local()


def own_memory() -> memoryview:
    """CHUNK bytes of memory that this thread uses again and again, for what is gone before anybody asks for more."""
    try:
        return _OWN.memory  # type: ignore[no-any-return]
    except AttributeError:
        _OWN.memory = memoryview(bytearray(CHUNK))
        return _OWN.memory  # type: ignore[no-any-return]


class VerifyingReader:
    """Reads a source of `size` promised bytes with the promised SHA-256 (hex); raises ObjectDamaged otherwise."""

    def __init__(self, source: Reader, *, size: int, sha256: str, store: str, key: str) -> None:
        self._source = source
        self._size = size
        self._sha256 = sha256.lower()
        self._where = place(store, key)
        self._key = key
        self._left = size
        self._digest = hashlib.sha256()
        self._verified = False

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, at most 1 MiB when negative; empty only after everything was verified."""
        if self._verified or size == 0:
            return b""
        chunk = self._source.read(min(self._left, size if size > 0 else CHUNK)) if self._left else b""
        self._heard(chunk)
        return chunk

    def fill(self, block: memoryview) -> None:
        """Fill the block with what comes next (so much must still be promised), however many reads it takes.

        A source that can read into memory given to it (`readinto`, as files can) is spared a copy of every byte.
        """
        into = getattr(self._source, "readinto", None)
        filled = 0
        while filled < len(block):
            piece = block[filled : filled + CHUNK]
            if into is None or self._left < len(piece):
                chunk = self.read(len(piece))
                if len(chunk) > len(piece):
                    raise AssertionError("a source gave more than it was asked for")
                block[filled : filled + len(chunk)] = chunk
                filled += len(chunk)
            else:
                count = into(piece) or 0
                self._heard(piece[:count])
                filled += count

    def read_block(self, size: int) -> bytearray:
        """Exactly `size` bytes (they must still be promised)."""
        block = bytearray(size)
        self.fill(memoryview(block))
        return block

    def finish(self) -> None:
        """Verify an empty object too, and refuse to go on when anything is still unread."""
        self.read(1)
        if not self._verified:
            raise AssertionError("an adapter tried to finish before the source was read to its end")

    def _heard(self, chunk: bytes | memoryview) -> None:
        """Count and hash what the source gave; at the promised end everything must be right."""
        if self._left and not chunk:
            raise self._damaged(
                say("“{key}” ended early: its source gave fewer bytes than were promised.", key=self._key),
                seen=f"{self._size - self._left} bytes",
                expected=f"{self._size} bytes",
            )
        self._digest.update(chunk)
        self._left -= len(chunk)
        if self._left <= 0:
            self._check_end()

    def _check_end(self) -> None:
        if self._left < 0 or self._source.read(1):
            raise self._damaged(
                say(
                    "“{key}” does not end where it should: its source gave more bytes than were promised.",
                    key=self._key,
                ),
                seen=f"more than {self._size} bytes",
                expected=f"{self._size} bytes",
            )
        seen = self._digest.hexdigest()
        if seen != self._sha256:
            raise self._damaged(
                say("The bytes of “{key}” are not the promised ones; nothing was stored.", key=self._key),
                seen=f"SHA-256 {seen}",
                expected=f"SHA-256 {self._sha256}",
            )
        self._verified = True

    def _damaged(self, what: Message, *, expected: str, seen: str) -> ObjectDamaged:
        return ObjectDamaged(
            what,
            where=self._where,
            expected=expected,
            seen=seen,
            next_step=say(
                "Prove the source again before it is copied; take another replica as the source if it fails."
            ),
        )
