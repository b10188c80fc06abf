"""An entry is one thing in a delivered package, be it a folder on disk, a ZIP or a tar.

The three readers give streams of entries; everything after them is the same for all three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from preservation.findings import Finding, Severity
from wording import say

BUFFER = 1 << 20  # bytes; large enough that hashing, which lets other threads run, outweighs the loop


class Kind(StrEnum):
    """What an entry is. Only files and folders are taken in."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    SPECIAL = "special"


Piece = bytes | memoryview  # a memoryview is good until the next piece is asked for
Pieces = Callable[[], AbstractContextManager[Iterator[Piece]]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `name` is the path in the producer's bytes, `/`-separated, without a slash at the end.

    `size` is announced, not proved. `pieces` opens the content; for a tar it is valid until the next entry
    is asked for. `text` is the path where the container states it in UTF-8 beside the bytes. `target` is
    where a link points.
    """

    name: bytes
    kind: Kind
    size: int
    pieces: Pieces
    text: str | None = None
    target: bytes | None = None


class BadEntry(Exception):
    """One entry cannot be taken in; the others can. Carries the finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding.message))
        self.finding = finding


MOST_OF_ONE_CODE = 1000


class Source(Protocol):
    """A delivered archive, open for reading."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; nothing means the end."""
        ...

    def seek(self, at: int, whence: int = 0, /) -> int:
        """Go to a place; returns it, counted from the beginning."""
        ...


class Notes:
    """Findings as they are noticed, each once; of each code the first thousand, then a count of the rest."""

    def __init__(self) -> None:
        self._kept: list[Finding] = []
        self._seen: dict[tuple[str, Severity], int] = {}
        self._places: set[tuple[str, str | None]] = set()

    def add(self, finding: Finding) -> None:
        """Keep the finding, or count it when a thousand of its kind are kept already."""
        place = (finding.code, finding.path)
        if place in self._places:
            return
        key = (finding.code, finding.severity)
        self._seen[key] = self._seen.get(key, 0) + 1
        if self._seen[key] <= MOST_OF_ONE_CODE:
            self._kept.append(finding)
            self._places.add(place)

    def all(self) -> tuple[Finding, ...]:
        """The findings, in the order they were noticed, with the counts of those left out at the end."""
        more = [
            Finding(
                code,
                severity,
                say("{count} further findings of the kind {code} are not listed one by one.", count=left, code=code),
            )
            for (code, severity), count in self._seen.items()
            if (left := count - MOST_OF_ONE_CODE) > 0
        ]
        return (*self._kept, *more)

    def errors(self) -> tuple[Finding, ...]:
        """Those that reject the package."""
        return tuple(finding for finding in self.all() if finding.severity is Severity.ERROR)
